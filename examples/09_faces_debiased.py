"""Faces debiased: rows that are rare in the latents are drawn more often, and no groups are told.

Women and men of UTKFace where PPGEN_DATA names the folder of the data, among whom light pictures of
men and dark ones of women are rare; else sprites, of whose ellipses few lie in the right half.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import ppgen
from ppgen.data.read_images import read_tar_images
from ppgen.data.sprites import VALUES
from ppgen.plotting.mosaic import sheet

FACES = {
    "hidden": (32,),
    "dropout": 0.5,
    "weight_decay": 0.3,
    "reconstruction_weight": 0.3,
    "batch_size": 32,
    "augment": {"flip": True},
}


def faces(path: Path, rare: int = 40, test: int = 60) -> Any:
    """Grey faces of 16 x 16 pixels, the sex, and sex with darkness: to fit to, and to test on."""
    images, names = read_tar_images(path, (32, 32))
    sex = np.array(["man", "woman"])[[int(Path(name).name.split("_")[1]) for name in names]]
    middle = images[:, :, 8:24, 8:24].mean((1, 2, 3))
    group = np.char.add(np.where(middle < np.median(middle), "dark ", "light "), sex)
    grey = images.mean(1, keepdims=True).reshape(-1, 1, 16, 2, 16, 2).mean((3, 5))
    rows = grey.round().astype(np.uint8), sex, group
    fit, held = [], []
    for name in np.unique(group):
        order = np.random.default_rng(0).permutation(np.flatnonzero(group == name))
        few = rare if name in ("light man", "dark woman") else None
        held.append(order[:test])
        fit.append(order[test:][:few])
    return [tuple(part[np.concatenate(some)] for part in rows) for some in (fit, held)]


def shapes(n: int, rare: float = 0.03) -> Any:
    """Squares and ellipses, few of these in the right half: to fit to, and to test on."""
    right = {float(x): rare / 8 for x in VALUES["x"] if x > 0.5}
    made: dict[str, Any] = {"size": 16}
    some = {"scale": [0.8, 0.9, 1.0]}
    parts = [
        [
            ppgen.sprites(n // 2, seed=0, factors={**some, "shape": "square"}, **made),
            ppgen.sprites(
                n // 2, seed=1, factors={**some, "shape": "ellipse"}, rare={"x": right}, **made
            ),
        ],
        [ppgen.sprites(n // 2, seed=2, factors={**some, "shape": ["square", "ellipse"]}, **made)],
    ]
    found = []
    for drawn in parts:
        factors = np.concatenate([d.factors for d in drawn])
        shape = np.array(["square", "ellipse"])[factors[:, 0].astype(int)]
        group = np.char.add(np.where(factors[:, 3] > 0.5, "right ", "left "), shape)
        found.append((np.concatenate([d.images for d in drawn]), shape, group))
    return found


def main(out: str = "out/09", n: int = 2000, seeds: int = 5, epochs: int = 24) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    file = Path(os.environ.get("PPGEN_DATA", "")) / "utkface" / "utkface_dev1200.tar"
    real = "PPGEN_DATA" in os.environ and file.exists()
    rows, held = faces(file) if real else shapes(n)
    settings: dict[str, Any] = FACES if real else {"hidden": (64,)}
    model = ppgen.DebiasingVAE(2, net="mlp", **settings, max_epochs=epochs, random_state=0)
    x, y, groups = rows
    # So few faces: none are held out, and the epoch is chosen on those fitted to.
    more = {"validation": (x, y)} if real else {}
    compared = model.compare(rows, held, seeds=range(seeds), **more)
    print(compared)
    model.fit(x, y, **more)
    regions = model.rare_regions()
    print(f"{regions}\n{model.worst_group(*held)}\n{model.verdict_}")
    order = regions.rows
    grid = np.stack([x[order[:16]], x[order[::-1][:16]]])
    strip = sheet(grid, (0, 255), rows=["rarest", "commonest"], title="By sampling weight")
    strip.savefig(folder / "rarest.png", dpi=120)
    weights_figure(model.encode(x), model.sampling_weights_, groups).savefig(
        folder / "weights.png", dpi=120
    )
    accuracy_figure(compared).savefig(folder / "accuracy.png", dpi=120)
    return compared.gain()[0]


def weights_figure(codes: Any, weights: Any, groups: Any) -> Figure:
    """The rows in the latents, the rarer the darker; how often those of each group are drawn."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    times = weights * len(weights)
    lightest_first = np.argsort(times)
    dots = left.scatter(
        *codes[lightest_first, :2].T, c=np.log2(times[lightest_first]), s=8, cmap="viridis_r"
    )
    figure.colorbar(dots, ax=left, label="log2 of draws an epoch")
    left.set(xlabel="latent 0", ylabel="latent 1")
    names = np.unique(groups)
    edges = np.linspace(0, np.quantile(times, 0.99), 25)
    for name in names:
        label = f"{name}: {times[groups == name].mean():.2f}"
        right.hist(times[groups == name].clip(max=edges[-1]), edges, histtype="step", label=label)
    right.set(xlabel="draws an epoch (last bin: or more)", ylabel="rows", yscale="log")
    right.legend(title="mean by group", fontsize=8)
    return figure


def accuracy_figure(compared: Any) -> Figure:
    """Accuracy by group: mean and standard error over the seeds."""
    figure = Figure(figsize=(6.5, 3.2), layout="constrained")
    ax = figure.subplots()
    for i, way in enumerate(compared.accuracies):
        by_group = compared.by_group(way)
        values = np.stack([*by_group.values(), compared.worst(way)])
        error = values.std(1, ddof=1) / np.sqrt(values.shape[1]) if values.shape[1] > 1 else None
        at = np.arange(len(values)) + 0.15 * (i - 1)
        ax.errorbar(at, values.mean(1), error, fmt="o", capsize=3, label=way)
    ax.set_xticks(range(len(values)), [*by_group, "worst group"])
    ax.set(ylabel="accuracy", ylim=(0, 1.02))
    ax.legend(loc="lower right", fontsize=8)
    return figure


if __name__ == "__main__":
    main(*sys.argv[1:])
