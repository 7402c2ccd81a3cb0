"""Densities and masses of single values given what a decoder says of them.

Each kind is a class with `log_prob`, `mean` and `sample`, elementwise, of parameters that are the
natural ones of the net: unbounded locations and logits.

| kind | values | log p(x) |
|---|---|---|
| gaussian | real | -(x - l)^2 / (2 s^2) - log s - log(2 pi) / 2 |
| bernoulli | 0, 1 | x l - log(1 + e^l) |
| continuous_bernoulli | [0, 1] | x l - log((e^l - 1) / l) |
| discretised_logistic | -1, -1 + 2h ... 1 | log(sigma((x + h - l) / s) - sigma((x - h - l) / s)) |
| categorical | 0 ... L - 1 | l_x - log sum_j e^(l_j) |

The lowest and the highest level of the discretised logistic take what lies beyond them.

References: Loaiza-Ganem and Cunningham, "The continuous Bernoulli: fixing a pervasive error in
variational autoencoders", 2019, https://arxiv.org/abs/1907.06845; Salimans, Karpathy, Chen and
Kingma, "PixelCNN++", 2017, https://arxiv.org/abs/1701.05517 (discretised logistic).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Gaussian:
    """Real values around l with standard deviation s."""

    @staticmethod
    def log_prob(x: Tensor, l: Tensor, log_s: Tensor) -> Tensor:
        return -0.5 * ((x - l) * torch.exp(-log_s)).square() - log_s - _HALF_LOG_2PI

    @staticmethod
    def mean(l: Tensor, log_s: Tensor) -> Tensor:
        return l

    @staticmethod
    def sample(l: Tensor, log_s: Tensor) -> Tensor:
        return l + torch.exp(log_s) * torch.randn_like(l)


class Bernoulli:
    """0 or 1 with log odds l."""

    @staticmethod
    def log_prob(x: Tensor, l: Tensor) -> Tensor:
        return x * l - F.softplus(l)

    @staticmethod
    def mean(l: Tensor) -> Tensor:
        return torch.sigmoid(l)

    @staticmethod
    def sample(l: Tensor) -> Tensor:
        return (torch.rand_like(l) < torch.sigmoid(l)).to(l.dtype)


class ContinuousBernoulli:
    """Values in [0, 1] with density proportional to e^(l x)."""

    @staticmethod
    def log_prob(x: Tensor, l: Tensor) -> Tensor:
        return x * l - _log_norm(l)

    @staticmethod
    def mean(l: Tensor) -> Tensor:
        small = l.abs() < 1e-2
        safe = torch.where(small, torch.ones_like(l), l)
        return torch.where(small, 0.5 + l / 12, -1 / torch.expm1(-safe) - 1 / safe)

    @staticmethod
    def sample(l: Tensor) -> Tensor:
        u, size = torch.rand_like(l), l.abs().clamp(min=1e-4)
        below = torch.log1p((1 - u) * torch.expm1(-size)) / size  # x - 1 where l > 0
        return torch.where(l < 0, -below, 1 + below).clamp(0, 1)

    @staticmethod
    def logit_of(mean: Tensor) -> Tensor:
        """The l of these means, which are kept within [0.01, 0.99]: by halving intervals."""
        wanted = mean.clamp(0.01, 0.99)
        low, high = torch.full_like(wanted, -101.0), torch.full_like(wanted, 101.0)
        for _ in range(60):
            l = (low + high) / 2
            below = ContinuousBernoulli.mean(l) < wanted
            low, high = torch.where(below, l, low), torch.where(below, high, l)
        return (low + high) / 2


def _log_norm(l: Tensor) -> Tensor:
    """log((e^l - 1) / l) = l / 2 + log(sinh(u) / u), u = |l| / 2."""
    u = l.abs() / 2
    small = u < 0.1
    safe = torch.where(small, torch.ones_like(u), u)
    large = safe + torch.log1p(-torch.exp(-2 * safe)) - torch.log(2 * safe)
    return l / 2 + torch.where(small, u.square() / 6 - u.pow(4) / 180, large)


class DiscretisedLogistic:
    """Levels -1 ... 1 in steps of 2 h: the mass of a logistic around l of scale s in each cell."""

    @staticmethod
    def log_prob(x: Tensor, l: Tensor, log_s: Tensor, h: float) -> Tensor:
        # sigma(a) - sigma(b) = sigma(a) sigma(-b) (1 - e^(b - a)): nothing cancels.
        inverse = torch.exp(-log_s)
        a, b = (x + h - l) * inverse, (x - h - l) * inverse
        inside = F.logsigmoid(a) + F.logsigmoid(-b) + torch.log(-torch.expm1(-2 * h * inverse))
        upper = torch.where(x > 1 - h, F.logsigmoid(-b), inside)
        return torch.where(x < h - 1, F.logsigmoid(a), upper)

    @staticmethod
    def mean(l: Tensor, log_s: Tensor) -> Tensor:
        """That of the logistic cut off at -1 and 1, its area there by the softplus: at most h from
        that of the levels."""
        s = torch.exp(log_s)
        return (s * (F.softplus((l + 1) / s) - F.softplus((l - 1) / s)) - 1).clamp(-1, 1)

    @staticmethod
    def sample(l: Tensor, log_s: Tensor, h: float) -> Tensor:
        u = torch.rand_like(l).clamp(1e-6, 1 - 1e-6)
        x = (l + torch.exp(log_s) * torch.logit(u)).clamp(-1, 1)
        return torch.round((x + 1) / (2 * h)) * (2 * h) - 1


class Categorical:
    """One of the levels along the last axis of l; levels that a column lacks have l = -inf."""

    @staticmethod
    def log_prob(x: Tensor, l: Tensor) -> Tensor:
        log_p = torch.log_softmax(l, -1)
        index = x.long().unsqueeze(-1).expand(*l.shape[:-1], 1)
        return torch.gather(log_p, -1, index).squeeze(-1)

    @staticmethod
    def mean(l: Tensor) -> Tensor:
        """The likeliest level."""
        return l.argmax(-1).to(l.dtype)

    @staticmethod
    def sample(l: Tensor) -> Tensor:
        u = torch.rand(l.shape, device=l.device, dtype=l.dtype).clamp_(1e-20, 1)
        return (l - torch.log(-torch.log(u))).argmax(-1).to(l.dtype)
