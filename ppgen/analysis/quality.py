"""How alike samples and real rows are, each score beside what real rows themselves reach.

Real rows the model did not see are set against generated ones; the control is the same statistic
with rows it was trained on in the place of generated ones. A score means something only against its
control. Of real rows that are one draw (copies, a named group: `Dataset.units`) one is looked at:
trees would know rows by their copies.

    c2st         area under the ROC curve of boosted trees that tell generated from real rows; 0.5:
                 they cannot (see `ppgen.two_sample`).
    c2st_acc     their accuracy.
    precision    share of generated rows within a real row's k-nearest-neighbour ball.
    density      mean number of such balls a generated row lies in, over k.
    coverage     share of real rows whose ball holds a generated row.
    energy       energy distance 2 E|X - Y| - E|X - X'| - E|Y - Y'|, unbiased; 0: the same
                 distribution.
    dependence   mean absolute difference of the pairwise associations: Spearman's rho between
                 ordered columns, Cramer's V between unordered ones, the correlation ratio of ranks
                 between both.
    copies       share of generated rows nearer to a training row than 95 % of unseen real rows are;
                 far above its control: training rows were memorised.

References:
    Revisiting classifier two-sample tests (Lopez-Paz, Oquab, 2017) https://arxiv.org/abs/1610.06545
    Reliable fidelity and diversity metrics for generative models (Naeem, Oh, Uh, Choi, Yoo, 2020)
    https://arxiv.org/abs/2002.09797
    Energy statistics: a class of statistics based on distances (Székely, Rizzo, 2013)
    https://doi.org/10.1016/j.jspi.2013.03.018
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..data import Dataset
from ..energy import energy_distance
from ..errors import InputError
from ..neighbours import Neighbours, copies
from ..plain_json import PlainFields
from ..two_sample import two_sample
from .association import associations
from .features import MAX_TRAIN, Features

MAX_ROWS = 2000


@dataclass(frozen=True)
class Score(PlainFields):
    """A score, its value for real rows, and which way is better ("control": the nearer to it)."""

    value: float
    control: float
    better: Literal["low", "high", "control"]


def sample_quality(
    train: Dataset,
    held_out: Dataset,
    generated: Dataset,
    *,
    seed: int = 0,
    max_rows: int = MAX_ROWS,
) -> dict[str, Score]:
    """Score generated rows against held-out real ones, each score with its real-against-real
    control.

    Args:
        train: rows the model was fitted to; they give the controls and the check for copies.
        held_out: real rows it never saw.
        generated: its samples, with the columns of `train`.
        seed: of subsampling, cross-validation folds and trees.
        max_rows: rows of each kind looked at, so that the cost is bounded.

    Raises:
        InputError: if there are fewer than 10 draws of a kind.
    """
    rng = np.random.default_rng([seed, 0x5A])
    unseen, trained = (_draws(d, rng) for d in (held_out, train))
    n = min(len(trained), len(unseen), len(generated), max_rows)
    if n < 10:
        raise InputError(
            f"{n} rows can be compared; sample scores need at least 10 draws of training, held-out "
            "and generated rows each. Give more rows."
        )
    features = Features.fit(train)
    real, fake, seen = (d.thinned(n, rng) for d in (unseen, generated, trained))
    tables = [features.table(d) for d in (real, fake, seen)]
    spaces = [features.space(d) for d in (real, fake, seen)]
    levels = [not f.is_number for f in features.columns]
    apart, control = (two_sample(tables[0], t, seed, levels=levels, most=n) for t in tables[1:])
    scores = {
        "c2st": Score(apart.auc, control.auc, "low"),
        "c2st_acc": Score(apart.accuracy, control.accuracy, "low"),
    }
    neighbours = Neighbours(spaces[0])
    near, usual = (neighbours.of(other) for other in spaces[1:])
    scores["precision"] = Score(near.precision, usual.precision, "high")
    scores["density"] = Score(near.density, usual.density, "control")
    scores["coverage"] = Score(near.coverage, usual.coverage, "high")
    energies = [energy_distance(spaces[0], other) for other in spaces[1:]]
    scores["energy"] = Score(energies[0], energies[1], "low")
    if len(features.columns) > 1:
        kinds = [f.is_ordered for f in features.columns]
        between = [associations(t, kinds, seed) for t in tables]
        known = ~np.isnan(between).any(axis=0)
        if known.any():
            errors = [float(np.abs(b - between[0])[known].mean()) for b in between[1:]]
            scores["dependence"] = Score(errors[0], errors[1], "low")
    pool = features.space(train.thinned(MAX_TRAIN, rng))
    scores["copies"] = Score(*copies(pool, spaces[1], spaces[0]), "control")
    return scores


def _draws(data: Dataset, rng: np.random.Generator) -> Dataset:
    """One row of each unit, chosen at random."""
    units = data.units
    if len(np.unique(units)) == len(data):
        return data
    order = rng.permutation(len(data))
    return data.take(np.sort(order[np.unique(units[order], return_index=True)[1]]))
