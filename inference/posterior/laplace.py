"""Laplace's approximation: a Gaussian at the mode of the posterior, on the unconstrained scale.

With f(z) = log p(theta(z), y) + log |d theta / d z|, the mode m and P = -f''(m),

    q(z) = N(z; m, P^-1),        log p(y) ~ f(m) + p/2 log 2 pi - 1/2 log |P|.

The weights exp(f(z) / q(z)) of draws from q correct that estimate of the evidence, with a standard
error, and say by k-hat how far q is from the posterior. The mode is sought from several starts, by
L-BFGS and then by Newton's method in a trust region. It counts as one where

    f'(m) P^-1 f'(m) / 2 < 1e-8 nats,

what a Newton step would still gain, in any units. Several modes are told from each other by their
distance in units of P, and each has the share of Laplace's evidence that it holds.

Reference: Tierney and Kadane, "Accurate approximations for posterior moments and marginal
densities", 1986, https://doi.org/10.1080/01621459.1986.10478240.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays import Array
from ...errors import InputError
from ...fitting import EngineFit
from ...progress import Progress
from ...verdict import Reason
from .numeric import Numeric, numeric
from .psis import smooth
from .result import Evidence, Posterior, Why
from .target import Target

_FLAT = 1e-10  # of the curvature, each coordinate in units of its own
_GAIN = 1e-8  # nats that a Newton step may still promise at a mode
_APART = 1.0  # standard deviations between two modes
_SEARCHES = 4  # for a mode that another engine starts at
_ABOVE = 0.1  # nats above the chosen mode, from which the end of a search that is none is told
_SHARE = 0.01  # of the evidence, from which a mode beside the chosen one is worth a warning


@dataclass(frozen=True)
class Mode:
    """A maximum of the log joint, or where the search for one ended.

    Attributes:
        z, log_joint: where, and how high.
        precision: P (p, p).
        open: the coordinate along which this is no maximum: P is not positive definite, or a
            Newton step promises more. None at a mode.
    """

    z: Array
    log_joint: float
    precision: Array
    open: int | None

    @property
    def found(self) -> bool:
        return self.open is None

    @property
    def log_evidence(self) -> float:
        """Laplace's estimate."""
        log_det = np.linalg.slogdet(self.precision)[1]
        return float(self.log_joint + (len(self.z) * np.log(2 * np.pi) - log_det) / 2)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draws (n, p) from N(m, P^-1) and their log densities (n,)."""
        root = np.linalg.cholesky(self.precision)
        noise = rng.standard_normal((n, len(self.z)))
        log_q = np.log(np.diag(root)).sum() - (noise**2 + np.log(2 * np.pi)).sum(axis=1) / 2
        return self.z + np.linalg.solve(root.T, noise.T).T, log_q

    def draw_t(self, n: int, df: float, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draws (n, p) from the multivariate t with location m, scale P^-1 and `df` degrees of
        freedom, and their log densities (n,)."""
        from scipy.special import gammaln

        p, root = len(self.z), np.linalg.cholesky(self.precision)
        noise = rng.standard_normal((n, p)) * np.sqrt(df / rng.chisquare(df, size=n))[:, None]
        log_scale = gammaln((df + p) / 2) - gammaln(df / 2) - p / 2 * np.log(df * np.pi)
        tails = (df + p) / 2 * np.log1p((noise**2).sum(axis=1) / df)
        log_q = log_scale + np.log(np.diag(root)).sum() - tails
        return self.z + np.linalg.solve(root.T, noise.T).T, log_q


