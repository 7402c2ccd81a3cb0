"""How generated rows lie among real ones, by nearest neighbours.

The ball of a row is centred there and reaches its k-th nearest row of the same kind. With real rows
x_i (n), generated rows y_j (m), and B(.) their balls,

    precision   share of the y_j in any B(x_i):           what is generated looks real,
    recall      share of the x_i in any B(y_j):           what is real can be generated,
    density     sum_ij 1[y_j in B(x_i)] / (k m):          1 for equal distributions; unlike
                precision, one real row far out with a large ball counts little,
    coverage    share of the x_i whose ball holds a y_j:  unlike recall, generated rows far out
                cannot raise it.

Distances between rows are Euclidean in whatever space they are given in. Of rows unusually near to
others two things are told: `copies`, generated rows nearer to training rows than unseen real rows
are, and `duplicates`, generated rows nearer to each other than real rows are. `memorised` tests
for copies among rows that may be blurred or narrow.

References:
    Improved precision and recall metric for assessing generative models (Kynkäänniemi, Karras,
    Laine, Lehtinen, Aila, 2019) https://arxiv.org/abs/1904.06991
    Reliable fidelity and diversity metrics for generative models (Naeem, Oh, Uh, Choi, Yoo, 2020)
    https://arxiv.org/abs/2002.09797
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .arrays import Floats, Hashes
from .distances import blocks, distances
from .plain_json import PlainFields
from .two_sample import below

NEIGHBOURS = 5
NEAREST = 0.05
"""The share of real rows that lie nearer to others than what is called unusually near."""
_CHOICES, _DRAWN = 1999, 1_000_000  # of units held out, and random numbers that they take at most
_ROUNDING = 1e-12  # of squares, by which distances are equal


@dataclass(frozen=True)
class Near(PlainFields):
    """How generated rows lie among real ones; see the module."""

    precision: float
    recall: float
    density: float
    coverage: float


class Neighbours:
    """Real rows with their balls, for any number of sets of generated rows.

    Args:
        real: (n, d) rows, at least 2.
        k: which nearest row a ball reaches; n - 1 where that is less.
    """

    def __init__(self, real: Floats, k: int = NEIGHBOURS) -> None:
        self.real = np.asarray(real, np.float64)
        self.k = min(k, len(self.real) - 1)
        self.radius = _radius(self.real, self.k)

    def of(self, generated: Floats) -> Near:
        """The scores of (m, d) generated rows, at least 2."""
        fake = np.asarray(generated, np.float64)
        reach = _radius(fake, min(self.k, len(fake) - 1))
        precise = np.zeros(len(fake), bool)
        recalled, covered = (np.zeros(len(self.real), bool) for _ in range(2))
        within = 0
        for part in blocks(len(self.real), len(fake)):
            between = distances(self.real[part], fake)
            inside = between <= self.radius[part, None]
            precise |= inside.any(axis=0)
            covered[part] = inside.any(axis=1)
            recalled[part] = (between <= reach).any(axis=1)
            within += int(inside.sum())
        return Near(
            float(precise.mean()),
            float(recalled.mean()),
            within / (self.k * len(fake)),
            float(covered.mean()),
        )


def copies(train: Floats, generated: Floats, held_out: Floats) -> tuple[float, float]:
    """Share of generated and of held-out rows unusually near to a training row; ties count half.

    Unusually near is nearer than 95 % of held-out rows are. Held-out rows stand at about 5 %, and
    so do rows of a model that memorised nothing; far above, training rows come back.

    Args:
        train, generated, held_out: (n, d) rows, each in its number.
    """
    near_fake, near_real = (nearest(rows, train) for rows in (generated, held_out))
    usual = float(np.quantile(near_real, NEAREST))
    return below(near_fake, usual), below(near_real, usual)


def duplicates(generated: Floats, real: Floats) -> tuple[float, float]:
    """Share of generated and of real rows unusually near to another of their own; ties count half.

    Unusually near is nearer than 95 % of real rows are to theirs. Distances to the nearest of fewer
    rows are longer, so as many rows of both are looked at: the first of the longer one, which is
    expected in random order.

    Args:
        generated, real: (n, d) rows, at least 2 of each.
    """
    n = min(len(generated), len(real))
    near_fake, near_real = (_radius(np.asarray(r[:n], np.float64), 1) for r in (generated, real))
    usual = float(np.quantile(near_real, NEAREST))
    return below(near_fake, usual), below(near_real, usual)


@dataclass(frozen=True)
class Memorised(PlainFields):
    """How much more often generated rows are nearest to a training row than chance has it.

    Attributes:
        share: of generated rows that are copies, as an estimate: 1 - `to_held_out` / `expected`.
        to_held_out: share of generated rows whose nearest real row is a held-out one.
        expected: the share of held-out rows among the real ones.
        p_value: of so few by chance, one-sided.
    """

    share: float
    to_held_out: float
    expected: float
    p_value: float


def memorised(
    train: Floats,
    generated: Floats,
    held_out: Floats,
    units: tuple[Hashes, Hashes] | None = None,
) -> Memorised:
    """Whether generated rows repeat training rows: by which real row is nearest to each.

    With c_i the number of generated rows whose nearest real row is i (of equally near ones, each
    has a part), c their mean, and D_u = sum_i (c_i - c) over the rows of unit u: a model that knows
    of training rows no more than their distribution has held-out rows as often the nearest as
    their number says. The M units held out of U are then a random choice, and

        T = sum_{u held out} D_u    has mean 0,  variance M (1 - M / U) sum_u D_u^2 / (U - 1).

    The p-value is the share of random choices whose T is no larger, counted over some thousands of
    them, or of more units than can be chosen from so often, by the normal distribution (whose
    tail here is longer than that of T where fewer than half of the units are held out). Rows that
    are smoother or closer together than real ones are nearer to both alike, and are not taken for
    copies.

    Args:
        train, generated, held_out: (n, d), (k, d) and (m, d) rows.
        units: (n,) and (m,) what training and held-out rows belong to: rows of one unit are one
            draw, such as those of a named group. None takes each row for itself.

    Reference: A non-parametric test to detect data-copying in generative models (Meehan, Chaudhuri,
    Dasgupta, 2020) https://arxiv.org/abs/2004.05675 (three samples).
    """
    m, total = len(held_out), len(train) + len(held_out)
    counts = _nearest_to(generated, np.concatenate([held_out, train]))
    off, held = counts - counts.mean(), m
    if units is not None:
        of_train, of_held = (np.unique(some, return_inverse=True)[1] for some in units)
        held = int(of_held.max()) + 1
        off = np.bincount(np.concatenate([of_held, held + of_train]), off)
    expected, to_held_out = m / total, float(counts[:m].sum()) / len(generated)
    return Memorised(
        max(0.0, 1 - to_held_out / expected), to_held_out, expected, _chance(off, held)
    )


def _chance(off: Floats, m: int) -> float:
    """The probability that m of U numbers, chosen at random, have no larger sum than the first."""
    found, units = float(off[:m].sum()), len(off)
    if units * _CHOICES > _DRAWN:
        spread = math.sqrt(m * (1 - m / units) * float(off.var(ddof=1)))
        return 0.5 * math.erfc(-found / spread / math.sqrt(2)) if spread > 0 else 1.0
    order = np.random.default_rng(0).random((_CHOICES, units)).argpartition(m - 1, axis=1)
    sums = off[order[:, :m]].sum(axis=1)
    near = 1e-9 * float(np.abs(off).sum())
    return float(1 + (sums <= found + near).sum()) / (1 + _CHOICES)


def _nearest_to(rows: Floats, among: Floats) -> Floats:
    """(n,) how many of (k, d) rows each of (n, d) others is the nearest one to; of equally near
    ones, each has a part.

    Distances are compared by |b|^2 - 2 a.b, all about the middle, whose products are those of
    matrices; what differs by rounding is equally near.
    """
    middle = among.mean(axis=0)
    a, b = np.asarray(rows - middle, np.float64), np.asarray(among - middle, np.float64)
    sizes = np.einsum("ij,ij->i", b, b)
    slack = _ROUNDING * (np.einsum("ij,ij->i", a, a) + sizes.max())
    least, found = np.full(len(a), np.inf), []
    for part in blocks(len(b), len(a)):
        apart = b[part] @ (-2 * a.T)
        apart += sizes[part, None]
        least = np.minimum(least, apart.min(axis=0))
        i, j = np.nonzero(apart <= least + slack)
        found.append((part.start + i, j, apart[i, j]))
    i, j, apart = (np.concatenate(each) for each in zip(*found, strict=True))
    kept = apart <= least[j] + slack[j]
    i, j = i[kept], j[kept]
    share = 1 / np.bincount(j, minlength=len(a))
    counts: Floats = np.bincount(i, weights=share[j], minlength=len(b)).astype(np.float64)
    return counts


def nearest(rows: Floats, among: Floats) -> Floats:
    """(n,) distance of each row to the nearest of others."""
    parts = blocks(len(rows), len(among))
    return np.concatenate([distances(rows[part], among).min(axis=1) for part in parts])


def _radius(rows: Floats, k: int) -> Floats:
    """(n,) distance of each row to the k-th nearest of the others."""
    radius = np.empty(len(rows))
    for part in blocks(len(rows), len(rows)):
        between = distances(rows[part], rows)
        between[np.arange(len(between)), np.arange(part.start, part.stop)] = np.inf
        radius[part] = np.partition(between, k - 1, axis=1)[:, k - 1]
    return radius
