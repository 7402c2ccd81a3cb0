"""Whether a posterior that chains do not settle in has no finite mass: whether it is improper.

Along a line z + t d, mass is finite only if the density falls faster than 1 / t,

    a = -d log p(z + t d) / d log t > 1        for large t.

From far draws, lines are followed along the coordinates in which chains disagree, along the way
that chains went, and along what the Hessian leaves flat, such as the difference of two parameters
of which only the sum is known. Where a <= 1 in the last decade that has finite values, the
posterior is improper. Its chains run away for as long as they run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Array, Floats
from ...verdict import Reason
from ..diagnostics import split_rhat
from .target import Target

SUSPICIOUS = 1.03  # split R-hat from which lines are followed
_T = np.logspace(0, 10, 21)  # distances, in spreads of the draws
_EXACT = 1e6  # distance up to which the direction of an eigenvector is exact enough
_FLAT = 1.001  # fall of the log density by log t up to which a line has infinite mass
_DEEP = 30.0  # a fall that 1 / t does not reach, and after which what is clipped is flat
_MAX_SIZE = 200  # coordinates of which a Hessian is taken
_LINES = 8  # coordinates that are followed at most


def improper(target: Target, z: Array) -> list[Reason]:
    """A reason if draws z (chain, draw, p) of a NumPyro target run away along a line."""
    if z.shape[1] < 4:
        return []
    rhat = split_rhat(z)
    suspects = np.flatnonzero(~(rhat <= SUSPICIOUS) | ~np.isfinite(z).all(axis=(0, 1)))
    if not len(suspects):
        return []
    with target.precision():
        flat = runaways(target.log_joint, z, suspects[np.argsort(-rhat[suspects])][:_LINES])
    names = dict.fromkeys(target.coordinates[k] for k in flat)
    if not names:
        return []
    what = (
        f"the posterior is improper: the log joint does not fall off along {', '.join(names)}, and "
        "chains run away."
    )
    advice = "Give proper priors, or leave out what the data do not determine."
    return [Reason("failed", what, advice)]


def runaways(log_joint: Callable[[Any], Any], z: Array, suspects: Iterable[int]) -> list[int]:
    """The coordinates along which mass is infinite, from draws z (chain, draw, p).

    Args:
        suspects: the coordinates that are followed.
    """
    import jax

    size = z.shape[-1]
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(z).all(axis=-1))
    ends = np.stack([one[np.flatnonzero(ok)[-1]] for one, ok in zip(z, finite, strict=True)])
    spread = np.ptp(z[finite], axis=0)
    went = ends - z[:, 0]
    far = int(np.argmax(np.abs(went / np.where(spread > 0, spread, 1.0)).max(axis=1)))
    lines = [spread[k] * np.eye(size)[k] for k in suspects] + [went[far]]
    longest = [np.inf] * len(lines)
    if size <= _MAX_SIZE:
        level = _level(np.asarray(jax.jit(jax.hessian(log_joint))(ends[far])), spread)
        lines, longest = lines + level, longest + [_EXACT] * len(level)
    moving = [np.any(line != 0) for line in lines]  # chains that never moved went nowhere
    lines, longest = ([a for a, ok in zip(b, moving, strict=True) if ok] for b in (lines, longest))
    if not lines:
        return []
    steps = np.concatenate([np.stack(lines), -np.stack(lines)])
    points = ends[far] + _T[:, None] * steps[:, None, :]
    values = np.asarray(jax.jit(lambda p: jax.lax.map(jax.vmap(log_joint), p))(points))
    values = values - float(log_joint(ends[far]))
    falls = [_fall(f[most >= _T]) for f, most in zip(values, longest * 2, strict=True)]
    flat = [line for line, fall in zip(steps, falls, strict=True) if fall <= _FLAT]
    shares = [np.abs(line / np.where(spread > 0, spread, 1.0)) for line in flat]
    found = {int(k) for share in shares for k in np.flatnonzero(share >= share.max() / 2)}
    return sorted(found)


def _level(hessian: Floats, spread: Floats) -> list[Floats]:
    """The direction in which a Hessian curves least, beside the coordinates' spreads, if it is
    level there."""
    scaled = hessian * spread * spread[:, None]
    if not np.isfinite(scaled).all():
        return []
    curves, along = np.linalg.eigh(scaled)
    k = int(np.argmin(np.abs(curves)))
    level = np.abs(curves[k]) <= 1e-10 * np.abs(curves).max()
    return [spread * along[:, k]] if level else []


def _fall(values: Floats) -> float:
    """a of log densities at `_T`, beside the one at t = 0, in the last decade before they are not
    numbers; infinite where the density is 0 or nearly."""
    known = int(np.argmax(np.isnan(values))) if np.isnan(values).any() else len(values)
    if known < 3 or not (values[:known] > -_DEEP).all():
        return float("inf")
    first, last = known - 3, known - 1
    return float((values[first] - values[last]) / np.log(_T[last] / _T[first]))
