"""Accuracy in the worst group beside plain training and group balancing, over seeds.

Three fits a seed, of the same nets for the same number of epochs, to the same rows:

    plain        each row once an epoch,
    balanced     rows drawn so that every group of every class has the same share: told the groups,
    debiasing    rows drawn by the latents: not told.

Over seeds, a mean is given with its standard error, s / sqrt(seeds) for the standard deviation s;
differences between two ways are paired by the seed, and decided beyond Student's limit with
seeds - 1 degrees of freedom.

Reference for balancing: Idrissi, Arjovsky, Pezeshki and Lopez-Paz, "Simple data balancing achieves
competitive worst-group-accuracy" (2022), https://arxiv.org/abs/2110.14503
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit
from sklearn.base import clone

from ...arrays import Floats
from ...density import mean_stderr
from ...errors import InputError
from ..classifier import check_length, vector
from ..group_accuracy import GroupAccuracy, balanced

WAYS = ("plain", "balanced", "debiasing")


@dataclass(frozen=True)
class Comparison:
    """Accuracies by group of each way to train, a fit a seed.

    Attributes:
        seeds: of the fits.
        accuracies: way -> those by group, one a seed.
    """

    seeds: tuple[int, ...]
    accuracies: Mapping[str, tuple[GroupAccuracy, ...]]

    def worst(self, way: str) -> Floats:
        """(seeds,) accuracy in the group where it is worst."""
        return np.array([one.worst.accuracy for one in self.accuracies[way]])

    def accuracy(self, way: str) -> Floats:
        """(seeds,) accuracy of all rows."""
        return np.array([one.accuracy for one in self.accuracies[way]])

    def by_group(self, way: str) -> dict[Any, Floats]:
        """Group -> (seeds,) accuracy."""
        names = [g.name for g in self.accuracies[way][0]]
        each = [[g.accuracy for g in one] for one in self.accuracies[way]]
        return dict(zip(names, np.array(each).T, strict=True))

    def gain(self, way: str = "debiasing", over: str = "plain") -> tuple[float, float]:
        """Mean and standard error of the paired difference in the worst group's accuracy."""
        gain = self.worst(way) - self.worst(over)
        return float(gain.mean()), mean_stderr(gain)

    def margin(self, way: str = "debiasing", over: str = "plain") -> float:
        """Beyond what the gain is decided at a level of 5 %, by Student's t over the seeds; NaN for
        one seed."""
        error = self.gain(way, over)[1]
        return float(stdtrit(len(self.seeds) - 1, 0.975)) * error

    def __str__(self) -> str:
        lines = [f"{'':12}worst group       all rows          ({len(self.seeds)} seeds)"]
        for way in self.accuracies:
            measured = (self.worst(way), self.accuracy(way))
            each = [(float(v.mean()), mean_stderr(v)) for v in measured]
            lines.append(f"{way:12}" + "   ".join(f"{m:.3f} ± {e:.3f}  " for m, e in each).rstrip())
        for over in self.accuracies:
            if over != "debiasing":
                m, e = self.gain(over=over)
                line = f"debiasing above {over}, in the worst group: {m:+.3f} ± {e:.3f}"
                if len(self.seeds) > 1:
                    line += f", decided beyond {self.margin(over=over):.3f}"
                lines.append(line)
        return "\n".join(lines)


def compare(
    estimator: Any,
    rows: tuple[Any, Any, Any],
    held: tuple[Any, Any, Any],
    seeds: Sequence[int],
    **fit: Any,
) -> Comparison:
    """Fit each way with each seed to rows (X, y, groups); accuracies on `held`, the same of others.

    Args:
        estimator: a `DebiasingVAE` with the settings of the fits.
        fit: arguments of `fit`.
    """
    x, y, groups = rows
    labels = vector(y)
    cells = np.asarray(groups).reshape(len(np.asarray(groups)), -1)
    check_length("groups", len(cells), len(labels))
    if not len(seeds):
        raise InputError("no seeds given; give one or more, such as range(5).")
    named = np.column_stack([labels.astype(str), cells.astype(str)])
    even = balanced(named, len(labels))
    plain: dict[str, Any] = {"resample": False, "class_shares": "data"}

    def each(way: str) -> Iterator[GroupAccuracy]:
        for seed in seeds:
            made = clone(estimator).set_params(random_state=seed)
            if way != "debiasing":
                made.set_params(**plain)
            made.fit(x, y, even if way == "balanced" else None, **fit)._whole()
            yield made.worst_group(*held)

    return Comparison(tuple(seeds), {way: tuple(each(way)) for way in WAYS})
