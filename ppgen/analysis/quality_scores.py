"""The scores of `sample_quality`, on rows in the space they are measured in.

`real` are held-out rows, `fake` generated ones, `seen` other real rows, which give the controls.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Floats
from ..bootstrap import Estimate
from ..energy import SquaredDistance, kernel_distance, minus_distance
from ..frechet import corrected_frechet, frechet_distance, polynomial_kernel
from ..neighbours import Neighbours, copies, duplicates
from ..two_sample import TwoSample
from .score import Better, Score

_MOST_AXES = 64


def c2st_score(auc: float) -> float:
    """An AUC on the scale where 1 is indistinguishable; above 1 by chance."""
    return 2 * (1 - auc)


def on_scale(area: Score) -> Score:
    """An AUC with its floor and its interval on that scale."""
    low, high = (None if end is None else c2st_score(end) for end in (area.high, area.low))
    return Score(c2st_score(area.value), c2st_score(area.control), "high", low, high)


def classifier_scores(apart: TwoSample, control: TwoSample) -> dict[str, Score]:
    """How well trees tell rows apart, on both scales."""
    found = Estimate.of(apart.auc, apart.stderr)
    area = Score(found.value, control.auc, "low", max(found.low, 0.0), min(found.high, 1.0))
    return {
        "c2st_score": on_scale(area),
        "c2st": area,
        "c2st_acc": Score(apart.accuracy, control.accuracy, "low"),
    }


def neighbour_scores(real: Floats, fake: Floats, seen: Floats) -> dict[str, Score]:
    """How generated rows lie among real ones."""
    among = Neighbours(real)
    near, usual = among.of(fake).to_json(), among.of(seen).to_json()
    better: dict[str, Better] = {"density": "control"}
    return {name: Score(near[name], usual[name], better.get(name, "high")) for name in near}


def distance_scores(real: Floats, fake: Floats, seen: Floats, seed: int) -> dict[str, Score]:
    """Distances of the distributions, with intervals."""
    scores = {}
    for name, kernel in (("energy", minus_distance), ("kernel", polynomial_kernel)):
        floor = SquaredDistance.of(real, seen, kernel).value
        found = kernel_distance(real, fake, kernel, seed=seed)
        scores[name] = Score.of(found, floor, "low")
    real, fake, seen = _leading(real, fake, seen)
    found = frechet_distance(real, fake, seed=seed)
    scores["frechet"] = Score.of(found, corrected_frechet(real, seen), "low")
    return scores


def memory_scores(real: Floats, fake: Floats, seen: Floats, train: Floats) -> dict[str, Score]:
    """Whether training rows come back, and whether few rows come again and again."""
    again = duplicates(fake, real)[0]
    return {
        "copies": Score(*copies(train, fake, real), "control"),
        "duplicates": Score(again, duplicates(seen, real)[0], "control"),
    }


def _leading(real: Floats, fake: Floats, seen: Floats) -> tuple[Floats, Floats, Floats]:
    """The rows in the leading principal components of the real ones, where there are more."""
    if real.shape[1] <= _MOST_AXES:
        return real, fake, seen
    both = np.concatenate([real, seen])
    _, vectors = np.linalg.eigh(np.cov(both.T))
    axes = vectors[:, -_MOST_AXES:]
    return real @ axes, fake @ axes, seen @ axes
