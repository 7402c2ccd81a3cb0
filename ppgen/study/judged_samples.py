"""The samples of a cell, judged: their scores, and what they are ranked by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.quality import judge
from ..analysis.quality_ranking import Sampled
from ..arrays import Array
from ..data import Dataset
from ..files import locked
from ..sealing import damage, digests
from .cells import Cell, Parts, unseen
from .store import read_json, write_json
from .stored_rows import load_arrays, save_arrays

if TYPE_CHECKING:
    from ..models.image_features import ImageFeatures

QUALITY, RANKED = "quality.json", "quality.npz"
_FEW = 10


def judged_samples(
    cell: Cell, place: Path, data: Dataset, drawn: Dataset | None, rows: Parts, features: Path
) -> dict[str, Any] | None:
    """The scores of a cell's samples as JSON, computed where that was not done; None where there
    are no samples, or too few rows to judge them by.

    Args:
        place: the cell's folder.
        features: the file of the net that images are looked at through; made where it is not.
    """
    held = read_json(place / QUALITY)
    if held is not None or drawn is None:
        return held
    train, looked = rows[0], unseen(rows)
    if min(len(np.unique(data.units[part])) for part in (looked, train)) < _FEW:
        return None
    real = data.take(train)
    net = None if real.images is None else image_features(features, real.images, cell.seed)
    found = judge(real, data.take(looked), drawn, seed=cell.seed, features=net)
    # Numbers of the whole data set, which seeds share.
    names = data.units[looked[found.rows]]
    numbers = {"noise": np.array(found.noise), "control": np.array(found.control)}
    ranked = {"lead": np.array(found.lead), "values": found.values, "rows": names}
    save_arrays(place / RANKED, {**ranked, **numbers})
    body = {name: score.to_json() for name, score in found.scores.items()}
    write_json(place / QUALITY, body)
    return body


def image_features(file: Path, real: Array, seed: int) -> ImageFeatures:
    """The net that all cells of a data set and a seed look at images through, trained by the first
    of them."""
    from ..models.image_features import ImageFeatures

    sums = file.with_suffix(".json")
    with locked(file.with_suffix(".lock"), wait=True):
        held = read_json(sums)
        if held is None or damage(file.parent, held["files"]):
            ImageFeatures.train(real, seed=seed).save(file)
            write_json(sums, {"files": digests(file.parent, [file])})
    return ImageFeatures.load(file)


def read_judged(place: Path, cell: Cell) -> Sampled | None:
    """What a cell's samples are ranked by; None where they were not judged."""
    if not (place / RANKED).exists():
        return None
    arrays = load_arrays(place / RANKED)
    return Sampled(
        cell.label,
        cell.seed,
        str(arrays["lead"]),
        arrays["values"],
        arrays["rows"],
        float(arrays["noise"]),
        float(arrays["control"]),
    )
