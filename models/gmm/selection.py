"""How many components: information criteria over a growing mixture.

With p free parameters, N the total weight and L the log-likelihood,

    BIC = -2 L + p log N                             (Schwarz, "Estimating the dimension of a
    model", 1978,
                                                      https://doi.org/10.1214/aos/1176344136)
    ICL = BIC - 2 sum_n v_n sum_k r_nk log r_nk      (Biernacki, Celeux and Govaert, "Assessing a
    mixture model for clustering with the
                                                      integrated completed likelihood", 2000,
                                                      https://doi.org/10.1109/34.865189)

BIC asks for the density, ICL for clusters that do not overlap. From one component on, each size
starts from fresh seeds and from the size before with its worst component split, whichever ends
higher; the search stops after two sizes without gain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .em import Rows
from .initialise import SAMPLE, Search, best_start
from .moves import misfit, split, split_and_merge
from .parameters import Mixture

_PATIENCE = 2


class Criteria(NamedTuple):
    """Scores of one size, lower is better."""

    n_components: int
    log_likelihood: float
    n_parameters: int
    bic: float
    icl: float


def criteria(rows: Rows, mixture: Mixture) -> Criteria:
    """BIC and ICL of a mixture on rows."""
    r, log_prob = rows.score(mixture)
    log_likelihood = float(rows.v @ log_prob)
    p = mixture.n_parameters()
    entropy = -float(rows.v @ (r * np.log(np.where(r > 0, r, 1.0))).sum(axis=1))
    bic = -2 * log_likelihood + p * float(np.log(max(rows.total, 2.0)))
    return Criteria(mixture.n_components, log_likelihood, p, bic, bic + 2 * entropy)


def choose(
    rows: Rows,
    criterion: str,
    most: int,
    search: Search,
    rng: np.random.Generator,
    report: Callable[[int, float], None],
) -> tuple[Mixture, list[Criteria]]:
    """The mixture of the best size up to `most`, fitted to at most `SAMPLE` rows, and the scores of
    all sizes tried."""
    sample = rows.thinned(SAMPLE, rng)
    table: list[Criteria] = []
    plain = replace(search, split_merge=False)
    best: Mixture | None = None
    before: Mixture | None = None
    for k in range(1, min(most, len(sample)) + 1):
        tried = [best_start(sample, k, plain, rng)]
        if before is not None:
            worst = misfit(before, sample, sample.score(before)[0])[0]
            tried.append(search.run(sample, split(before, worst, sample.spread, rng), 200)[0])
        scored = [(criteria(sample, mixture), mixture) for mixture in tried]
        score, before = max(scored, key=lambda pair: pair[0].log_likelihood)
        table.append(score)
        report(k, -score.log_likelihood / sample.total)
        values = [getattr(row, criterion) for row in table]
        if int(np.argmin(values)) == len(values) - 1:
            best = before
        if len(values) - 1 - int(np.argmin(values)) >= _PATIENCE or search.out_of_time():
            break
    assert best is not None  # the first size is the best so far when it is tried
    if search.split_merge and best.n_components > 2:
        objective = criteria(sample, best).log_likelihood / sample.total
        best = split_and_merge(sample, best, objective, search, rng)
    return best, table
