"""Simulation-based calibration: whether an engine draws from the posterior, over the whole prior.

    theta* ~ p(theta),   y ~ p(y | theta*),   theta_1, ..., theta_L ~ p(theta | y):

for any test quantity f(theta, y), the rank of f(theta*, y) among f(theta_l, y), ties broken at
random, is uniform on 0, ..., L where the draws are independent and of the exact posterior. It is
not where the engine is biased, too sure or too unsure, or where model and simulator differ. Ranks
of the parameters alone are uniform for an engine that returns the prior too; those of the log
likelihood and of the log joint are not.

Around data at hand, theta* is drawn from their posterior, and the engine fits the data together
with data simulated from theta*: the same holds where it matters.

The ranks of each quantity are tested by `rank_uniformity`; Holm's method keeps the chance of any
false alarm at the level.

References: Talts, Betancourt, Simpson, Vehtari and Gelman, "Validating Bayesian inference
algorithms with simulation-based calibration", 2018, https://arxiv.org/abs/1804.06788; Modrák, Moon,
Kim, Bürkner, Huurre, Faltejsková, Gelman and Vehtari, "Simulation-based calibration checking for
Bayesian computation: the choice of test quantities shapes sensitivity", 2023,
https://arxiv.org/abs/2211.02383; Säilynoja, Schmitt, Bürkner and Vehtari, "Posterior SBC:
simulation-based calibration checking conditional on data", 2025, https://arxiv.org/abs/2502.03279.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Array, Floats
from ..significance import LEVEL, holm
from ..verdict import Reason, Verdict
from .rank_uniformity import detectable, uniform_p_value

if TYPE_CHECKING:
    from xarray import DataTree

MAX_AUTOCORRELATION = 0.1  # of draws that count as independent
_NAMED = 5  # quantities that a reason names


@dataclass(frozen=True)
class Calibration:
    """What simulation-based calibration found.

    Attributes:
        ranks: test quantity -> (n,) rank of its true value among the draws, 0, ..., num_draws; the
            elements of a site are quantities of their own.
        num_draws: L.
        wanted: replications asked for; n may be less, see `why` and `lost`.
        lost: replications some of whose draws were not numbers; their ranks are left out.
        autocorrelation: the mean over replications of that between draws that follow each other, of
            the quantity where it is largest.
        diverging: share of draws that diverged.
        why: "done"; "budget" or "interrupted" where that ended the replications.
        level: chance of any false alarm, over all quantities together.
        seconds: it took.
    """

    ranks: dict[str, Array]
    num_draws: int
    wanted: int
    lost: int = 0
    autocorrelation: float = 0.0
    diverging: float = 0.0
    why: Literal["done", "budget", "interrupted"] = "done"
    level: float = LEVEL
    seconds: float = math.nan

    @property
    def replications(self) -> int:
        """n, those that were ranked."""
        return len(next(iter(self.ranks.values())))

    @cached_property
    def p_values(self) -> dict[str, float]:
        """Of each quantity's ranks being uniform, on their own."""
        return {name: uniform_p_value(r, self.num_draws) for name, r in self.ranks.items()}

    @cached_property
    def adjusted(self) -> dict[str, float]:
        """The same by Holm's method: those at most a level are rejected at it together."""
        return dict(zip(self.p_values, map(float, holm([*self.p_values.values()])), strict=True))

    @property
    def rejected(self) -> list[str]:
        """The quantities whose ranks are not uniform, the clearest first."""
        found = [name for name, p in self.adjusted.items() if p <= self.level]
        return sorted(found, key=lambda name: self.p_values[name])

    @cached_property
    def detectable(self) -> tuple[float, float]:
        """What would have been found in one quantity with 80% power: the least bias, in posterior
        standard deviations, and the largest ratio below 1 of standard deviations; infinite and 0
        where so few replications find nothing."""
        return detectable(self.replications, self.num_draws, self.level / len(self.ranks))

    @cached_property
    def verdict_(self) -> Verdict:
        """Failed where ranks are not uniform; what else there is to say, and what to do."""
        return Verdict(tuple(self._reasons()))

    def _reasons(self) -> list[Reason]:
        found: list[Reason] = []
        if not self.replications:
            what = f"none of {self.wanted} replications gave draws that are numbers."
            return [Reason("failed", what, "Look at one fit to data simulated from the prior.")]
        if names := self.rejected:
            each = [f"{name} ({reading(self.ranks[name], self.num_draws)})" for name in names]
            more = f" and {len(each) - _NAMED} more" if len(each) > _NAMED else ""
            what = (
                f"{self.replications} replications: the ranks of {', '.join(each[:_NAMED])}{more} "
                f"are not uniform (level {self.level:g}, over {len(self.ranks)} quantities)."
            )
            advice = (
                "The engine does not draw from this model's posterior, or data are simulated "
                "from another model: take a more exact method or longer chains; where it stays, "
                "compare the model with its simulator line by line."
            )
            found.append(Reason("failed", what, advice))
        else:
            found.append(Reason("ok", self._seen()))
        if self.lost:
            what = f"{self.lost} of {self.replications + self.lost} replications gave draws "
            advice = "Look at the priors: data simulated from them may be out of all bounds."
            found.append(Reason("warn", what + "that are no numbers, and are left out.", advice))
        if self.autocorrelation > MAX_AUTOCORRELATION:
            what = (
                f"draws that follow each other are correlated ({self.autocorrelation:.2f}), which "
                "alone can make ranks too extreme."
            )
            found.append(Reason("warn", what, "Raise thin, or num_warmup."))
        if self.diverging > 0.01:
            what = f"{self.diverging:.1%} of draws diverged."
            found.append(Reason("warn", what, "Raise target_accept, or write the model anew."))
        if self.why != "done":
            ended = "the budget ended" if self.why == "budget" else "an interrupt ended"
            what = f"{ended} the replications after {self.replications} of {self.wanted}."
            found.append(Reason("warn", what, "Give more time for a finer test."))
        return found

    def _seen(self) -> str:
        bias, ratio = self.detectable
        less = f", or standard deviations {1 - ratio:.0%} too small" if ratio > 0 else ""
        able = (
            f"a bias of {bias:.2g} posterior standard deviations{less} in one would be found with "
            "80% power"
            if bias < math.inf
            else "too few to find a bias"
        )
        return (
            f"{self.replications} replications: the ranks of {len(self.ranks)} quantities are "
            f"uniform at level {self.level:g} together; {able}."
        )

    def to_datatree(self) -> DataTree:
        """For `arviz_plots.plot_ecdf_pit`: a group `prior_sbc` with each quantity's ranks as
        numbers in (0, 1), uniform within the cell of a rank; (chain, draw) is (1, n)."""
        from arviz_base import dict_to_dataset
        from xarray import DataTree

        rng = np.random.default_rng(0x5BC)
        u = {
            name: ((ranks + rng.random(len(ranks))) / (self.num_draws + 1))[None]
            for name, ranks in self.ranks.items()
        }
        return DataTree.from_dict({"prior_sbc": dict_to_dataset(u, sample_dims=["chain", "draw"])})

    def __repr__(self) -> str:
        said = self.verdict_.reasons[0].what if self.verdict_.ok else self.verdict_
        return f"Calibration({said})"


