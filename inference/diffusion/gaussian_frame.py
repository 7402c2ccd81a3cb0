"""The Gaussian with the mean and the covariance of the rows, as a denoiser whose every property is
known: coordinates in which its rows stand still, and traces, losses and densities in closed form.

Of x ~ N(m, C), C = B diag(l) B^T, with s_t^2 = alpha_t^2 l + sigma_t^2 for each axis,

    z = B^T (x_t - alpha_t m) / s_t                             coordinates (`enter`, `leave`)
    xhat_G = m + B (alpha_t l / s_t) z                          its denoiser (`denoised`)
    J_G = B diag(alpha_t l / s_t^2) B^T                         Jacobian of that (`products`)

Along the probability flow of this Gaussian z does not change, and the volume changes by prod s_t.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .process import Process

MOST = 1024  # features up to which covariances are kept, not variances alone


@dataclass(frozen=True)
class GaussianFrame:
    """A Gaussian and its coordinates.

    Attributes:
        mean: (F,).
        variances: (F,) l, along the axes.
        axes: (F, F) B, a column for each axis; None where these are the features themselves.
    """

    mean: Tensor
    variances: Tensor
    axes: Tensor | None = None

    @classmethod
    def fit(cls, x: Tensor, weights: Tensor | None = None) -> Self:
        """That of rows x (n, F), in double precision. Of the covariances between features a share
        of n / (n + F) is kept, so that few rows have no axes along which nothing varies; none of
        more than 1,024 features.

        Args:
            weights: (n,) of the rows; None takes all alike.
        """
        x = x.double()
        w = torch.ones(len(x), dtype=x.dtype) if weights is None else weights.to(x)
        w = w / w.sum()
        mean = w @ x
        apart = x - mean
        if x.shape[1] > MOST:
            return cls(mean, w @ apart.square())
        covariance = apart.T @ (w[:, None] * apart)
        kept = 1 / (1 + x.shape[1] * float(w @ w))  # w @ w is 1 / n of weights that are alike
        return cls.of(mean, kept * covariance + (1 - kept) * covariance.diagonal().diag())

    @classmethod
    def of(cls, mean: Tensor, covariance: Tensor) -> Self:
        """N(mean (F,), covariance (F, F))."""
        variances, axes = torch.linalg.eigh(covariance.double())
        return cls(mean.double(), variances.clamp(min=0.0), axes)

    def to(self, where: torch.device | Tensor) -> GaussianFrame:
        """The same on a device, or like a tensor."""
        axes = None if self.axes is None else self.axes.to(where)
        return GaussianFrame(self.mean.to(where), self.variances.to(where), axes)

    def rotated(self, x: Tensor) -> Tensor:
        """B^T x of differences x (..., F)."""
        return x if self.axes is None else x @ self.axes

    def back(self, z: Tensor) -> Tensor:
        """B z of differences z (..., F) along the axes."""
        return z if self.axes is None else z @ self.axes.T

    def scale(self, process: Process, t: Tensor) -> Tensor:
        """(n, F) s_t at times (n,)."""
        alpha_t, sigma_t = process.alpha(t)[:, None], process.sigma(t)[:, None]
        return (alpha_t**2 * self.variances + sigma_t**2).sqrt()

    def gain(self, process: Process, t: Tensor) -> Tensor:
        """(n, F) alpha_t l / s_t^2 at times (n,): eigenvalues of J_G, whose sum is its trace."""
        return process.alpha(t)[:, None] * self.variances / self.scale(process, t) ** 2

    def products(self, process: Process, t: Tensor, probes: Tensor) -> Tensor:
        """v^T J_G (P, n, F) of probes (P, n, F) at times (n,)."""
        return self.back(self.rotated(probes) * self.gain(process, t))

    def enter(self, process: Process, x_t: Tensor, t: Tensor) -> Tensor:
        """z (n, F) of x_t (n, F) at times (n,)."""
        apart = x_t - process.alpha(t)[:, None] * self.mean
        return self.rotated(apart) / self.scale(process, t)

    def leave(self, process: Process, z: Tensor, t: Tensor) -> Tensor:
        """x_t (n, F) of z (n, F) at times (n,)."""
        return process.alpha(t)[:, None] * self.mean + self.back(z * self.scale(process, t))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What a saved run keeps."""
        parts = {"mean": self.mean, "variances": self.variances}
        if self.axes is not None:
            parts["axes"] = self.axes
        return {name: part.cpu().numpy() for name, part in parts.items()}

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `arrays` gave."""
        parts = {name: torch.from_numpy(np.array(a, np.float64)) for name, a in arrays.items()}
        return cls(parts["mean"], parts["variances"], parts.get("axes"))
