"""Faces grown: a GAN that learns small pictures first, beside one trained at full size throughout.

UTKFace where PPGEN_DATA names the folder of the data, else sprites; both for the same time.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import ppgen
from ppgen.data import as_dataset
from ppgen.data.read_images import read_tar_images
from ppgen.plotting.images import image_rows


def pictures(size: int, n: int) -> Any:
    """Colour faces (n, 3, size, size), or sprites (n, 1, size, size)."""
    file = Path(os.environ.get("PPGEN_DATA", "")) / "utkface" / "utkface_dev1200.tar"
    if "PPGEN_DATA" in os.environ and file.exists():
        return read_tar_images(file, (size, size))[0][:n]
    return ppgen.sprites(n, seed=0, size=size).images


def main(
    out: str = "out/18", budget: str = "15min", size: int = 32, n: int = 1200, **settings: Any
) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    images = pictures(size, n)
    held = images[: len(images) // 6]
    train = images[len(held) :]
    models = {
        "grown": ppgen.ProgressiveGAN(random_state=0, **settings),
        "full size": ppgen.GAN(random_state=0, **settings),
    }
    rows, distance = {"real": train[:12]}, {}
    for name, model in models.items():
        model.fit(train, validation=held, budget=budget)
        made = model.sample(max(500, len(held)))
        compared = [as_dataset(x, model.schema_) for x in (train, held, made)]
        distance[name] = ppgen.sample_quality(*compared)["frechet"]
        print(f"{name}: {model.verdict_}\n{name}: Frechet distance {distance[name]}")
        rows[name] = made[:12]
    image_rows(rows, down=1).savefig(folder / "faces.png", dpi=120)
    sheets = {f"step {step}": of["samples"].images for step, of in models["grown"].sheets()}
    image_rows(sheets, down=1).savefig(folder / "growing.png", dpi=120)
    return float(distance["grown"].value - distance["full size"].value)


if __name__ == "__main__":
    main(*sys.argv[1:])
