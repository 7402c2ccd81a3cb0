"""What is observed of rows, and what it says of a row that is known up to a Gaussian.

For x ~ N(xhat, diag P), log p(y | xhat) is the log of the mean of p(y | x):

    part of a row      y_f = x_f + sigma_y eps of the features f in a mask:
                       sum_f log N(y_f; xhat_f, sigma_y^2 + P_f); of a block of indicators with
                       the level c observed, log xhat_c, which is exact: the level's probability
    linear map         y = A x + sigma_y eps: log N(y; A xhat, sigma_y^2 I + A diag(P) A^T)
    log likelihood     l(x), with gradient g at xhat, P_g = g^T diag(P) g / |g|^2 the variance along
                       it, and curvature k = max(0, -g^T H g / |g|^2):
                       l(xhat) + P_g |g|^2 / (2 (1 + k P_g)) - log(1 + k P_g) / 2, which is exact
                       where l is linear, or a parabola along one direction

Shapes: xhat (n, K, F) are K states of each of n rows, P (n, 1, F), and y one a row.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_LEAST = 1e-30  # probability of a level


class Observation(ABC):
    """What is observed of n rows."""

    @abstractmethod
    def log_likelihood(self, xhat: Tensor, variance: Tensor) -> Tensor:
        """(n, K) log p(y | xhat) of x ~ N(xhat (n, K, F), diag of the variance (n, 1, F))."""

    def filled(self, x: Tensor) -> Tensor:
        """Rows x (n, K, F) with what is known of them in its place."""
        return x


class GaussianObservation(Observation):
    """y = A x + sigma_y eps.

    Attributes:
        y: (n, 1, m).
        sigma_y: standard deviation of the noise.
    """

    y: Tensor
    sigma_y: float

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """A x, (n, K, m) of x (n, K, F)."""

    @abstractmethod
    def adjoint(self, v: Tensor) -> Tensor:
        """A^T v, (n, K, F) of v (n, K, m)."""


class Known(GaussianObservation):
    """Part of each row; A sets the other features to 0.

    Args:
        mask: (n, F) which features are known.
        values: (n, F) their values; others are not looked at.
        sigma_y: standard deviation of their noise; 0 where they are known exactly.
        blocks: features that are indicators of the levels of one column; all or none of a block
            are known, exactly.
    """

    def __init__(
        self, mask: Tensor, values: Tensor, sigma_y: float = 0.0, blocks: Sequence[slice] = ()
    ) -> None:
        self.sigma_y = sigma_y
        self.mask = mask[:, None]
        self.y = torch.where(mask, values, torch.zeros_like(values))[:, None]
        of_levels = torch.zeros(mask.shape[1], dtype=torch.bool, device=mask.device)
        for block in blocks:
            of_levels[block] = True
        self._numbers = self.mask & ~of_levels
        self._level = (self.y > 0.5) & of_levels

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask

    def adjoint(self, v: Tensor) -> Tensor:
        return v * self.mask

    def filled(self, x: Tensor) -> Tensor:
        return torch.where(self.mask, self.y, x)

    def log_likelihood(self, xhat: Tensor, variance: Tensor) -> Tensor:
        spread = self.sigma_y**2 + variance
        logs = -((self.y - xhat).square() / spread + (2 * math.pi * spread).log()) / 2
        numbers = torch.where(self._numbers, logs, torch.zeros_like(logs)).sum(2)
        # A level that was not observed has probability 1 here, whose logarithm is 0.
        shares = torch.where(self._level, xhat, torch.ones_like(xhat)).clamp(min=_LEAST)
        return numbers + shares.log().sum(2)


class LinearMap(GaussianObservation):
    """A linear map of each row, with noise.

    Args:
        matrix: A (m, F).
        y: (n, m).
        sigma_y: standard deviation of the noise, above 0.
    """

    def __init__(self, matrix: Tensor, y: Tensor, sigma_y: float) -> None:
        self.matrix, self.y, self.sigma_y = matrix, y[:, None], sigma_y

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.matrix.T

    def adjoint(self, v: Tensor) -> Tensor:
        return v @ self.matrix

    def log_likelihood(self, xhat: Tensor, variance: Tensor) -> Tensor:
        noise = self.sigma_y**2 * torch.eye(len(self.matrix), dtype=xhat.dtype, device=xhat.device)
        root = torch.linalg.cholesky(noise + (self.matrix * variance) @ self.matrix.T)
        apart = (self.y - self.forward(xhat)).mT  # (n, m, K)
        squares = torch.linalg.solve_triangular(root, apart, upper=False).square().sum(1)
        log_det = root.diagonal(dim1=1, dim2=2).log().sum(1, keepdim=True)
        logs: Tensor = -squares / 2 - log_det - len(self.matrix) / 2 * math.log(2 * math.pi)
        return logs


class LogLikelihood(Observation):
    """Anything differentiable that is said of rows.

    Args:
        function: l, (n,) log likelihoods of rows (n, F), in nats; of torch, twice differentiable.
    """

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def log_likelihood(self, xhat: Tensor, variance: Tensor) -> Tensor:
        with torch.enable_grad():
            x = xhat if xhat.requires_grad else xhat.detach().requires_grad_()
            l = self.of(x)
            (g,) = torch.autograd.grad(l.sum(), x, create_graph=True)
        square = g.square().sum(2)
        spread = (variance * g.square()).sum(2) / square.clamp(min=_LEAST)
        k = self._curvature(x, g) / square.detach().clamp(min=_LEAST)
        loose = 1 + k * spread
        return l + spread * square / (2 * loose) - loose.log() / 2

    def _curvature(self, x: Tensor, g: Tensor) -> Tensor:
        """(n, K) -g^T H g, 0 where l bends upwards."""
        flat = torch.zeros_like(g[..., 0])
        if not g.requires_grad:  # l is linear
            return flat
        along = g.detach()
        (bent,) = torch.autograd.grad(g, x, along, retain_graph=True, allow_unused=True)
        return flat if bent is None else -(bent.detach() * along).sum(2).clamp(max=0.0)

    def of(self, x: Tensor) -> Tensor:
        """(n, K) l of rows (n, K, F)."""
        return self.function(x.flatten(0, 1)).view(x.shape[:2])
