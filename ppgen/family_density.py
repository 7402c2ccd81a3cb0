"""What a family says of the density of encoded rows, and how such densities are put together.

Of p(x) = sum_k w_k p_k(x), whose parts have errors of the same sign at most (their draws are the
same), the standard error of the logarithm is at most sum_k (w_k p_k / p) s_k, s_k being that of log
p_k.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from .arrays import Floats
from .density import Kind


@dataclass(frozen=True, eq=False)
class Density:
    """Log densities of n encoded rows, with what they claim.

    Attributes:
        values: (n,) log densities, in nats.
        stderr: (n,) their standard errors; None where nothing is drawn.
        diagnostics: name -> (n,) what else is said of each row, such as "khat" and "ess", the
            effective number of draws.
        kind, method: how they relate to the true ones, and how they were computed; None is what the
            family's capabilities say.
        gap: what a bound leaves out, besides what cells do.
        filled: columns whose values the family itself fills with noise.
    """

    values: Floats
    stderr: Floats | None = None
    diagnostics: Mapping[str, Floats] = field(default_factory=dict)
    kind: Kind | None = None
    method: str | None = None
    gap: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()

    def without(self, impossible: NDArray[np.bool_]) -> Self:
        """The same where some rows (n,) have probability 0, which has no error."""
        if not impossible.any():
            return self
        return replace(
            self,
            values=np.where(impossible, -np.inf, self.values),
            stderr=None if self.stderr is None else np.where(impossible, np.nan, self.stderr),
            diagnostics={
                name: np.where(impossible, 0.0 if name == "ess" else np.nan, each)
                for name, each in self.diagnostics.items()
            },
        )


def joined(blocks: Sequence[Density]) -> Density:
    """Densities of blocks of rows, one after the other."""
    first = blocks[0]
    if len(blocks) == 1:
        return first
    errors = [block.stderr for block in blocks if block.stderr is not None]
    return replace(
        first,
        values=np.concatenate([block.values for block in blocks]),
        stderr=np.concatenate(errors) if errors else None,
        diagnostics={
            name: np.concatenate([block.diagnostics[name] for block in blocks])
            for name in first.diagnostics
        },
    )


def mixed(parts: Sequence[Density], log_weights: Floats) -> Density:
    """The density sum_k w_k p_k of the same rows; each row has the diagnostics of its likeliest
    part."""
    if len(parts) == 1:
        return parts[0]
    logs = np.stack([part.values for part in parts]) + log_weights[:, None]
    total = logsumexp(logs, axis=0)
    stderr = None
    if parts[0].stderr is not None:
        share = np.exp(logs - np.where(np.isfinite(total), total, 0.0))
        errors = np.stack([part.stderr for part in parts if part.stderr is not None])
        stderr = np.where(share > 0, share * errors, 0.0).sum(axis=0)
    likeliest = logs.argmax(axis=0), np.arange(logs.shape[1])
    diagnostics = {
        name: np.stack([part.diagnostics[name] for part in parts])[likeliest]
        for name in parts[0].diagnostics
    }
    return replace(parts[0], values=total, stderr=stderr, diagnostics=diagnostics)


def cell_average(parts: Sequence[Density]) -> Density:
    """The average of a density over K places of each row's cell,

        log (1/K) sum_k p(x + u_k),        u_k ~ U[0, 1)^d inside the cell,

    which is in expectation a lower bound on the log of the cell's mean density and tightens with K.
    The error is that of a mean of ratios p_k / mean(p), the delta method for the logarithm.

    Reference: Importance weighted autoencoders (Burda, Grosse, Salakhutdinov, 2016)
    https://arxiv.org/abs/1509.00519
    """
    places = len(parts)
    if places == 1:
        return parts[0]
    mean = mixed(parts, np.full(places, -math.log(places)))
    logs = np.stack([part.values for part in parts])
    ratios = np.exp(logs - np.where(np.isfinite(mean.values), mean.values, 0.0))
    spread = ratios.std(axis=0, ddof=1) / math.sqrt(places)
    return replace(mean, stderr=spread if mean.stderr is None else np.hypot(spread, mean.stderr))