def run(target: Target, settings: Any, fit: EngineFit) -> Posterior:
    """Laplace's approximation of a pair's posterior.

    Raises:
        InputError: if the model has no finite density where searches start.
    """
    began, f = time.perf_counter(), numeric(target)
    modes, why = found_modes(f, settings.num_starts, fit)
    best = chosen(modes)
    if not best.found:
        z = np.repeat(best.z[None, None], settings.num_draws, axis=1)
        stats = {"lp": np.full(z.shape[:2], best.log_joint)}
        seconds = time.perf_counter() - began
        return Posterior(
            f.constrain(z), stats, None, why, f.gradients, seconds, {}, [_failed(best, target, why)]
        )
    z, log_q = best.draw(settings.num_draws, fit.rng())
    lp = f.log_joint(z)
    weights = smooth(lp - log_q)
    each = np.array([mode.log_evidence for mode in modes if mode.found])
    total = float(np.logaddexp.reduce(each))
    missed = others(modes)
    evidence = weights.evidence
    if not weights.khat <= weights.good or missed:
        evidence = Evidence(total, float("nan"), "approximation")
    reasons = [
        *weights.reasons("Laplace's approximation", 'Take method="nuts", or "smc".'),
        *missed,
        Reason(
            "ok",
            f"Laplace's estimate of the log evidence at this mode is {best.log_evidence:.3f}; "
            f"importance weights give {weights.evidence.value:.3f} ± "
            f"{weights.evidence.stderr:.3f}.",
        ),
    ]
    return Posterior(
        f.constrain(z[None]),
        {"lp": lp[None], "log_q": log_q[None]},
        evidence,
        why,
        f.gradients,
        time.perf_counter() - began,
        {"mode": best.z, "precision": best.precision},
        reasons,
    )


def found_modes(f: Numeric, num_starts: int, fit: EngineFit) -> tuple[list[Mode], Why]:
    """Where searches from several starts ended, those that reached the same mode as one, the
    largest Laplace evidence first; and why the search ended."""
    modes: list[Mode] = []
    why: Why = "done"
    try:
        for i, start in enumerate(_starts(f, num_starts, fit.seed)):
            mode = climbed(f, start, fit)
            if not any(same(mode, other) for other in modes):
                modes.append(mode)
            fit.report(Progress(i + 1, -max(m.log_joint for m in modes)))
            if fit.deadline() == 0.0:
                why = "budget"
                break
    except KeyboardInterrupt:
        if not modes:
            raise
        why = "interrupted"
    return sorted(modes, key=lambda m: m.log_evidence if m.found else -np.inf, reverse=True), why


def chosen(modes: list[Mode]) -> Mode:
    """The mode with the largest Laplace evidence; where none was found, the highest place."""
    return modes[0] if modes[0].found else max(modes, key=lambda m: m.log_joint)


def starting_modes(f: Numeric, num_starts: int, fit: EngineFit) -> list[Mode]:
    """`found_modes` for engines that start at one: as nothing is drawn yet, an interrupt of the
    search is one of the fit."""
    modes, why = found_modes(f, num_starts, fit)
    if why == "interrupted":
        raise KeyboardInterrupt
    return modes


def required_mode(f: Numeric, fit: EngineFit) -> tuple[Mode, list[Reason]]:
    """The mode with the largest Laplace evidence, for engines that start at one, and what is to be
    said of others.

    Raises:
        InputError: if none was found.
    """
    modes = starting_modes(f, _SEARCHES, fit)
    mode = chosen(modes)
    if not mode.found:
        raise InputError(
            f"no mode was found to start at: along {f.target.coordinates[mode.open or 0]!r} the "
            "log joint is flat, or rises. Give each site a proper prior and start at the prior, or "
            'take method="nuts".'
        )
    return mode, others(modes)


def _starts(f: Numeric, n: int, seed: int) -> Iterator[Array]:
    """Places where the log joint is finite: around the middle of the unconstrained scale, and every
    other one from the prior where there are such draws."""
    seeds = np.random.default_rng(seed).integers(2**31, size=n + 1).tolist()
    try:
        prior = f.prior(n, seeds[-1])
        usable = np.isfinite(f.log_joint(prior))
    except InputError:  # an improper prior
        usable = np.zeros(n, bool)
    for i in range(n):
        yield prior[i] if i % 2 and usable[i] else f.start(seeds[i])


