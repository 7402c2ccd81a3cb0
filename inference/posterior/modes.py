"""Modes of the posterior on the unconstrained scale: searches from several starts, and what modes
beside the one that is taken mean.

With f(z) = log p(theta(z), y) + log |d theta / d z|, a search climbs by L-BFGS and then by Newton's
method with the absolute eigenvalues of f'', so that it leaves saddles. Its end m, with P = -f''(m),
counts as a mode where

    f'(m) P^-1 f'(m) / 2 < 1e-8 nats,

what a Newton step would still gain, in any units. Several modes are told from each other by their
distance in units of P, and each has the share of Laplace's evidence that it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...arrays import Array
from ...errors import InputError
from ...fitting import EngineFit
from ...progress import Progress
from ...verdict import Reason
from .numeric import Numeric
from .result import Why

_FLAT = 1e-10  # of the curvature, each coordinate in units of its own
_GAIN = 1e-8  # nats that a Newton step may still promise at a mode
_STEPS = 2000  # of L-BFGS
_NEWTON = 50  # steps
_POLISHED = 1e-10  # nats, from which one more step is exact
_SHORTEST = 1e-6  # share of a step
_APART = 1.0  # standard deviations between two modes
SEARCHES = 4  # for a mode that another engine starts at
_ABOVE = 0.1  # nats above the chosen mode, from which the end of a search that is none is told
_SHARE = 0.01  # of the evidence, from which modes without draws are worth a warning


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

    def root(self, order: Array) -> Array:
        """Lower triangular C (p, p) with C C' = P^-1, coordinates in this order."""
        precision = self.precision[order][:, order]
        d = np.sqrt(np.diag(precision))[:, None]
        return np.asarray(np.linalg.cholesky(np.linalg.inv(precision / d / d.T)) / d)

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


def found_modes(
    f: Numeric, num_starts: int, fit: EngineFit, steps: int = _STEPS
) -> tuple[list[Mode], Why]:
    """Where searches from several starts ended, those that reached the same mode as one, the
    largest Laplace evidence first; and why the search ended."""
    modes: list[Mode] = []
    why: Why = "done"
    try:
        for i, start in enumerate(_starts(f, num_starts, fit.seed)):
            mode = climbed(f, start, fit, steps)
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


def starting_modes(f: Numeric, num_starts: int, fit: EngineFit, steps: int = _STEPS) -> list[Mode]:
    """`found_modes` for engines that start at one: as nothing is drawn yet, an interrupt of the
    search is one of the fit."""
    modes, why = found_modes(f, num_starts, fit, steps)
    if why == "interrupted":
        raise KeyboardInterrupt
    return modes


def required_mode(f: Numeric, fit: EngineFit) -> tuple[Mode, list[Reason]]:
    """The mode with the largest Laplace evidence, for engines that start at one, and what is to be
    said of others.

    Raises:
        InputError: if none was found.
    """
    modes = starting_modes(f, SEARCHES, fit)
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


def climbed(f: Numeric, start: Array, fit: EngineFit, steps: int = _STEPS) -> Mode:
    """Where a search from `start` ends, after so many steps of L-BFGS at most."""
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
        options={"maxiter": steps, "maxcor": 20, "ftol": 1e-13, "gtol": 1e-9, "maxfun": 10 * steps},
    )  # fmt: skip
    return _mode(f, _polished(f, near.x, fit))


def _polished(f: Numeric, z: Array, fit: EngineFit) -> Array:
    """Where Newton's method leads from z, upwards along all eigenvectors of the Hessian."""
    value, slope = f.value_and_gradient(z)
    for _ in range(_NEWTON):
        hessian = f.hessian(z)
        if not (np.isfinite(hessian).all() and np.isfinite(slope).all() and np.isfinite(value)):
            break
        step = _upwards(hessian, slope)
        gain = slope @ step / 2
        if gain < _POLISHED:  # rounding hides what is gained
            return z + step
        share = 1.0
        while share > _SHORTEST:
            at = f.value_and_gradient(z + share * step)
            if np.isfinite(at[1]).all() and at[0] > value:
                break
            share /= 4
        else:
            break
        z, (value, slope) = z + share * step, at
        if fit.deadline() == 0.0:
            break
    return z


def _upwards(hessian: Array, slope: Array) -> Array:
    """Newton's step for absolute eigenvalues, each coordinate in units of its own."""
    unit = 1 / np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1e-300))
    values, vectors = np.linalg.eigh(unit[:, None] * (hessian + hessian.T) / 2 * unit)
    least = _FLAT * np.abs(values).max(initial=1e-300)
    along = vectors.T @ (unit * slope) / np.maximum(np.abs(values), least)
    step: Array = unit * (vectors @ along)
    return step


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


def others(modes: list[Mode], z: Array | None = None) -> list[Reason]:
    """Warnings where modes without draws hold a share of Laplace's evidence that counts, or where a
    search ended higher at no mode: weights of draws around the chosen one show neither.

    Args:
        z: (n, p) draws that may be of several modes; None stands for draws of the chosen one.
    """
    found = [mode for mode in modes if mode.found]
    if not found:
        return []
    log_evidence = np.array([mode.log_evidence for mode in found])
    share = np.exp(log_evidence - np.logaddexp.reduce(log_evidence))
    drawn = np.eye(len(found))[int(np.argmax(share))] if z is None else _drawn(found, z)
    without = float(share[drawn < share / 10].sum())
    reasons = []
    if without > _SHARE:
        what = (
            "several modes were found, and those of which there are no draws hold about "
            f"{without:.0%} of the posterior."
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


def _drawn(modes: list[Mode], z: Array) -> Array:
    """The share of draws z (n, p) that each mode has: each is of the one whose Gaussian is densest
    there."""
    gaps = [z - mode.z for mode in modes]
    log_q = np.stack([
        np.linalg.slogdet(mode.precision)[1] / 2
        - np.einsum("np,pq,nq->n", gap, mode.precision, gap) / 2
        for mode, gap in zip(modes, gaps, strict=True)
    ])  # fmt: skip
    return np.bincount(log_q.argmax(axis=0), minlength=len(modes)) / len(z)
