"""Gibbs sampling among discrete variables: blocks are drawn in turn given all others.

Chains of states move by x_B ~ p(x_B | x_rest, e) for each block B. The marginal of a variable in B
is estimated by the mean of its conditional,

    P(x_v = k | e) is about mean_t P(x_v = k | x_rest(t), e),

which has a smaller variance than the share of draws with x_v = k. Standard errors are the larger of
two: from means of batches of draws of all chains, and from the means of the chains. What no chain
visits they cannot show; starts drawn at random, one a chain, are the guard against that.

Reference: Geman and Geman, "Stochastic relaxation, Gibbs distributions, and the Bayesian
restoration of images", 1984, https://doi.org/10.1109/TPAMI.1984.4767596; Liu, Wong and Kong,
"Covariance structure of the Gibbs sampler with applications to the comparisons of estimators and
augmentation schemes", 1994, https://doi.org/10.1093/biomet/81.1.27.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Array, Floats, Ints, Mask
from ..verdict import Reason
from .diagnostics import MAX_RHAT, split_rhat
from .gibbs_blocks import make_blocks
from .gibbs_chains import Chains, ChainSettings, Conditional
from .likelihoods import Evidence, likelihoods, split

_LONG = 10  # batches of a chain, of which standard errors are made
_NUMBERS = 1 << 24  # of means of batches and of conditionals that rows run together hold


@dataclass(frozen=True)
class Gibbs:
    """What Gibbs sampling gives: estimates.

    Attributes:
        probs: for each variable its marginal, (k,) or (n, k); NaN where no state of positive
            probability was found.
        stderr: their Monte Carlo standard errors.
        rhat: () or (n,) the worst R-hat of the marginals.
        tied: numbers of the tables with zeros that tie two blocks in some row.
    """

    probs: tuple[Floats, ...]
    stderr: tuple[Floats, ...]
    rhat: Floats
    tied: tuple[int, ...]

    def reasons(self) -> list[Reason]:
        """That the answers are estimates, and whether the chains can be trusted."""
        reasons = [Reason("ok", "Gibbs sampling: answers are estimates with standard errors.")]
        lost = np.isnan(self.probs[0]).any(axis=-1)
        if lost.any():
            what = f"no state of positive probability was found for {int(lost.sum())} rows."
            reasons.append(Reason("warn", what, "The evidence may be impossible."))
        if self.tied:
            what = (
                f"{len(self.tied)} tables with zeros tie variables that are not drawn together: "
                "chains may not reach every state, and standard errors do not show it."
            )
            reasons.append(Reason("warn", what, "Use exact inference or cutset conditioning."))
        if (self.rhat > MAX_RHAT).any():
            what = f"chains disagree: the worst R-hat is {np.nanmax(self.rhat):.3f}."
            reasons.append(Reason("warn", what, "Raise num_warmup and num_samples."))
        return reasons


def gibbs(
    sizes: Sequence[int],
    scopes: Sequence[Sequence[int]],
    tables: Sequence[Array],
    evidence: Evidence | None = None,
    settings: ChainSettings | None = None,
    *,
    seed: int,
    report: Callable[[int, int], object] | None = None,
) -> Gibbs:
    """Estimate the marginals of all variables.

    Args:
        sizes: how many states each variable has.
        scopes: the variables of each table, in the order of its axes.
        tables: of entries at least 0.
        evidence: variable -> hard or virtual evidence, as `likelihoods` takes it. Rows that observe
            the same variables run side by side.
        settings: of the chains.
        seed: the only source of randomness; each row has numbers of its own.
        report: called after each sweep with (done, total).

    Raises:
        InputError: if evidence does not fit.
    """
    n, lam = likelihoods(sizes, evidence or {})
    hard, virtual = split(evidence or {})
    states = np.full((n or 1, len(sizes)), -1)
    for v, value in hard.items():
        states[:, v] = value
    log_lam = {v: np.broadcast_to(_log(lam[v]), (len(states), sizes[v])) for v in virtual}
    model = _Model(sizes, scopes, tables, settings or ChainSettings(), seed)
    whole = np.full((2, len(states), sum(sizes)), np.nan)
    rhat, tied = np.full(len(states), np.nan), set[int]()
    patterns, pattern_of = np.unique(states >= 0, axis=0, return_inverse=True)
    for number, seen in enumerate(patterns):
        rows = np.flatnonzero(pattern_of == number)
        blocks, ties = model.blocks({int(v): states[rows, v] for v in np.flatnonzero(seen)})
        tied.update(ties)
        for some in model.chunks(rows[model.possible(states[rows])], blocks):
            chosen = {v: x[some] for v, x in log_lam.items()}
            whole[:, some], rhat[some] = model.run(blocks, some, states[some], chosen, report)
    if n is None:
        whole, rhat = whole[:, 0], rhat[0]
    probs, stderr = (np.split(x, np.cumsum(sizes)[:-1], axis=-1) for x in whole)
    return Gibbs(tuple(probs), tuple(stderr), rhat, tuple(sorted(tied)))


@dataclass(frozen=True)
class _Model:
    sizes: Sequence[int]
    scopes: Sequence[Sequence[int]]
    tables: Sequence[Array]
    settings: ChainSettings
    seed: int

    def blocks(self, hard: dict[int, Ints]) -> tuple[list[Conditional], list[int]]:
        """Conditionals of the blocks where these are observed, and tables that tie two blocks."""
        blocks, tied = make_blocks(
            self.sizes, self.scopes, self.tables, hard, self.settings.block_states
        )
        logs = [_log(np.asarray(table, float)) for table in self.tables]
        return [Conditional(b, self.sizes, self.scopes, logs) for b in blocks], tied

    def possible(self, states: Ints) -> Mask:
        """(n,) whether the tables of which all is observed (no state is -1) are above zero."""
        out = np.ones(len(states), bool)
        for scope, table in zip(self.scopes, self.tables, strict=True):
            at = states[:, list(scope)]
            out &= (at < 0).any(axis=1) | (np.asarray(table)[tuple(at.T)] > 0)
        return out

    def chunks(self, rows: Ints, blocks: Sequence[Conditional]) -> Iterator[Ints]:
        """Rows that are run side by side."""
        widest = max((len(block.states) for block in blocks), default=1)
        numbers = self.settings.num_batches * sum(self.sizes) + widest
        step = max(1, _NUMBERS // (numbers * self.settings.num_chains))
        for start in range(0, len(rows), step):
            yield rows[start : start + step]

    def columns(self, variables: Sequence[int]) -> Ints:
        """Where the states of these variables stand among those of all."""
        first = np.cumsum([0, *self.sizes])
        parts = [np.arange(first[v], first[v + 1]) for v in variables]
        return np.concatenate(parts) if parts else np.empty(0, np.intp)

    def run(
        self,
        blocks: Sequence[Conditional],
        rows: Ints,
        states: Ints,
        log_lam: dict[int, Floats],
        report: Callable[[int, int], object] | None,
    ) -> tuple[Floats, Floats]:
        """Marginals and their standard errors (2, n, K), and the worst R-hat (n,), of rows."""
        chains = Chains(blocks, states, log_lam, self.settings, [(self.seed, row) for row in rows])
        found = chains.start()
        out, rhat = np.full((2, len(rows), sum(self.sizes)), np.nan), np.full(len(rows), np.nan)
        means = chains.run(report)
        for v in np.flatnonzero((states >= 0).all(axis=0)).tolist():
            out[0][np.ix_(found, self.columns([v]))] = np.eye(self.sizes[v])[states[found, v]]
            out[1][np.ix_(found, self.columns([v]))] = 0.0
        free = np.ix_(found, self.columns([v for block in blocks for v in block.variables]))
        out[0][free], out[1][free] = means.mean(axis=(1, 2)), _stderr(means)
        rhat[found] = split_rhat(means).max(axis=-1, initial=1.0)
        return out, rhat


def _stderr(means: Floats) -> Floats:
    """(n, K) standard errors of the mean of means (n, chains, batches, K)."""
    n, chains, batches, k = means.shape
    length = batches // _LONG
    shape = (n, chains * _LONG, length, k)
    long = means[:, :, batches - length * _LONG :].reshape(shape).mean(axis=2)
    of_batches = long.var(axis=1, ddof=1) / (chains * _LONG)
    of_chains = means.mean(axis=2).var(axis=1, ddof=1) / chains
    out: Floats = np.sqrt(np.maximum(of_batches, of_chains))
    return out


def _log(x: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        out: Floats = np.log(x)
    return out
