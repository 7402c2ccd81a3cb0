"""The times that a net is trained at: log(r_t / sigma_data) ~ N(m, s^2), r_t = sigma_t / alpha_t.

On the linear path t is then logit-normal, of EDM sigma_t log-normal. Row i of n has the quantile
of (i + u_i) / n, u_i uniform: each time has the distribution that it should, and a batch has all
levels of noise in their shares, so that its mean loss varies less.

Reference: Variational diffusion models (Kingma et al., 2021), https://arxiv.org/abs/2107.00630
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ...inference.diffusion.process import Process

_SAFE = 1e-6  # of a quantile, from its ends


@dataclass(frozen=True)
class Times:
    """A distribution of times.

    Attributes:
        process: whose times they are.
        mean, spread: of log r_t.
    """

    process: Process
    mean: float
    spread: float

    @cached_property
    def ends(self) -> tuple[float, float]:
        """Of the times of the process that are integrated over."""
        return self.process.t_min, self.process.t_max

    def at(self, quantiles: Tensor) -> Tensor:
        """Times (n,) of quantiles (n,)."""
        z = torch.special.ndtri(quantiles.clamp(_SAFE, 1 - _SAFE))
        return self.process.time_of((self.mean + self.spread * z).exp()).clamp(*self.ends)

    def stratified(self, n: int, device: torch.device) -> Tensor:
        """(n,) times of a batch, by torch's own random state."""
        return self.at((torch.arange(n, device=device) + torch.rand(n, device=device)) / n)