def climbed(f: Numeric, start: Array, fit: EngineFit) -> Mode:
    """Where a search from `start` ends."""
    from scipy import optimize

    def downhill(z: Array) -> tuple[float, Array]:
        value, slope = f.value_and_gradient(z)
        if not (np.isfinite(value) and np.isfinite(slope).all()):
            return 1e100, np.zeros_like(z)
        return -value, -slope

    def look(_: Array) -> None:
        if fit.deadline() == 0.0:
            raise StopIteration

    near = optimize.minimize(
        downhill, start, jac=True, method="L-BFGS-B", callback=look,
        options={"maxiter": 2000, "maxcor": 20, "ftol": 1e-13, "gtol": 1e-9, "maxfun": 20000},
    )  # fmt: skip
    end = optimize.minimize(
        downhill, near.x, jac=True, hess=lambda z: -f.hessian(z), method="trust-exact",
        callback=look, options={"maxiter": 100, "gtol": 1e-12},
    ) if np.isfinite(f.hessian(near.x)).all() else near  # fmt: skip
    return _mode(f, end.x)


def _mode(f: Numeric, z: Array) -> Mode:
    value, slope = f.value_and_gradient(z)
    precision = -f.hessian(z)
    precision = (precision + precision.T) / 2
    along = _flat(precision)
    if along is None:
        step = np.linalg.solve(precision, slope)
        if not slope @ step / 2 < _GAIN:
            along = int(np.argmax(np.abs(step) * np.sqrt(np.diag(precision))))
    return Mode(z, value, precision, along)


def _flat(precision: Array) -> int | None:
    """The coordinate along which a symmetric matrix is not positive definite."""
    diagonal = np.diag(precision)
    if not np.isfinite(precision).all():
        return int(np.argmin(np.isfinite(precision).all(axis=1)))
    if (diagonal <= 0).any():
        return int(np.argmin(diagonal))
    unit = 1 / np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(unit[:, None] * precision * unit)
    return None if values[0] > _FLAT else int(np.argmax(np.abs(vectors[:, 0])))


def same(mode: Mode, other: Mode) -> bool:
    """Whether two modes are one; where no mode was found the precision is no distance."""
    gap = mode.z - other.z
    return mode.found and other.found and bool(gap @ other.precision @ gap < _APART**2)


def _failed(end: Mode, target: Target, why: Why) -> Reason:
    if why == "budget":
        return Reason("failed", "the budget ended before a mode was found.", "Give a larger one.")
    at = end.open or 0
    what = (
        f"no maximum of the log joint was found: where the search ended it is flat, or rises, "
        f"along {target.coordinates[at]!r} (at {end.z[at]:.4g} on the unconstrained scale)."
    )
    advice = (
        "The posterior may be improper, or unbounded (a scale that goes to 0): give the site a "
        'proper prior, write the model non-centred, or take method="nuts".'
    )
    return Reason("failed", what, advice)


def others(modes: list[Mode]) -> list[Reason]:
    """Warnings where modes beside the chosen one hold a share of Laplace's evidence that counts, or
    where a search ended higher at no mode: weights of draws around the chosen one show neither."""
    each = np.array([mode.log_evidence for mode in modes if mode.found])
    if not len(each):
        return []
    reasons, share = [], 1 - float(np.exp(each.max() - np.logaddexp.reduce(each)))
    if share > _SHARE:
        what = (
            "several modes were found: the draws start at the one with the largest share, and the "
            f"others hold about {share:.0%} of the posterior."
        )
        advice = (
            'Take method="smc" or "nested", which weigh modes; those that only number components '
            "otherwise do no harm."
        )
        reasons.append(Reason("warn", what, advice))
    above = max(mode.log_joint for mode in modes) - chosen(modes).log_joint
    if above > _ABOVE and max(modes, key=lambda mode: mode.log_joint).open is not None:
        what = (
            f"a search ended {above:.3g} nats above the mode that was taken, where there is none: "
            "the log joint may rise without bound there."
        )
        advice = 'Give scales priors that fall off at 0, or take method="nuts".'
        reasons.append(Reason("warn", what, advice))
    return reasons
