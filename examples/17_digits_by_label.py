"""Digits by label: a conditional GAN makes the digit that is asked for, and walks between digits.

MNIST where PPGEN_DATA names the folder of the data; else scikit-learn's digits of 8 x 8 pixels.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

import ppgen
from ppgen.plotting.images import image_rows
from ppgen.plotting.latent_images import interpolation_strip


def digits() -> Any:
    """Images and labels, to fit to and to test on."""
    if (Path(os.environ.get("PPGEN_DATA", "")) / "mnist").is_dir():
        data = ppgen.read("mnist")
        return [(part.to_native(), part.target) for part in (data.train, data.test)]
    images, labels = load_digits().images.astype(np.uint8), load_digits().target
    return (images[:1400], labels[:1400]), (images[1400:], labels[1400:])


def main(out: str = "out/17", budget: str = "15min", each: int = 100, **settings: Any) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    (images, labels), held = digits()
    gan = ppgen.GAN(conditional=True, random_state=0, **settings)
    gan.fit(images, labels, validation=held, budget=budget)
    print(gan.verdict_)

    asked = np.repeat(np.arange(10), each)
    made = gan.sample(len(asked), y=asked)
    # A classifier that has seen real digits only.
    reader = KNeighborsClassifier(3).fit(flat(images[:10_000]), labels[:10_000])
    right = float(np.mean(reader.predict(flat(made)) == asked))
    real = reader.score(flat(held[0][:1000]), held[1][:1000])
    print(f"{right:.1%} of samples are read as the digit asked for; of real digits {real:.1%}")

    rows = {str(digit): made[digit * each :][:12] for digit in range(10)}
    image_rows(rows, down=1).savefig(folder / "digits.png", dpi=120)
    codes = gan.sample_latents(2)
    walks = [ppgen.interpolate(gan, *codes, codes=True, how="spherical", y=d) for d in (3, 8)]
    strip = interpolation_strip(np.stack([w.images for w in walks]), labels=["a 3", "an 8"])
    strip.savefig(folder / "between.png", dpi=120)
    return right


def flat(x: Any) -> Any:
    """(n, pixels) values."""
    return np.asarray(x, dtype=np.float32).reshape(len(x), -1)


if __name__ == "__main__":
    main(*sys.argv[1:])
