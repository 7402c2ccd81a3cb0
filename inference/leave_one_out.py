"""Leave-one-out predictive densities of a posterior, without refitting.

A fit whose rows i have weights w_i has the posterior prior(theta) prod_j p(x_j | theta)^w_j.
Without row i it is that times the ratio r = p(x_i | theta)^-w_i, so that over S draws theta_s

    elpd_i = log sum_s r_is p(x_i | theta_s) / sum_s r_is,    elpd = sum_i w_i elpd_i.

The row is left out wholly, whatever its weight, and elpd_i is the log density of one such row.
Where the draws are from an approximation q, r is that times p(theta, data) / q(theta). The largest
ratios of a row are smoothed by a generalised Pareto distribution (PSIS), whose shape k-hat tells
whether they can be trusted. The standard error is that over rows as a sample of the population:
sqrt(n / (n - 1) sum_i w_i^2 (elpd_i - mean)^2), the mean being the weighted one.

References:
    Practical Bayesian model evaluation using leave-one-out cross-validation and WAIC (Vehtari,
    Gelman, Gabry, 2017) https://arxiv.org/abs/1507.04544
    Pareto smoothed importance sampling (Vehtari, Simpson, Gelman, Yao, Gabry, 2024)
    https://arxiv.org/abs/1507.02646
    Bayesian leave-one-out cross-validation for large data (Magnusson, Andersen, Jonasson, Vehtari,
    2019) https://arxiv.org/abs/1904.10679
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ..arrays import Array, Floats
from ..density import LogDensity
from .importance import good_khat


@dataclass(frozen=True)
class LeaveOneOut:
    """Leave-one-out log densities.

    Attributes:
        density: (n,) of each row under the posterior without it, in nats and in the units of the
            data; `diagnostics` has "khat" (n,) and "good_khat". `ppgen.compare` takes it.
        weights: (n,) of the rows in the fit.
        elpd: sum of the rows' values times their weights, in nats.
        stderr: of `elpd`, over rows as a sample of the population.
        p_loo: how much the log densities lose by leaving rows out, in nats: the effective number of
            parameters.
        draws: of the posterior.
    """

    density: LogDensity
    weights: Floats
    elpd: float
    stderr: float
    p_loo: float
    draws: int

    @property
    def khat(self) -> Floats:
        """(n,) Pareto k-hat of each row's ratios."""
        return np.asarray(self.density.diagnostics["khat"], dtype=np.float64)

    @property
    def bad(self) -> NDArray[np.intp]:
        """Numbers of the rows whose value cannot be trusted; refit without them."""
        return np.flatnonzero(~(self.khat <= self.density.diagnostics["good_khat"]))

    def to_arviz(self) -> Any:
        """As ArviZ has it (`arviz_stats.ELPDData`), for its plots; of rows of weight 1."""
        from arviz_stats.utils import ELPDData
        from xarray import DataArray

        good = float(self.density.diagnostics["good_khat"])
        return ELPDData(
            kind="loo",
            elpd=self.elpd,
            se=self.stderr,
            p=self.p_loo,
            n_samples=self.draws,
            n_data_points=len(self.density),
            scale="log",
            warning=bool(len(self.bad)),
            good_k=good,
            elpd_i=DataArray(self.density.values, dims="observation"),
            pareto_k=DataArray(self.khat, dims="observation"),
        )

    def __str__(self) -> str:
        return (
            f"elpd {self.elpd:.2f} ± {self.stderr:.2f} nats over {len(self.density)} rows of "
            f"weight {self.weights.sum():g}; p_loo {self.p_loo:.2f}; {len(self.bad)} rows of k-hat "
            f"above {self.density.diagnostics['good_khat']:.2f}"
        )


def summed_up(
    values: Floats,
    khat: Floats,
    whole: Floats,
    weights: Floats,
    draws: int,
    about: str = "",
    **measure: Any,
) -> LeaveOneOut:
    """What leaving out each of n rows says in all.

    Args:
        values, khat: of `psis_loo`.
        whole: (n,) log densities under the posterior of all rows.
        weights: (n,) of the rows in the fit.
        draws: of the posterior.
        about: what the values are besides.
        measure: what the densities are with respect to, as `LogDensity` has it.
    """
    n, mean = len(values), float(weights @ values / weights.sum())
    spread = float(np.sum(np.square(weights * (values - mean))))
    density = LogDensity(
        values,
        "estimate",
        f"PSIS-LOO over {draws} posterior draws{about}",
        diagnostics={"khat": khat, "good_khat": good_khat(draws)},
        **measure,
    )
    stderr = math.sqrt(n / (n - 1) * spread) if n > 1 else math.nan
    p_loo = float(weights @ (whole - values))
    return LeaveOneOut(density, weights, float(weights @ values), stderr, p_loo, draws)


def relative_efficiency(draws: Mapping[str, Array]) -> float:
    """Effective draws over draws (chain, draw, ...), the mean over all elements of all sites; 1 of
    a single chain, as ArviZ has it."""
    from arviz_stats import base

    stats: Any = base.array_stats  # type: ignore[attr-defined]
    chains, n = next(iter(draws.values())).shape[:2]
    if chains == 1:
        return 1.0
    each = [
        np.ravel(stats.ess(a.reshape(chains, n, -1), method="mean", chain_axis=0, draw_axis=1))
        for a in draws.values()
    ]
    return float(np.concatenate(each).mean() / (chains * n))


def psis_loo(
    log_p: Floats,
    weights: Floats,
    log_ratio: Floats | None = None,
    r_eff: float = 1.0,
) -> tuple[Floats, Floats]:
    """Leave-one-out log densities and k-hat, (n,) each.

    Args:
        log_p: (S, n) log densities of n rows under S draws.
        weights: (n,) of the rows in the posterior.
        log_ratio: (S,) log p(theta, data) / q(theta), of draws from an approximation q.
        r_eff: effective draws over draws, which settles how many ratios are smoothed.
    """
    from arviz_stats import base

    array_stats: Any = base.array_stats  # type: ignore[attr-defined]
    left_out = np.where(weights > 0, weights * np.where(weights > 0, log_p, 0.0), 0.0)
    if log_ratio is not None:
        left_out = left_out - (log_ratio - log_ratio.max())[:, None]
    draws = len(left_out)
    tail = max(1, int(min(0.2 * draws, 3 * math.sqrt(draws / r_eff))))
    least = np.sort(left_out, axis=0)[:tail]
    has_tail = np.isfinite(left_out).all(axis=0) & (least[-1] > least[0])  # else there is no tail
    log_r, khat = -left_out, np.full(left_out.shape[1], -np.inf)
    if has_tail.any():
        # ArviZ takes the logs of what is left out and gives normalised log ratios.
        smoothed, khat[has_tail] = array_stats.psislw(left_out[:, has_tail].T, r_eff, axis=-1)
        log_r[:, has_tail] = smoothed.T
    values = logsumexp(log_r + log_p, axis=0) - logsumexp(log_r, axis=0)
    return np.asarray(values), khat
