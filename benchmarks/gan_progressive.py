"""`ProgressiveGAN` on faces, beside the same nets trained at full size throughout.

    PPGEN_DATA=... python benchmarks/gan_progressive.py --minutes 15 --seeds 0
    PPGEN_DATA=... python benchmarks/gan_progressive.py --starts 16 --out faces

For each size that training starts from (the images' own is: not growing), fits for equal minutes to
the faces but a tenth, which chooses the checkpoint. Prints the Fréchet distance between as many
generated faces and all real ones, corrected for bias, with a bootstrap interval, on features of a
net that is trained here on the real faces to tell sexes and ages; beside it that of two halves of
the real faces, which is what no difference looks like, and density and coverage.

Writes a JSON line for each. Data: `utkface/utkface_dev1200.tar` below PPGEN_DATA; the name of a
face is age_sex_...

Reference: Karras, Aila, Laine and Lehtinen, "Progressive growing of GANs for improved quality,
stability, and variation", 2018, https://arxiv.org/abs/1710.10196.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

AGES = (0, 12, 25, 35, 50, 200)  # groups that faces are told apart by


def faces(size: int) -> tuple[Any, Any]:
    """Faces (n, 3, size, size) as bytes, and the number of the class of each."""
    from ppgen.data.read_images import read_tar_images

    path = Path(os.environ["PPGEN_DATA"]) / "utkface" / "utkface_dev1200.tar"
    images, names = read_tar_images(path, (size, size))
    parts = [Path(name).name.split("_") for name in names]
    ages = np.digitize([int(part[0]) for part in parts], AGES)
    classes = [2 * a + (sex == "1") for a, (_, sex, *_) in zip(ages, parts, strict=True)]
    order = np.random.default_rng(0).permutation(len(images))
    return images[order], np.array(classes)[order]


def measure(features: Any, generated: Any, real: Any) -> dict[str, Any]:
    """How generated faces lie among real ones, by features (n, f)."""
    from ppgen.frechet import frechet_distance
    from ppgen.neighbours import Neighbours

    a, b = features(generated), features(real)
    found = frechet_distance(a, b)
    near = Neighbours(b).of(a)
    return {
        "frechet": found.value,
        "interval": [found.low, found.high],
        "density": near.density,
        "coverage": near.coverage,
    }


def fit(images: Any, start: int, minutes: float, seed: int, settings: dict[str, Any]) -> Any:
    """A GAN whose training starts from images of this size."""
    import ppgen

    gan = ppgen.ProgressiveGAN(start=start, random_state=seed, **settings)
    return gan.fit(images, budget=60 * minutes, progress=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--starts", nargs="+", type=int, default=[16, 32])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=JSON")
    parser.add_argument("--out", type=Path, help="folder for generated faces (NPZ)")
    given = parser.parse_args()

    import torch

    from ppgen.models.image_features import ImageFeatures

    images, classes = faces(given.size)
    net = ImageFeatures.train(images, classes, seed=0)
    half = len(images) // 2
    settings = {k: json.loads(v) for k, v in (pair.split("=", 1) for pair in given.set)}
    about = {
        "benchmark": "gan_progressive",
        "minutes": given.minutes,
        "size": given.size,
        "settings": settings,
        "threads": torch.get_num_threads(),
        "floor": measure(net.features, images[:half], images[half:]),
    }
    for seed in given.seeds:
        for start in given.starts:
            gan = fit(images, start, given.minutes, seed, settings)
            made = gan.sample(len(images), random_state=seed)
            row = {
                "seed": seed,
                "start": start,
                "steps": gan.n_steps_,
                "fit_seconds": gan.fit_seconds_,
                "channels": gan.architecture_.channels,
                **measure(net.features, made, images),
                "verdict": str(gan.verdict_),
            }
            if given.out is not None:
                given.out.mkdir(parents=True, exist_ok=True)
                np.savez_compressed(given.out / f"start{start}_seed{seed}.npz", faces=made)
            print(json.dumps({**about, **row}), flush=True)


if __name__ == "__main__":
    main()
