"""How many components: information criteria over a growing mixture.

With p free parameters, N the total weight and L the log-likelihood,

    BIC = -2 L + p log N
    ICL = BIC - 2 sum_n v_n sum_k r_nk log r_nk

BIC asks for the density, ICL for clusters that do not overlap. Sizes are compared with L held to at
most L_loo + 3/2 p, L_loo being the log-likelihood of rows left out (`leave_one_out`): of a regular
mixture L - L_loo is about p, and beyond that the likelihood rests on components of few rows.

Each size is tried from fresh seeds and from the size before with a badly fitting component split,
and the one that explains rows left out better is kept; above `_FRESH` components, sizes grow by an
eighth at a time and by splits alone. The search stops after two sizes without gain.

References: Schwarz, "Estimating the dimension of a model", 1978,
https://doi.org/10.1214/aos/1176344136; Biernacki, Celeux and Govaert, "Assessing a mixture model
for clustering with the integrated completed likelihood", 2000, https://doi.org/10.1109/34.865189.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from .initialise import best_start, is_wide
from .leave_one_out import left_out
from .moves import misfit, split, split_and_merge
from .parameters import Mixture
from .search import LONG_ITER, SAMPLE, SHORT_ITER, SHORT_ROWS, Search
from .weighted_rows import WeightedRows

Why = Literal["done", "most", "budget", "interrupted"]

_PATIENCE = 2  # sizes without gain
_SPLITS = 3  # tried for a size
_FRESH = 10  # components up to which fresh seeds are tried
_OPTIMISM = 1.5  # nats of L over L_loo for each parameter


class Criteria(NamedTuple):
    """Scores of one size, in the units of the data; lower is better."""

    n_components: int
    log_likelihood: float
    n_parameters: int
    bic: float
    icl: float

    def at(self, log_likelihood: float) -> Criteria:
        """The same with another log-likelihood."""
        more = 2 * (self.log_likelihood - log_likelihood)
        return self._replace(
            log_likelihood=log_likelihood, bic=self.bic + more, icl=self.icl + more
        )


def criteria(rows: WeightedRows, mixture: Mixture) -> Criteria:
    """BIC and ICL of a mixture on rows."""
    r, log_prob = rows.score(mixture)
    log_likelihood = float(rows.v @ log_prob) + rows.total * rows.constant
    p = mixture.n_parameters()
    entropy = -float(rows.v @ (r * np.log(np.where(r > 0, r, 1.0))).sum(axis=1))
    bic = -2 * log_likelihood + p * float(np.log(max(rows.total, 2.0)))
    return Criteria(mixture.n_components, log_likelihood, p, bic, bic + 2 * entropy)


@dataclass(frozen=True)
class Choice:
    """The mixture of the best size, the scores of all sizes tried, and why the search ended:
    "done", "most" if the largest size allowed was the best, "budget" or "interrupted"."""

    mixture: Mixture
    table: list[Criteria] = field(default_factory=list)
    why: Why = "done"


def choose(
    rows: WeightedRows,
    search: Search,
    rng: np.random.Generator,
    report: Callable[[int, float], None],
) -> Choice:
    """The best size up to `max_components`, or as far as the criterion that `n_components` names
    gains; fitted to at most `SAMPLE` rows."""
    criterion, most = str(search.settings.n_components), search.settings.max_components
    sample = rows.thinned(SAMPLE, rng)
    table: list[Criteria] = []
    held: list[float] = []  # what is compared
    best: Mixture | None = None
    before: Mixture | None = None
    why: Why = "done"
    k, last = 1, len(sample) if most is None else min(most, len(sample))
    while True:
        try:
            out, before = _of_size(k, sample, before, search, rng)
            score = criteria(sample, before)
            table.append(score)
            report(k, -score.log_likelihood / sample.total)
        except KeyboardInterrupt:
            if best is None:
                raise
            why = "interrupted"
            break
        out += _OPTIMISM * score.n_parameters + sample.total * sample.constant
        held.append(getattr(score, criterion) + 2 * max(0.0, score.log_likelihood - out))
        least = int(np.argmin(held))
        if least == len(held) - 1:
            best = before
        if len(held) - 1 - least >= _PATIENCE:
            break
        if search.out_of_time():
            why = "budget"
            break
        following = k + max(1, k // 8) if k >= _FRESH else k + 1
        if following > last or score.n_parameters == 0:
            why = "most" if most is not None and best is before and last < len(sample) else "done"
            break
        k = following
    assert best is not None  # the first size is the best so far when it is tried
    if search.settings.split_merge and best.n_components > 2 and why != "interrupted":
        objective = criteria(sample, best).log_likelihood / sample.total - sample.constant
        best = split_and_merge(sample, best, objective, search, rng)
    return Choice(best, table, why)


def _of_size(
    k: int, rows: WeightedRows, before: Mixture | None, search: Search, rng: np.random.Generator
) -> tuple[float, Mixture]:
    """The best mixture of k components, of those from fresh seeds and from the size `before`, and
    the log-likelihood of rows left out."""
    tried = [] if k > _FRESH else [_fresh(rows, k, search, rng)]
    if before is not None:
        tried.append(search.run(rows, _grown(before, k, rows, search, rng), LONG_ITER).mixture)
    return max(((left_out(rows, each), each) for each in tried), key=lambda pair: pair[0])


def _fresh(rows: WeightedRows, k: int, search: Search, rng: np.random.Generator) -> Mixture:
    """What EM comes to from fresh seeds."""
    start = best_start(rows, k, search, rng)
    return search.run(rows, start, LONG_ITER).mixture if is_wide(rows, search) else start


def _grown(
    mixture: Mixture, k: int, rows: WeightedRows, search: Search, rng: np.random.Generator
) -> Mixture:
    """The mixture with its worst fitting components split, so that there are k."""
    worst = misfit(mixture, rows, rows.joint(mixture).log_prob)
    if k == mixture.n_components + 1:
        short = rows.thinned(SHORT_ROWS, rng)
        tried = [split(mixture, c, short, rng) for c in worst[:_SPLITS]]
        tried = [search.run(short, start, SHORT_ITER).mixture for start in tried]
        return max(tried, key=lambda each: left_out(short, each))
    for c in worst[: k - mixture.n_components]:
        mixture = split(mixture, c, rows, rng)
    return mixture