def ranks_among(truth: ArrayLike, draws: ArrayLike, rng: np.random.Generator) -> Array:
    """(n, k) ranks of values (n, k) among draws (n, L, k), ties broken at random."""
    value, among = np.asarray(truth)[:, None], np.asarray(draws)
    below, ties = (among < value).sum(axis=1), (among == value).sum(axis=1)
    return np.asarray(below + rng.integers(0, ties + 1))


def autocorrelations(draws: ArrayLike, lag: int = 1) -> Floats:
    """(n, k) autocorrelations at a lag of draws (n, L, k); NaN where they do not move.

    The mean of few draws takes on average 1 / L off each; that is put back.
    """
    x = np.asarray(draws, np.float64)
    length = x.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        x = x - x.mean(axis=1, keepdims=True)
        power = (x**2).sum(axis=1)
        each = (x[:, lag:] * x[:, : length - lag]).sum(axis=1) / power * length / (length - lag)
    return np.asarray(np.where(power > 1e-24 * length, each + 1 / length, np.nan))


def most_correlated(each: ArrayLike) -> float:
    """The largest of the means over n replications of autocorrelations (n, k), where draws that do
    not move have 1; quantities that never move do not count."""
    found = np.asarray(each)
    found = found[:, ~np.isnan(found).all(axis=0)]
    return float(np.where(np.isnan(found), 1.0, found).mean(axis=0).max()) if found.size else 0.0


def thinning(draws: ArrayLike, most: int) -> int:
    """The first lag, `most` at the most, at which draws (n, L, k) are nearly independent."""
    length = np.shape(draws)[1]
    for lag in range(1, min(most, length // 2)):
        if most_correlated(autocorrelations(draws, lag)) <= MAX_AUTOCORRELATION / 2:
            return lag
    return most


def reading(ranks: ArrayLike, largest: int) -> str:
    """What ranks that are not uniform mean, in words."""
    u = (np.asarray(ranks) + 0.5) / (largest + 1)
    n = len(u)
    shift = (u.mean() - 0.5) * math.sqrt(12 * n)
    spread = (((u - 0.5) ** 2).mean() - 1 / 12) * math.sqrt(180 * n)
    if abs(shift) >= abs(spread):
        return "draws too low" if shift > 0 else "draws too high"
    return "draws too narrow" if spread > 0 else "draws too wide"
