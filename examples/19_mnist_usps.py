"""Digits of one hand in another's: CycleGAN between MNIST and USPS, without pairs.

MNIST shrunk to 16 x 16 and USPS where PPGEN_DATA names the folder of the data, else halves of
scikit-learn's digits, one as they are, one thick and in greys. Which digit is which is told to
the classifiers alone: each is fitted to real digits of one domain, and reads what was translated to
it beside the same digits as they were.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import maximum_filter, zoom
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

import ppgen
from ppgen.plotting.images import image_rows

Digits = tuple[Any, Any]


def collections(usps: Path, n: int) -> tuple[Digits, Digits]:
    """Digits of MNIST and of USPS, (n, 16, 16), with their labels."""
    data, rng = ppgen.read("mnist"), np.random.default_rng(0)
    some = np.sort(rng.permutation(len(data))[:n])
    small = zoom(data.images[some, 0].astype(np.float32), (1, 16 / 28, 16 / 28), order=1)
    mnist = np.rint(small).astype(np.uint8), data.target[some]
    with np.load(usps) as file:
        x, y = file["x"], file["y"]
    some = rng.permutation(len(x))[:n]
    return mnist, (np.rint(127.5 * (x[some] + 1)).astype(np.uint8), y[some])


def halves(n: int) -> tuple[Digits, Digits]:
    """Two halves of scikit-learn's digits, the second drawn otherwise."""
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.images))[: 2 * n]
    x, y = (15 * found.images[order]).astype(np.uint8), found.target[order]
    first, second = slice(None, len(x) // 2), slice(len(x) // 2, None)
    thick = 60 + maximum_filter(x[second], (1, 2, 2)) // 2
    return (x[first], y[first]), (thick, y[second])


def main(out: str = "out/19", n: int = 8000, budget: str = "10min") -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    usps = Path(os.environ.get("PPGEN_DATA", "")) / "usps" / "usps_train.npz"
    real = "PPGEN_DATA" in os.environ and usps.exists()
    sides = collections(usps, n) if real else halves(n)
    (x, of_x), (y, of_y) = ((a[len(a) // 10 :], b[len(a) // 10 :]) for a, b in sides)
    held = [(a[: len(a) // 10], b[: len(a) // 10]) for a, b in sides]
    model = ppgen.CycleGAN(random_state=0).fit(x, y, budget=budget)
    print(model.verdict_)
    ways = (
        ("to the second hand", held[0], model.translate, y, of_y),
        ("to the first hand", held[1], model.translate_back, x, of_x),
    )
    shares = []
    for name, (given, said), translate, rows, labels in ways:
        reader = KNeighborsClassifier(3).fit(rows.reshape(len(rows), -1), labels)
        made = translate(given)
        before, after = (float(reader.score(v.reshape(len(v), -1), said)) for v in (given, made))
        print(f"{name}: {after:.1%} of the digits keep their label, untranslated {before:.1%}")
        shares.append(after)
    there = model.translate(held[0][0][:12])
    back = model.translate_back(there)
    strip = image_rows({"given": held[0][0][:12], "translated": there, "and back": back}, down=1)
    strip.savefig(folder / "there_and_back.png", dpi=120)
    return min(shares)


if __name__ == "__main__":
    main(*sys.argv[1:])
