"""Features of images: how far wrong samples lie from real ones, by the task that the net learnt.

    PPGEN_DATA=... python benchmarks/image_features.py --data mnist usps --seeds 2

Trains `ImageFeatures` on 2,000 images, sets 1,000 others against 1,000 real ones or wrong ones, and
prints the kernel and Fréchet distance of each kind in standard deviations of those between real
ones, with geometric means. Nets: not trained at all, as it is, with labels. Wrong images of which
the net has seen the like in training: noise (0.1 on the range -1 to 1), blur (0.45 pixels), ghost
(12 % of another). Others: one of ten classes missing, 40 % joined of two of a class, warped by half
a pixel, a hole of 3 x 3 pixels, a quarter of the images repeated.

Writes a JSON line for each data set and net. Data: `mnist/`, `usps/usps_train.npz` below
PPGEN_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

NETS: dict[str, dict[str, Any]] = {"untrained": {"steps": 0}, "as it is": {}, "labels": {}}
TRAIN, JUDGED, ROUNDS = 2000, 1000, 3


def load(name: str) -> tuple[Any, Any]:
    """Images (n, 1, H, W) from -1 to 1, in random order, and their labels."""
    if name == "usps":
        with np.load(Path(os.environ["PPGEN_DATA"]) / "usps" / "usps_train.npz") as file:
            x, y = file["x"][:, None], file["y"]
    else:
        import ppgen

        data = ppgen.read(name)
        x, y = np.asarray(data.images) / 127.5 - 1, np.asarray(data.target)
    order = np.random.default_rng(0).permutation(len(x))[:14_000]
    return x[order].astype(np.float32), y[order].astype(np.int64)


def wrong(x: Any, y: Any, rng: np.random.Generator) -> Iterator[tuple[str, Any]]:
    """Kinds of wrong images, made of these."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    n, _, height, width = x.shape
    yield "noise", np.clip(x + 0.1 * rng.normal(size=x.shape), -1, 1)
    yield "blur", gaussian_filter(x, (0, 0, 0.45, 0.45))
    yield "ghost", 0.88 * x + 0.12 * x[rng.permutation(n)]
    yield "class missing", x[y != y.max()]
    joined = x.copy()
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        other = rng.permutation(rows)
        some = rng.random(len(rows)) < 0.4
        joined[rows[some], :, :, width // 2 :] = x[other[some], :, :, width // 2 :]
    yield "joined", joined
    moved = gaussian_filter(rng.normal(size=(n, 2, height, width)), (0, 0, 3, 3))
    grid = np.mgrid[:height, :width] + 0.5 * moved / moved.std()
    warped = [
        map_coordinates(i[0], g, order=1, mode="nearest") for i, g in zip(x, grid, strict=True)
    ]
    yield "warped", np.stack(warped)[:, None]
    holed = x.copy()
    for image in holed:
        i, j = rng.integers(0, height - 3), rng.integers(0, width - 3)
        image[:, i : i + 3, j : j + 3] = -1
    yield "hole", holed
    yield "repeated", x[rng.integers(0, n // 4, n)]


def measure(name: str, seeds: int) -> Iterator[dict[str, Any]]:
    """A line for each net."""
    from ppgen.energy import SquaredDistance
    from ppgen.frechet import corrected_frechet, polynomial_kernel
    from ppgen.models.image_features import ImageFeatures

    x, y = load(name)
    rng = np.random.default_rng(1)
    sets = []
    for _ in range(ROUNDS):
        order = TRAIN + rng.permutation(len(x) - TRAIN)
        n = min(JUDGED, len(order) // 3)
        real, other, more = order[:n], order[n : 2 * n], order[n : 2 * n + n // 3]
        kinds = {k: v[:n].astype(np.float32) for k, v in wrong(x[more], y[more], rng)}
        sets.append((x[real], {"real": x[other], **kinds}))
    for net, settings in NETS.items():
        found: dict[str, list[tuple[float, float]]] = {}
        began = time.process_time()
        nets = [
            ImageFeatures.train(
                x[:TRAIN], y[:TRAIN] if net == "labels" else None, seed=seed, **settings
            )
            for seed in range(seeds)
        ]
        seconds = (time.process_time() - began) / seeds
        for features in nets:
            for real, kinds in sets:
                a = features.features(real)
                for kind, images in kinds.items():
                    b = features.features(images)
                    kernel = SquaredDistance.of(a, b, polynomial_kernel).value
                    found.setdefault(kind, []).append((kernel, corrected_frechet(a, b)))
        scatter = np.sqrt(np.mean(np.square(found.pop("real")), axis=0))
        apart = {k: np.mean(v, axis=0) / scatter for k, v in found.items()}
        means = np.exp(np.mean(np.log(np.maximum(list(apart.values()), 0.3)), axis=0))
        yield {
            "data": name,
            "net": net,
            "seeds": seeds,
            "train_cpu_seconds": seconds,
            "kernel": {k: float(v[0]) for k, v in apart.items()},
            "frechet": {k: float(v[1]) for k, v in apart.items()},
            "kernel_mean": float(means[0]),
            "frechet_mean": float(means[1]),
        }


def main() -> None:
    """Measure, and print a JSON line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=["mnist", "usps"], default=["mnist", "usps"])
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    for name in args.data:
        for line in measure(name, args.seeds):
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
