"""Half a digit: the lower half of an image, drawn anew as its upper half allows.

What the upper half leaves open differs from draw to draw, and what it settles does not. MNIST where
PPGEN_DATA names the folder of the data; else scikit-learn's digits of 8 x 8 pixels.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import ppgen
from ppgen.plotting.images import image_rows


def digits() -> tuple[Any, Any]:
    """Images to fit to, and others."""
    if (Path(os.environ.get("PPGEN_DATA", "")) / "mnist").is_dir():
        data = ppgen.read("mnist")
        return data.train.to_native(), data.test.to_native()
    images = (load_digits().images * 255 / 16).astype(np.uint8)
    return images[:1400], images[1400:]


def main(
    out: str = "out/26", budget: str = "20min", n: int = 10, draws: int = 4, **settings: Any
) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    images, others = digits()
    model = ppgen.Diffusion(random_state=0, **settings).fit(images, budget=budget)
    print(model.verdict_)

    whole, height = others[:n], others.shape[1]
    hidden = np.zeros(others.shape[1:], bool)
    hidden[height // 2 :] = True
    drawn = model.inpaint(whole, hidden, draws=draws)
    error, spread = (
        float(np.sqrt(np.mean(np.square(np.asarray(of, float)[..., hidden]))))
        for of in (drawn - np.asarray(whole, float), drawn - np.mean(drawn, axis=0))
    )
    print(f"hidden pixels are off by {error:.0f} grey values; draws differ by {spread:.0f}")

    rows = {"what is seen": np.where(hidden, 127, whole)}
    rows |= {f"draw {k + 1}": some for k, some in enumerate(drawn)}
    image_rows(rows | {"real": whole}, down=1).savefig(folder / "halves.png", dpi=120)
    return error


if __name__ == "__main__":
    main(*sys.argv[1:2])
