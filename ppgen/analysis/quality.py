"""How alike samples and real rows are, each score beside what real rows themselves reach.

Real rows the model did not see are set against generated ones; the control, the floor, is the same
statistic with rows it was trained on in the place of generated ones. A score means something only
against its control. Of real rows that are one draw (copies, a named group: `Dataset.units`) one is
looked at: trees would know rows by their copies.

    c2st_score   2 (1 - AUC) of boosted trees that tell generated from real rows: 1 they cannot, 0
                 they always can (see `ppgen.two_sample`). By chance it lies above 1, too: it is not
                 cut there, so that differences of two scores are those of what is shown.
    c2st         their AUC, the area under the ROC curve: 0.5 they cannot, 1 they always can.
    c2st_acc     their accuracy.
    precision    share of generated rows within a real row's k-nearest-neighbour ball.
    recall       share of real rows within a generated row's ball.
    density      mean number of real balls a generated row lies in, over k.
    coverage     share of real rows whose ball holds a generated row.
    energy       energy distance 2 E|X - Y| - E|X - X'| - E|Y - Y'|, unbiased; 0: the same
                 distribution.
    frechet      Fréchet distance of the Gaussians with the two means and covariances, corrected for
                 bias; in the 64 leading principal components of real rows where there are more.
    kernel       kernel distance (KID): squared, of the first three moments, unbiased.
    dependence   mean absolute difference of the pairwise associations: Spearman's rho between
                 ordered columns, Cramer's V between unordered ones, the correlation ratio of ranks
                 between both.
    copies       share of generated rows nearer to a training row than 95 % of unseen real rows are;
                 far above its control: training rows were memorised.
    duplicates   share of generated rows nearer to another than 95 % of real rows are to theirs; far
                 above its control: few different rows come again and again.

Distances are Euclidean in `Features.space`: columns that count alike, or of images what a small
convolutional net makes of them (`ppgen.models.image_features`). Intervals hold the score of other
real and generated rows like these with 95 %, given trees and net.

Models are ranked by the score that leads (`LEADS`): `c2st_score` of tables, as a distance that sums
over columns hardly sees what hangs together, and columns made independent would win; `kernel` of
images. Either is a mean over held-out rows, `Judged.values`, so that models are compared in pairs.

References:
    Revisiting classifier two-sample tests (Lopez-Paz, Oquab, 2017) https://arxiv.org/abs/1610.06545
    and those of `ppgen.neighbours`, `ppgen.energy` and `ppgen.frechet`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Array, Floats, Ints
from ..data import Dataset, as_dataset
from ..energy import SquaredDistance
from ..errors import InputError
from ..frechet import polynomial_kernel
from ..thinning import thinned
from ..two_sample import TwoSample, two_sample
from .association import associations
from .features import MAX_TRAIN, Features
from .quality_scores import (
    classifier_scores,
    distance_scores,
    memory_scores,
    neighbour_scores,
)
from .score import Score

if TYPE_CHECKING:
    from ..models.image_features import ImageFeatures

MAX_ROWS = 2000


@dataclass(frozen=True)
class Judged:
    """Samples of one model, judged.

    Attributes:
        scores: by name.
        lead: the score that models are ranked by.
        rows: (n,) numbers of the held-out rows looked at.
        values: (n,) what each of them gives to that score, higher is better: 2 (1 - its share of
            the AUC), or minus its part of the kernel distance.
        noise: standard error of their mean by the samples alone.
        control: their mean with other real rows in the place of the samples.
    """

    scores: Mapping[str, Score]
    lead: str
    rows: Ints
    values: Floats
    noise: float
    control: float


def sample_quality(
    train: Any,
    held_out: Any,
    generated: Any,
    *,
    seed: int = 0,
    max_rows: int = MAX_ROWS,
    features: ImageFeatures | None = None,
) -> dict[str, Score]:
    """Score generated rows against held-out real ones, each score with its real-against-real
    control.

    Args:
        train: rows the model was fitted to, in any container; they give the controls and the check
            for copies.
        held_out: real rows it never saw.
        generated: its samples, with the columns of `train`.
        seed: of subsampling, cross-validation folds, trees, intervals and the net of images.
        max_rows: rows of each kind looked at, so that the cost is bounded.
        features: of images, trained before; by default trained here on `train`, in seconds.

    Raises:
        InputError: if there are fewer than 10 draws of a kind, or rows have other columns than
            those of `train`.
    """
    real = as_dataset(train)
    others = (as_dataset(rows, real.schema, estimator="train") for rows in (held_out, generated))
    found = judge(real, *others, seed=seed, max_rows=max_rows, features=features)
    return dict(found.scores)


def judge(
    train: Dataset,
    held_out: Dataset,
    generated: Dataset,
    *,
    seed: int = 0,
    max_rows: int = MAX_ROWS,
    features: ImageFeatures | None = None,
) -> Judged:
    """As `sample_quality`, with what the held-out rows give to the score that leads."""
    if train.schema.sequence:
        raise InputError(
            "sequences were given; samples are scored as tables or images. Give sequences of one "
            "length as a table, X.reshape(len(X), -1), or their spectrograms as images."
        )
    rng = np.random.default_rng([seed, 0x5A])
    unseen, trained = (_draws(d, rng) for d in (held_out, train))
    n = min(len(trained), len(unseen), len(generated), max_rows)
    if n < 10:
        raise InputError(
            f"{n} rows can be compared; sample scores need at least 10 draws of training, held-out "
            "and generated rows each. Give more rows."
        )
    known = Features.fit(train)
    space = known.space if train.images is None else _space(train.images, features, seed)
    looked = unseen[thinned(len(unseen), n, rng)]
    parts = (
        held_out.take(looked),
        generated.thinned(n, rng),
        train.take(trained[thinned(len(trained), n, rng)]),
    )
    tables = [known.table(d) for d in parts]
    real, fake, seen = (space(d) for d in parts)
    levels = [not f.is_number for f in known.columns]
    apart, control = (two_sample(tables[0], t, seed, levels=levels, most=n) for t in tables[1:])
    pool = space(train.thinned(MAX_TRAIN, rng))
    scores = {
        **classifier_scores(apart, control),
        **neighbour_scores(real, fake, seen),
        **distance_scores(real, fake, seen, seed),
        **_dependence(known, tables, seed),
        **memory_scores(real, fake, seen, pool),
    }
    if train.images is None:
        floor = 2 * (1 - control.auc)
        return Judged(scores, "c2st_score", looked, *_of_trees(apart), floor)
    distance = SquaredDistance.of(real, fake, polynomial_kernel)
    floor = -scores["kernel"].control
    return Judged(scores, "kernel", looked, -distance.parts, distance.noise, floor)


def _space(images: Array, net: ImageFeatures | None, seed: int) -> Callable[[Dataset], Floats]:
    """What a net makes of images, trained on these unless it is given."""
    if net is None:
        from ..models.image_features import ImageFeatures

        net = ImageFeatures.train(images, seed=seed)
    return partial(_through, net)


def _through(net: ImageFeatures, data: Dataset) -> Floats:
    assert data.images is not None
    return net.features(data.images)


def _of_trees(apart: TwoSample) -> tuple[Floats, float]:
    """What each real row, in its order, gives to 2 (1 - AUC), and the noise of the drawn ones."""
    values = np.empty(len(apart.rows))
    values[apart.rows] = 2 * (1 - apart.places)
    return values, 2 * apart.noise


def _dependence(features: Features, tables: list[Floats], seed: int) -> dict[str, Score]:
    if len(features.columns) < 2:
        return {}
    kinds = [f.is_ordered for f in features.columns]
    between = [associations(t, kinds, seed) for t in tables]
    known = ~np.isnan(between).any(axis=0)
    if not known.any():
        return {}
    errors = [float(np.abs(b - between[0])[known].mean()) for b in between[1:]]
    return {"dependence": Score(errors[0], errors[1], "low")}


def _draws(data: Dataset, rng: np.random.Generator) -> Ints:
    """Numbers of one row of each unit, chosen at random, ascending."""
    units = data.units
    if len(np.unique(units)) == len(data):
        return np.arange(len(data))
    order = rng.permutation(len(data))
    return np.sort(order[np.unique(units[order], return_index=True)[1]])
