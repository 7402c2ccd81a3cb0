"""How like held-out rows the samples of a generator are, a number for each held-out row.

With held-out rows x_i (m) and samples y_j (k), a row's number is

    S_i = -mean_j d(x_i, y_j) + 1/2 mean_{j != j'} d(y_j, y_j') - S_real,
    d(x, y) = log(1 + |x - y| / s),

where S_real is the mean of the same with training rows in the place of samples, and s the median
distance of a real row to its nearest one. log(1 + r / s) is, as r is, a negative definite function
of Euclidean distance, so that the mean of S_i is a proper score: largest in expectation where
samples are distributed as the rows are. It has no unit. 0 is what training rows reach; a generator
of one row alone is at about -E d(X, X') / 2.

By r itself (the energy score) fine structure hardly counts: on 25 narrow Gaussians it does not tell
standard deviations of 0.04, 0.05 and 0.06 at a spacing of 2. log(1 + r / s) counts all scales from
s on alike: it is nearly the mean over log c of the kernels 1 - exp(-r / c). On digits, distances of
pixels told blurred, noisy, bold, superposed and repeated pictures from real ones no worse than
those of averaged pixels and of a random convolutional net, and cost least.

Samples are drawn with the same noise each time, so that evaluations are compared in pairs. In a
conditional fit, sample j has the context of a held-out row; contexts are part of a row in d, so
that the score is one of p(x, c) whose p(c) is the rows' own. Pairs that share a row's context are
left out.

References:
    Strictly proper scoring rules, prediction, and estimation (Gneiting, Raftery, 2007)
    https://doi.org/10.1198/016214506000001437
    Equivalence of distance-based and RKHS-based statistics in hypothesis testing (Sejdinovic,
    Sriperumbudur, Gretton, Fukumizu, 2013) https://doi.org/10.1214/13-AOS1140
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...arrays import Floats
from ..nets.features import gains
from ..nets.values import Values

_MOST, _FEWEST = 1000, 250  # rows and samples: 2 million distances, fewer of longer rows
_LONG = 1024  # features from which on fewer are taken
_EXACT = 64  # columns up to which differences are taken one by one: near rows stay apart


def most_scored(values: Values) -> int:
    """How many held-out rows are scored at most, and about how many samples there are: an
    evaluation takes about 4 n^2 F operations besides what the samples take."""
    return max(_FEWEST, round(_MOST * min(1.0, math.sqrt(_LONG / max(values.features, 1)))))


@dataclass(frozen=True, eq=False)
class Side:
    """Rows of one kind.

    Attributes:
        features: (n, F).
        context: (n, c), or None.
        shares: (n,) weights with the mean 1, or None.
    """

    features: Tensor
    context: Tensor | None = None
    shares: Tensor | None = None

    def thinned(self, most: int) -> Side:
        """At most so many rows, evenly spaced."""
        n = len(self.features)
        if n <= most:
            return self
        keep = torch.linspace(0, n - 1, most, dtype=torch.float64).round().long()
        keep = keep.to(self.features.device)
        context = None if self.context is None else self.context[keep]
        return Side(
            self.features[keep], context, None if self.shares is None else self.shares[keep]
        )


class HeldOutScore:
    """Scores samples by held-out rows.

    Args:
        values: of the rows.
        held_out: the rows, at least 2. A number is given for each: of more than `most_scored`, take
            so many beforehand.
        real: rows trained on, at least 3; as many as there are samples are looked at.
        most: samples, about; None is `most_scored`.

    Attributes:
        n_samples: k.
        contexts: (k, c) what the samples are to be conditioned on, or None.
        weights: (k,) of the rows whose contexts these are, or None.
        floor: S_real.
    """

    def __init__(
        self, values: Values, held_out: Side, real: Side, *, most: int | None = None
    ) -> None:
        m, c = len(held_out.features), held_out.context
        most = most or most_scored(values)
        self.n_samples = most if c is None else m * max(1, most // m)
        self._owner: Tensor | None = None
        self.contexts: Tensor | None = None
        self.weights: Tensor | None = None
        if c is not None:
            self._owner = torch.arange(self.n_samples, device=c.device) % m
            self.contexts = c[self._owner]
            if held_out.shares is not None:
                self.weights = held_out.shares[self._owner]
        real = real.thinned(self.n_samples)
        self._gain, self._scale, self._far = gains(values, real.features), 1.0, 1.0
        self._take_scales(real)
        self._rows = self._scaled(held_out)
        self.floor = 0.0
        values_of_real = self._values(real, None)
        if held_out.shares is not None:
            values_of_real = values_of_real * held_out.shares
        self.floor = float(values_of_real.mean())

    def __call__(self, samples: Tensor) -> Tensor:
        """(m,) S_i, by samples (k, F) drawn with the same noise each time, given `contexts`."""
        return self._values(Side(samples, self.contexts, self.weights), self._owner)

    @torch.no_grad()
    def _values(self, drawn: Side, owner: Tensor | None) -> Tensor:
        y = self._scaled(drawn)
        k, m = len(y), len(self._rows)
        w = torch.ones(k, device=y.device) if drawn.shares is None else drawn.shares.to(y)
        source = torch.arange(k, device=y.device) if owner is None else owner
        pairs = w[:, None] * w * (source[:, None] != source)
        within = (pairs * _log_distance(y, y)).sum() / pairs.sum()
        to = w.expand(m, k)
        if owner is not None:
            to = to * (torch.arange(m, device=y.device)[:, None] != owner)
        across = (to * _log_distance(self._rows, y)).sum(1) / to.sum(1)
        return within / 2 - across - self.floor

    def _take_scales(self, real: Side) -> None:
        x = real.features.float() * self._gain
        between = _distance(x, x)
        apart = between[between > 0]
        far = float(apart.median()) if len(apart) else 1.0
        between[between == 0] = torch.inf  # a row itself, and copies
        near = between.min(1).values
        near = near[near < torch.inf]
        self._scale = float(near.median()) if len(near) else far
        if real.context is not None:
            c = real.context.float()
            apart = _distance(c, c)
            apart = apart[apart > 0]
            # Rows of different contexts are as far apart as any two rows.
            self._far = far / float(apart.median()) if len(apart) else 1.0

    def _scaled(self, side: Side) -> Tensor:
        """Rows beside their contexts, in units of s."""
        x = side.features.float() * self._gain
        if side.context is not None:
            x = torch.cat([x, self._far * side.context.float()], 1)
        return x / self._scale

    def space(self, features: Tensor) -> Floats:
        """(n, F) features as distances are taken among them, without contexts."""
        scaled = self._scaled(Side(features))
        return np.asarray(scaled.double().cpu().numpy())


def _distance(a: Tensor, b: Tensor) -> Tensor:
    one_by_one = a.shape[1] <= _EXACT
    mode = "donot_use_mm_for_euclid_dist" if one_by_one else "use_mm_for_euclid_dist"
    return torch.cdist(a, b, compute_mode=mode)


def _log_distance(a: Tensor, b: Tensor) -> Tensor:
    return torch.log1p(_distance(a, b))
