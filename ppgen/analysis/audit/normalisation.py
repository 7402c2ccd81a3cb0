"""Does the density integrate to one?

Up to two continuous columns, by quadrature over all levels of the discrete ones: with F_j the
distribution function of the cover's column j and f_j its density, u_j = F_j^-1(s_j) makes

    integral p(u) du = integral over the unit square of p(u(s)) / prod_j f_j(u_j(s)) ds,

whose integrand falls to 0 at the edges, as the cover's tails are heavier, so that the midpoint rule
converges fast; it is compared with itself on a third of the nodes. Without continuous columns the
levels are summed. Otherwise by importance samples (see `weighted_cover`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...errors import InputError
from .coordinates import Places
from .cover import Cover
from .findings import Check, one_sided, statistical, two_sided, unchecked
from .subject import Subject
from .weighted_cover import Noise, Weighted, weigh

NAME = "integral"
_ROUNDING = 1e-4  # densities in single precision, summed
_TRUNCATION = 8e-3  # the largest doubt of a quadrature that is used
_NEIGHBOURS = (1.0, 0.1, 0.01)  # shares of the draws that shape a kernel: wide, else narrow
_BIAS = 2e-3  # of a mean of weights, beside its standard error
_MOST_CELLS, _NODES = 20_000, {1: 1203, 2: 81}


@dataclass(frozen=True)
class Grid:
    """A density on a grid of one or two lines.

    Attributes:
        weighted: the nodes, each with the log of its mass.
        mass: probability of each cell, over the levels.
        doubt: how far the rule is from itself on a third of the nodes.
        stderr: of the sum, by what is random in the density.
    """

    weighted: Weighted
    mass: Floats
    doubt: float
    stderr: float


@dataclass(frozen=True)
class Cells:
    """All cells of a table without continuous columns: codes, masses, and errors of these."""

    codes: NDArray[np.intp]
    mass: Floats
    stderr: Floats


@dataclass(frozen=True)
class Integral:
    """What was integrated: a grid, weighted rows, all cells of a table, or nothing."""

    check: Check
    cover: Cover | None = None
    grid: Grid | None = None
    weighted: Weighted | None = None
    cells: Cells | None = None


def integral(subject: Subject) -> Integral:
    """The check, with what others can use of it."""
    bound = subject.claims == "lower_bound" or bool(subject.model.codec_.dequantised)
    claim = "the density integrates to " + ("at most one" if bound else "one")
    try:
        coordinates = subject.coordinates
        d, circles = len(coordinates.lines), len(coordinates.circles)
        cells = math.prod(coordinates.n_levels)
        if not d and not circles and cells <= _MOST_CELLS:
            return _summed(subject, claim, bound, cells)
        seconds = subject.share(0.25)
        if 1 <= d <= 2 and not circles and not coordinates.gridded:
            by_grid = _quadrature(subject, claim, bound, seconds)
            if by_grid is not None:
                return by_grid
        sampled, cover = weigh(subject, seconds)
    except InputError as error:
        return Integral(unchecked(NAME, claim, str(error)))
    if sampled.doubt():
        return Integral(unchecked(NAME, claim, sampled.doubt()), cover)
    w = np.exp(sampled.log_w)
    noise = float(sampled.noise.variance(w[:, None] / len(w))[0])
    mean, stderr = float(w.mean()), math.sqrt(float(w.var(ddof=1)) / len(w) + noise)
    how = f"{len(w)} rows of its cover, effective size {sampled.ess:.0f}, k-hat {sampled.khat:.2f}"
    return Integral(_judged(claim, mean, stderr, _BIAS, bound, how), cover, weighted=sampled)


def _judged(claim: str, value: float, stderr: float, slack: float, bound: bool, how: str) -> Check:
    over = value - 1
    p = one_sided(over, stderr, slack) if bound else two_sided(over, stderr, slack)
    return statistical(
        Check(
            NAME,
            claim,
            value,
            1.0,
            stderr=stderr,
            p_value=p,
            why=how,
            side="above" if bound else "both",
        ),
        f"an integral {'above one' if bound else 'off'} by {{}} or more",
        slack=slack,
    )


def _summed(subject: Subject, claim: str, bound: bool, cells: int) -> Integral:
    coordinates = subject.coordinates
    codes = np.array(list(product(*map(range, coordinates.n_levels))), dtype=np.intp)
    codes = codes.reshape(cells, len(coordinates.n_levels))
    rows, _, _ = coordinates.rows(Places(np.empty((cells, 0)), np.empty((cells, 0)), codes))
    density = subject.log_density(rows)
    mass, noise = np.exp(density.values), Noise.of(density, rows)
    stderr = math.sqrt(float(noise.variance(mass[:, None])[0]))
    how = f"{cells} cells, summed"
    check = _judged(claim, float(mass.sum()), stderr, _ROUNDING, bound, how)
    return Integral(check, cells=Cells(codes, mass, mass * noise.stderr))


def _quadrature(subject: Subject, claim: str, bound: bool, seconds: float) -> Integral | None:
    """By a grid; None where that takes too long or is too coarse."""
    coordinates, d = subject.coordinates, len(subject.coordinates.lines)
    levels = math.prod(coordinates.n_levels)
    n = subject.affordable(seconds / len(_NEIGHBOURS), _NODES[d] ** d * levels)
    side = int((n / levels) ** (1 / d)) // 3 * 3
    if side < 60 or levels > 64:
        return None
    rng = subject.rng(11)
    drawn = coordinates.places(coordinates.sampled, rng)
    for neighbours in _NEIGHBOURS:
        cover = Cover.fit(drawn, coordinates.n_levels, neighbours, rng)
        grid = on_grid(subject, cover, side)
        if grid.doubt <= _TRUNCATION or np.isnan(grid.mass).any():
            break
    else:
        return None
    how = f"quadrature, {side}{' x ' + str(side) if d == 2 else ''} nodes"
    how += f" for each of {levels} levels" if levels > 1 else ""
    slack = _ROUNDING + grid.doubt / 8  # a rule of order two errs by a ninth of what it did
    check = _judged(claim, float(grid.mass.sum()), grid.stderr, slack, bound, how)
    return Integral(check, cover, grid)


def on_grid(subject: Subject, cover: Cover, side: int) -> Grid:
    """The density at the midpoints of a grid of equal shares of the cover."""
    coordinates, d = subject.coordinates, len(subject.coordinates.lines)
    share = (np.arange(side) + 0.5) / side
    nodes = tuple(cover.quantile(j, share) for j in range(d))
    log_f = [np.log(cover.marginal(j, u)[1]) for j, u in enumerate(nodes)]
    mesh = np.stack([a.reshape(-1) for a in np.meshgrid(*nodes, indexing="ij")], axis=1)
    log_q = sum(a.reshape(-1) for a in np.meshgrid(*log_f, indexing="ij"))
    parts: list[tuple[Places, Floats, Noise]] = []
    for codes in product(*map(range, coordinates.n_levels)):
        tiled = np.tile(np.array(codes, dtype=np.intp), (len(mesh), 1))
        at = Places(mesh, np.empty((len(mesh), 0)), tiled)
        rows, log_slope, far = coordinates.rows(at)
        density = subject.log_density(rows)
        log_w = np.where(far, -np.inf, density.values + log_slope - log_q) - d * math.log(side)
        parts.append((at, log_w, Noise.of(density, rows)))
    nodes_of = Weighted(
        Places.joined([p[0] for p in parts]),
        np.concatenate([p[1] for p in parts]),
        Noise.joined([p[2] for p in parts]),
    )
    w = np.exp(nodes_of.log_w)
    mass = w.reshape(len(parts), *(side,) * d).sum(axis=0)
    stderr = math.sqrt(float(nodes_of.noise.variance(w[:, None])[0]))
    coarse = mass[(slice(1, None, 3),) * d].sum() * 3**d
    return Grid(nodes_of, mass, abs(float(coarse - mass.sum())), stderr)
