"""Gibbs sampling among discrete variables: blocks are drawn in turn given all others.

Chains of states move by x_B ~ p(x_B | x_rest, e) for each block B, whose variables are drawn one
after the other. The marginal of a variable is estimated by the mean of what it is drawn from,

    P(x_v = k | e) is about mean_t P(x_v = k | x_rest(t), those of B drawn before it, e),

which has a smaller variance than the share of draws with x_v = k. Standard errors are the larger of
two: from means of batches of draws of all chains, and from the means of the chains; to its square
that of one draw's share is added, since a state that was not drawn is rare, not impossible. What no
chain visits they cannot show; starts drawn at random, one a chain, are the guard against that.

Reference: Geman and Geman, "Stochastic relaxation, Gibbs distributions, and the Bayesian
restoration of images", 1984, https://doi.org/10.1109/TPAMI.1984.4767596; Liu, Wong and Kong,
"Covariance structure of the Gibbs sampler with applications to the comparisons of estimators and
augmentation schemes", 1994, https://doi.org/10.1093/biomet/81.1.27.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Array, Floats, Ints
from ..verdict import Reason
from .diagnostics import MAX_RHAT, split_rhat
from .elimination import Scope
from .evidence import Evidence, enter
from .gibbs_blocks import make_blocks, tied_tables
from .gibbs_chains import Block, Chains, ChainSettings

_LONG = 10  # batches of a chain, of which standard errors are made
_CELLS = 1 << 22  # of the blocks of rows that run together


@dataclass(frozen=True)
class Gibbs:
    """What Gibbs sampling gives: estimates.

    Attributes:
        probs: for each variable its marginal, (k,) or (n, k); NaN where no state of positive
            probability was found.
        stderr: their Monte Carlo standard errors.
        rhat: () or (n,) the worst R-hat of the marginals; 1 where one block has all variables, so
            that draws are independent.
        tied: numbers of the tables with zeros that tie a block to the rest (`gibbs_blocks`).
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
                "chains may not reach every state, which standard errors do not show."
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
        evidence: variable -> hard or virtual evidence, as `Exact` takes it; its rows run side by
            side.
        settings: of the chains.
        seed: the only source of randomness.
        report: called after each sweep with (done, total).

    Raises:
        InputError: if evidence does not fit.
    """
    entered = enter(evidence or {}, sizes, [str(v) for v in range(len(sizes))])
    n = 1 if entered.n is None else entered.n
    model = _Model(sizes, tuple(map(tuple, scopes)), tables, settings or ChainSettings(), seed)
    observed = {v: np.broadcast_to(x, n) for v, x in entered.fixed.items()}
    by_row = entered.by_row(sizes)
    lam = {v: np.broadcast_to(by_row[v], (n, sizes[v])) for v in entered.likelihoods}
    blocks = model.blocks(observed, list(lam))
    sets = [block.variables for block in blocks]
    tied = tied_tables(model.scopes, model.tables, observed, sets)
    whole, rhat = np.full((2, n, sum(sizes)), np.nan), np.full(n, np.nan)
    step = max(1, _CELLS // (model.settings.num_chains * model.settings.block_cells))
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        states, virtual = ({v: x[rows] for v, x in all_.items()} for all_ in (observed, lam))
        whole[:, rows], rhat[rows] = model.run(blocks, rows, states, virtual, report)
    if entered.n is None:
        whole, rhat = whole[:, 0], rhat[0]
    probs, stderr = (np.split(x, np.cumsum(sizes)[:-1], axis=-1) for x in whole)
    return Gibbs(tuple(probs), tuple(stderr), rhat, tuple(tied))


@dataclass(frozen=True)
class _Model:
    sizes: Sequence[int]
    scopes: Sequence[Scope]
    tables: Sequence[Array]
    settings: ChainSettings
    seed: int

    def blocks(self, observed: dict[int, Ints], virtual: Sequence[int]) -> list[Block]:
        """Blocks of the variables that are not observed, of rows with these states."""
        free = [v for v in range(len(self.sizes)) if v not in observed]
        orders = make_blocks(self.sizes, self.scopes, free, self.settings.block_cells)
        same = {v: int(x[0]) for v, x in observed.items() if (x == x[0]).all()}
        scopes = [tuple(v for v in scope if v not in same) for scope in self.scopes]
        tables = [
            np.asarray(table)[tuple(same.get(v, slice(None)) for v in scope)]
            for scope, table in zip(self.scopes, self.tables, strict=True)
        ]
        return [Block(order, self.sizes, scopes, tables, virtual) for order in orders]

    def run(
        self,
        blocks: Sequence[Block],
        rows: Ints,
        observed: dict[int, Ints],
        lam: dict[int, Floats],
        report: Callable[[int, int], object] | None,
    ) -> tuple[Floats, Floats]:
        """Marginals and their standard errors (2, n, K), and the worst R-hat (n,), of rows."""
        first = np.cumsum([0, *self.sizes]).tolist()
        columns = {v: slice(first[v], first[v + 1]) for v in range(len(self.sizes))}
        states = np.full((len(rows), len(self.sizes)), -1)
        for v, state in observed.items():
            states[:, v] = state
        seeds = [(self.seed, row) for row in rows]
        chains = Chains(blocks, (self.scopes, self.tables), states, lam, self.settings, seeds)
        found = chains.start(self.sizes)
        means = chains.run(columns, report)
        out, rhat = np.full((2, len(rows), first[-1]), np.nan), np.full(len(rows), np.nan)
        out[0, found], out[1, found] = means.mean(axis=(1, 2)), _stderr(means, self.settings)
        for v, state in observed.items():
            out[0, found, columns[v]] = np.eye(self.sizes[v])[state[found]]
            out[1, found, columns[v]] = 0.0
        rhat[found] = 1.0 if len(blocks) < 2 else split_rhat(means).max(axis=-1, initial=1.0)
        return out, rhat


def _stderr(means: Floats, settings: ChainSettings) -> Floats:
    """(n, K) standard errors of the mean of means (n, chains, batches, K)."""
    n, chains, batches, k = means.shape
    length = batches // _LONG
    shape = (n, chains * _LONG, length, k)
    long = means[:, :, batches - length * _LONG :].reshape(shape).mean(axis=2)
    of_batches = long.var(axis=1, ddof=1) / (chains * _LONG)
    of_chains = means.mean(axis=2).var(axis=1, ddof=1) / chains
    of_one = 1 / (chains * settings.num_samples) ** 2  # squared, one draw's share
    out: Floats = np.sqrt(np.maximum(of_batches, of_chains) + of_one)
    return out
