"""Digits by label, by diffusion: guided samples, how they come out of noise, how many steps it
takes.

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
from ppgen.plotting.films import film_strip, quality_curves
from ppgen.plotting.images import image_rows


def digits() -> Any:
    """Images and labels, to fit to and to test on."""
    if (Path(os.environ.get("PPGEN_DATA", "")) / "mnist").is_dir():
        data = ppgen.read("mnist")
        return [(part.to_native(), part.target) for part in (data.train, data.test)]
    images, labels = (load_digits().images * 255 / 16).astype(np.uint8), load_digits().target
    return (images[:1400], labels[:1400]), (images[1400:], labels[1400:])


def main(out: str = "out/24", budget: str = "20min", each: int = 100, **settings: Any) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    (images, labels), held = digits()
    model = ppgen.Diffusion(conditional=True, random_state=0, **settings)
    model.fit(images, labels, validation=held, budget=budget)
    print(model.verdict_)

    asked = np.repeat(np.arange(10), each)
    # A classifier that has seen real digits only.
    reader = KNeighborsClassifier(3).fit(flat(images[:10_000]), labels[:10_000])
    right = {}
    for guidance in (1.0, 2.0):
        made = model.sample(len(asked), y=asked, guidance=guidance)
        right[guidance] = float(np.mean(reader.predict(flat(made)) == asked))
        print(f"guidance {guidance:g}: {right[guidance]:.1%} are read as the digit asked for")
    print(f"of real digits {reader.score(flat(held[0][:1000]), held[1][:1000]):.1%}")

    rows = {str(digit): made[digit * each :][:12] for digit in range(10)}
    image_rows(rows, down=1).savefig(folder / "digits.png", dpi=120)
    film = model.reverse_film(6, y=[0, 2, 3, 5, 7, 9])
    ticks = [f"{share:.0%} noise" for share in film.shares]
    film_strip(film.noisy, ticks).savefig(folder / "out_of_noise.png", dpi=120)
    found = model.sampling_quality(50, y=np.arange(50) % 10)
    quality_curves(found).savefig(folder / "steps.png", dpi=120)
    return right[1.0]


def flat(x: Any) -> Any:
    """(n, pixels) values."""
    return np.asarray(x, dtype=np.float32).reshape(len(x), -1)


if __name__ == "__main__":
    main(*sys.argv[1:2])
