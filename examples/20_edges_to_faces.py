"""Edges to photographs: pix2pix, learnt from pairs of a photograph and its edges.

Faces of UTKFace where PPGEN_DATA names the folder of the data, else pieces of the two photographs
that scikit-learn holds. The edges are computed from each photograph, so that there are pairs; of
held-out edges the error of what they became is set beside that of the mean photograph.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter, sobel
from sklearn.datasets import load_sample_images

import ppgen
from ppgen.data.read_images import read_tar_images
from ppgen.plotting.images import image_rows


def pieces(n: int, size: int = 32) -> Any:
    """(n, 3, size, size) pieces of photographs, at half their resolution, from random places."""
    rng, found = np.random.default_rng(0), []
    photographs = [photograph[::2, ::2] for photograph in load_sample_images().images]
    for i in range(n):
        whole = photographs[i % len(photographs)]
        top, left = rng.integers(whole.shape[0] - size), rng.integers(whole.shape[1] - size)
        found.append(np.moveaxis(whole[top : top + size, left : left + size], 2, 0))
    return np.stack(found)


def edges(photographs: Any, share: float = 0.15) -> Any:
    """(n, H, W) 255 where brightness changes most, in this share of each picture, else 0."""
    grey = gaussian_filter(photographs.mean(1), (0, 0.7, 0.7))
    steep = np.hypot(sobel(grey, 1), sobel(grey, 2))
    least = np.quantile(steep, 1 - share, axis=(1, 2), keepdims=True)
    return np.where(steep > least, 255, 0).astype(np.uint8)


def main(out: str = "out/20", n: int = 1200, size: int = 64, budget: str = "10min") -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    file = Path(os.environ.get("PPGEN_DATA", "")) / "utkface" / "utkface_dev1200.tar"
    real = "PPGEN_DATA" in os.environ and file.exists()
    photographs = read_tar_images(file, (size, size))[0][:n] if real else pieces(n, size // 2)
    order = np.random.default_rng(0).permutation(len(photographs))
    held, rest = photographs[order[: n // 10]], photographs[order[n // 10 :]]
    model = ppgen.PairedTranslation(random_state=0).fit(edges(rest), rest, budget=budget)
    print(model.verdict_)
    made = model.translate(edges(held))
    error, of_mean = (np.abs(held - other.astype(float)).mean() for other in (made, rest.mean(0)))
    print(f"absolute error {error:.1f} of 255 levels, the mean photograph's {of_mean:.1f}")
    lines = np.repeat(edges(held)[:, None], 3, axis=1)
    strip = image_rows({"edges": lines, "translated": made, "photograph": held}, down=1)
    strip.savefig(folder / "edges.png", dpi=120)
    return float(error / of_mean)


if __name__ == "__main__":
    main(*sys.argv[1:])
