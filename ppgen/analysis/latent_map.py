"""A latent space seen from above: codes in two dimensions, and what a grid over it decodes to.

    latent_map     the codes in two dimensions: themselves, or their principal components
    manifold       rows decoded on a grid of quantiles of a two-dimensional prior

Reference: Auto-encoding variational Bayes (Kingma, Welling, 2014) https://arxiv.org/abs/1312.6114
(the grid of quantiles)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Floats
from ..errors import InputError
from ..settings import integer
from .codes import codes_of, latent_model
from .decoded import Decoded, decode_codes


@dataclass(frozen=True, eq=False)
class LatentMap:
    """Codes in two dimensions.

    Attributes:
        points: (n, 2).
        explained: (2,) the share of the codes' variance along each axis.
        exact: whether the points are the codes themselves rather than a projection.
        centre, axes: (k,) and (2, k), so that points = (codes - centre) @ axes.T.
    """

    points: Floats
    explained: Floats
    exact: bool
    centre: Floats
    axes: Floats

    def codes(self, points: ArrayLike) -> Floats:
        """(n, k) codes in the plane of the map at these points (n, 2)."""
        return np.asarray(points, np.float64) @ self.axes + self.centre


def manifold(model: Any, *, X: Any = None, y: Any = None, side: int = 15) -> Decoded:
    """Rows decoded on a grid over a two-dimensional latent space; shape (side, side).

    The grid stands at the quantiles (i + 1/2) / side of each latent, among draws of the prior or,
    where the model has none, among the codes of X: equal shares of the rows lie between its lines.
    The first latent grows to the right, the second upwards.

    Raises:
        InputError: if the model has another number of latents than 2, or neither prior nor X.
    """
    integer(2).check("side", side)
    if X is not None:
        codes = codes_of(model, X, y)
    elif latent_model(model).prior:
        codes = np.asarray(model.sample_latents(20_000, random_state=0), np.float64)
    else:
        raise InputError("the model has no prior to lay a grid over; give X, rows to take it from.")
    if codes.shape[1] != 2:
        raise InputError(f"{codes.shape[1]} latents; a manifold is drawn of 2. Use `traverse`.")
    across, up = np.quantile(codes, (np.arange(side) + 0.5) / side, axis=0).T
    x, z = np.meshgrid(across, up[::-1])
    return decode_codes(model, np.stack([x, z], axis=-1), y)


def latent_map(model: Any, X: Any, y: Any = None) -> LatentMap:
    """The codes of rows in two dimensions: themselves if k = 2, else principal components.

    Raises:
        InputError: for fewer than 2 latents, or fewer than 3 rows.
    """
    return map_of(codes_of(model, X, y))


def map_of(codes: ArrayLike) -> LatentMap:
    """`latent_map` of codes (n, k)."""
    z = np.asarray(codes, np.float64)
    if z.ndim != 2 or z.shape[1] < 2 or len(z) < 3:
        raise InputError(
            f"codes of shape {z.shape}; a map needs at least 3 rows and 2 latents. With one "
            "latent, draw a histogram."
        )
    total = float(z.var(axis=0).sum()) or 1.0
    if z.shape[1] == 2:
        return LatentMap(z, z.var(axis=0) / total, True, np.zeros(2), np.eye(2))
    centre = z.mean(axis=0)
    _, sizes, axes = np.linalg.svd(z - centre, full_matrices=False)
    axes = axes[:2]
    # The sign of a component is free: its largest entry is made positive.
    axes = axes * np.where(axes[[0, 1], np.abs(axes).argmax(axis=1)] < 0, -1.0, 1.0)[:, None]
    explained = np.square(sizes[:2]) / len(z) / total
    return LatentMap((z - centre) @ axes.T, explained, False, centre, axes)
