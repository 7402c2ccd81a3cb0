"""`Diffusion` on faces of 64 x 64 pixels: a sheet of samples, and how far they lie from real ones.

    PPGEN_DATA=... python benchmarks/diffusion_faces.py --minutes 6 --device cuda --sheet faces.png

Of the faces a tenth is held out, whose loss chooses the weights that are kept; the others are
fitted together with their mirror images. Prints the Fréchet distance between generated faces and
all real ones as `gan_progressive.py` does, beside that of two halves of the real faces, and the
share of samples that are nearer to a face fitted than to any held out, on the same features, drawn
so often that both sets are as large (0.5 where nothing is learnt by heart).

Writes a JSON line. Data: `utkface/utkface_dev1200.tar` below PPGEN_DATA.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gan_mnist import sheet
from gan_progressive import faces, measure

import ppgen
from ppgen.models.image_features import ImageFeatures


def nearer_to_fitted(made: Any, fitted: Any, held_out: Any, draws: int = 20) -> float:
    """Share of rows (n, f) nearer to one of as many fitted rows as there are held-out ones."""
    rng = np.random.default_rng(0)
    far = _nearest(made, held_out)
    some = (rng.choice(len(fitted), len(held_out), replace=False) for _ in range(draws))
    return float(np.mean([np.mean(_nearest(made, fitted[rows]) < far) for rows in some]))


def _nearest(a: Any, b: Any) -> Any:
    squares = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T
    return squares.min(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--sheet", help="where to keep a picture of samples")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=JSON")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    settings = {k: json.loads(v) for k, v in (pair.split("=", 1) for pair in given.set)}
    images, classes = faces(given.size)
    net = ImageFeatures.train(images, classes, seed=0)
    half, held = len(images) // 2, len(images) // 10
    some = images[held:]
    model = ppgen.Diffusion(device=given.device, random_state=given.seed, **settings)
    model.fit(
        np.concatenate([some, some[..., ::-1]]),
        validation=images[:held],
        budget=60 * given.minutes,
        progress=True,
    )
    began = time.perf_counter()
    made = model.sample(given.samples, steps=given.steps, random_state=1)
    seconds = time.perf_counter() - began
    if given.sheet:
        sheet(made[:80], Path(given.sheet), 10)
    row = {
        "benchmark": "diffusion_faces",
        "minutes": given.minutes,
        "size": given.size,
        "seed": given.seed,
        "device": str(model.nets_.device),
        "threads": torch.get_num_threads(),
        "settings": settings,
        "steps": model.n_steps_,
        "batch_size": model.batch_size_,
        "channels": model.architecture_.channels,
        "fit_seconds": model.fit_seconds_,
        "sampling_seconds": seconds,
        "samples": given.samples,
        "floor": measure(net.features, images[:half], images[half:]),
        **measure(net.features, made, images),
        "nearer_to_fitted": nearer_to_fitted(
            *(net.features(part) for part in (made, some, images[:held]))
        ),
        "trace": [[t["step"], t["loss"], t["validation"]] for t in model.trace_],
        "verdict": str(model.verdict_),
    }
    for key, value in row.items():
        print(f"{key}: {value}", flush=True)
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
