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
    """An AUC on the scale where 1 is indistinguishable: 1 - (2 max(AUC, 0.5) - 1)."""
    return 2 * (1 - max(auc, 0.5))


def classifier_scores(apart: TwoSample, control: TwoSample) -> dict[str, Score]:
    """How well trees tell rows apart, on both scales."""
    area = Estimate.of(apart.auc, apart.stderr)
    low, high = max(area.low, 0.0), min(area.high, 1.0)
    value, floor = (c2st_score(t.auc) for t in (apart, control))
    return {
        "c2st_score": Score(value, floor, "high", c2st_score(high), c2st_score(low)),
        "c2st": Score(area.value, control.auc, "low", low, high),
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
