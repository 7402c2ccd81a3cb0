"""Whether a posterior has no finite mass: whether it is improper.

Along a line z + t d, mass is finite only if the density falls faster than 1 / t,

    a = -d log p(z + t d) / d log t > 1        for large t.

From far draws, lines are followed along single coordinates, along the way that chains went, or in
which an approximation is widest, and along what the Hessian leaves flat, such as the difference of
two parameters of which only the sum is known. Where a <= 1 in the last decade that has finite
values, the posterior is improper. Its chains run away for as long as they run, and approximations
grow. Of chains, lines are followed where these do not settle.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ...arrays import Array, Floats
from ...verdict import Reason
from ..diagnostics import split_rhat
from .numeric import Numeric

SUSPICIOUS = 1.03  # split R-hat from which lines are followed
_T = np.logspace(0, 10, 21)  # distances, in spreads of the draws
_EXACT = 1e6  # distance up to which the direction of an eigenvector is exact enough
_FLAT = 1.001  # fall of the log density by log t up to which a line has infinite mass
_DEEP = 30.0  # a fall that 1 / t does not reach, and after which what is clipped is flat
_MAX_SIZE = 200  # coordinates of which a Hessian is taken
_LINES = 8  # coordinates that are followed at most
_STEP = 1e-4  # in spreads, of the differences that a Hessian is guessed by
_GUESSED = 1e-6  # of the largest curvature, below which a guess is looked at exactly
_LEVEL = 1e-10  # of the largest curvature: none


def improper_chains(f: Numeric, z: Array) -> list[Reason]:
    """A reason if draws z (chain, draw, p) of Markov chains run away along a line."""
    if z.shape[1] < 4:
        return []
    rhat = split_rhat(z)
    suspects = np.flatnonzero(~(rhat <= SUSPICIOUS) | ~np.isfinite(z).all(axis=(0, 1)))
    if not len(suspects):
        return []
    flat = runaways(f, z, suspects[np.argsort(-rhat[suspects])][:_LINES])
    return _said(f, flat, "chains run away")


def improper_approximation(f: Numeric, z: Array) -> list[Reason]:
    """A reason if the density does not fall off beyond draws z (n, p) of an approximation."""
    z = z[np.isfinite(z).all(axis=1)]
    if len(z) < 4:
        return []
    sd = z.std(axis=0)
    outward = np.argsort(np.abs((z - np.median(z, axis=0)) / np.where(sd > 0, sd, 1.0)).sum(axis=1))
    flat = runaways(f, z[None, outward], np.argsort(-sd)[:_LINES])
    return _said(f, flat, "an approximation has no width to settle at")


def _said(f: Numeric, flat: list[int], so: str) -> list[Reason]:
    names = dict.fromkeys(f.target.coordinates[k] for k in flat)
    if not names:
        return []
    what = (
        f"the posterior is improper: the log joint does not fall off along {', '.join(names)}, and "
        f"{so}."
    )
    advice = "Give proper priors, or leave out what the data do not determine."
    return [Reason("failed", what, advice)]


def runaways(f: Numeric, z: Array, suspects: Iterable[int]) -> list[int]:
    """The coordinates along which mass is infinite, from draws z (chain, draw, p).

    Args:
        suspects: the coordinates that are followed.
    """
    size = z.shape[-1]
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(z).all(axis=-1))
    ends = np.stack([one[np.flatnonzero(ok)[-1]] for one, ok in zip(z, finite, strict=True)])
    spread = np.ptp(z[finite], axis=0)
    went = ends - z[:, 0]
    far = int(np.argmax(np.abs(went / np.where(spread > 0, spread, 1.0)).max(axis=1)))
    lines = [spread[k] * np.eye(size)[k] for k in suspects] + [went[far]]
    longest = [np.inf] * len(lines)
    if size <= _MAX_SIZE:
        level = _level(f, ends[far], spread)
        lines, longest = lines + level, longest + [_EXACT] * len(level)
    moving = [np.any(line != 0) for line in lines]  # chains that never moved went nowhere
    lines, longest = ([a for a, ok in zip(b, moving, strict=True) if ok] for b in (lines, longest))
    if not lines:
        return []
    steps = np.concatenate([np.stack(lines), -np.stack(lines)])
    points = np.concatenate([ends[far][None], *(ends[far] + _T[:, None] * d for d in steps)])
    values = f.log_joint(points)
    values = (values[1:] - values[0]).reshape(len(steps), len(_T))
    falls = [_fall(v[most >= _T]) for v, most in zip(values, longest * 2, strict=True)]
    flat = [line for line, fall in zip(steps, falls, strict=True) if fall <= _FLAT]
    shares = [np.abs(line / np.where(spread > 0, spread, 1.0)) for line in flat]
    found = {int(k) for share in shares for k in np.flatnonzero(share >= share.max() / 2)}
    return sorted(found)


def _level(f: Numeric, z: Array, spread: Floats) -> list[Floats]:
    """The direction in which the log joint curves least at z, beside the coordinates' spreads, if
    it is level there."""
    guess, _ = _least(_guessed(f, z, spread))
    if not guess <= _GUESSED:
        return []
    least, along = _least(f.hessian(z) * spread * spread[:, None])
    return [spread * along] if least <= _LEVEL else []


def _guessed(f: Numeric, z: Array, spread: Floats) -> Floats:
    """The Hessian in units of the spreads, by differences of gradients."""
    steps = _STEP * np.diag(spread)
    _, slopes = f.slopes(np.concatenate([z + steps, z - steps]))
    ahead, behind = np.split(slopes, 2)
    found = (ahead - behind) / (2 * _STEP) * spread
    return np.asarray(found + found.T) / 2


def _least(scaled: Floats) -> tuple[float, Floats]:
    """The least curvature of a matrix, as a share of the largest, and its direction; NaN where it
    is not finite."""
    if not np.isfinite(scaled).all():
        return float("nan"), np.empty(0)
    curves, along = np.linalg.eigh(scaled)
    k, most = int(np.argmin(np.abs(curves))), float(np.abs(curves).max())
    return (float(np.abs(curves[k])) / most if most else 0.0), along[:, k]


def _fall(values: Floats) -> float:
    """a of log densities at `_T`, beside the one at t = 0, in the last decade before they are not
    numbers; infinite where the density is 0 or nearly."""
    known = int(np.argmax(np.isnan(values))) if np.isnan(values).any() else len(values)
    if known < 3 or not (values[:known] > -_DEEP).all():
        return float("inf")
    first, last = known - 3, known - 1
    return float((values[first] - values[last]) / np.log(_T[last] / _T[first]))
