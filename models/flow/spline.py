r"""Monotonic rational-quadratic spline on [-B, B], the identity outside.

With K bins of widths w_k and heights h_k, knots (x_k, y_k), slopes d_k at the knots (d_0 = d_K =
1), s_k = h_k / w_k and z = (x - x_k) / w_k in bin k,

    y = y_k + h_k (s_k z^2 + d_k z (1 - z)) / q,      q = s_k + (d_k + d_{k+1} - 2 s_k) z (1 - z),
    dy/dx = s_k^2 (d_{k+1} z^2 + 2 s_k z (1 - z) + d_k (1 - z)^2) / q^2.

Widths and heights are 2B (m + (1 - K m) softmax(.)), slopes m + (1 - m) softplus(. + ln(e - 1)):
zeros give the identity.

Most of the time of a spline flow goes into the K-wide arrays of the bins. `Bin` writes out their
gradient, which needs a third of the operations that autograd records for the same formula; the rest
is plain torch.

Reference: Durkan, Bekasov, Murray and Papamakarios, "Neural spline flows", 2019,
https://arxiv.org/abs/1906.04032.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Transform, constraints

MIN = 1e-3  # smallest bin, as a share of the interval, and smallest slope
_SHIFT = math.log(math.e - 1)


class Bin(torch.autograd.Function):
    """The bin of each value: left edge on either axis, width, height, raw slopes, each (*,)."""

    @staticmethod
    def forward(
        ctx: Any, value: Tensor, phi: Tensor, bins: int, bound: float, axis: int
    ) -> tuple[Tensor, ...]:
        K = bins
        p = torch.softmax(phi[: 2 * K].unflatten(0, (2, K)), dim=1)  # (2, K, *)
        sizes = (p * (2 * bound * (1 - K * MIN))).add_(2 * bound * MIN)
        edges = sizes.cumsum(1).sub_(bound)  # right edges
        k = (edges[axis, :-1] <= value).sum(0, keepdim=True)  # (1, *)
        both = k.expand(2, 1, *value.shape)
        size = sizes.gather(1, both).squeeze(1)
        left = edges.gather(1, both).squeeze(1).sub_(size)
        # Knots 1 ... K - 1 have a raw slope: knot k is row k - 1. The caller masks the ends.
        c0 = phi[2 * K :].gather(0, (k - 1).clamp_(min=0))[0]
        c1 = phi[2 * K :].gather(0, k.clamp(max=K - 2))[0]
        first, last = k[0] == 0, k[0] == K - 1
        ctx.save_for_backward(p, k)
        ctx.bins, ctx.scale = K, 2 * bound * (1 - K * MIN)
        ctx.mark_non_differentiable(first, last)
        return left[0], left[1], size[0], size[1], c0, c1, first, last

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        p, k = ctx.saved_tensors
        K = ctx.bins
        out = p.new_zeros(3 * K - 1, *k.shape[1:])
        # d left / d size_j = 1 for j < k, d size / d size_j = 1 for j = k; then the softmax.
        j = torch.arange(K).view(K, *[1] * (k.dim() - 1))
        g, before = out[: 2 * K].unflatten(0, (2, K)), (j < k).to(p.dtype)
        for i in (0, 1):
            torch.mul(before, grads[i], out=g[i])
            g[i].scatter_add_(0, k, grads[2 + i].unsqueeze(0))
        pg = p * g
        torch.addcmul(pg, p, pg.sum(1, keepdim=True), value=-1, out=g)
        g.mul_(ctx.scale)
        out[2 * K :].scatter_(0, (k - 1).clamp(min=0), grads[4].unsqueeze(0))
        out[2 * K :].scatter_add_(0, k.clamp(max=K - 2), grads[5].unsqueeze(0))
        return None, out, None, None, None


class Spline(Transform):
    """The spline on [-`bound`, `bound`] of the unconstrained parameters `phi` (3K - 1, *), K =
    `bins` > 1.

    The bins come first: every operation then runs along rows, which is several times faster than
    along K values.
    """

    domain = constraints.real
    codomain = constraints.real
    bijective = True
    sign = +1

    def __init__(self, phi: Tensor, bins: int, bound: float) -> None:
        super().__init__()
        self.phi, self.bins, self.bound = phi, bins, bound

    def __repr__(self) -> str:
        return f"Spline(bins={self.bins}, bound={self.bound})"

    def _bin(self, value: Tensor, axis: int) -> tuple[Tensor, ...]:
        phi = self.phi.expand(self.phi.shape[0], *value.shape)
        x0, y0, w, h, c0, c1, first, last = Bin.apply(
            value.detach(), phi, self.bins, self.bound, axis
        )
        d = MIN + (1 - MIN) * F.softplus(torch.stack((c0, c1)) + _SHIFT)
        ends = torch.stack((first, last))
        d0, d1 = torch.where(ends, 1.0, d).unbind(0)
        return x0, y0, w, h, d0, d1

    def call_and_ladj(self, x: Tensor) -> tuple[Tensor, Tensor]:
        inside = x.abs() < self.bound
        value = torch.where(inside, x, 0.0)
        x0, y0, w, h, d0, d1 = self._bin(value, 0)
        z, s = (value - x0) / w, h / w
        r = z * (1 - z)
        q = s + (d0 + d1 - 2 * s) * r
        y = y0 + h * (s * z**2 + d0 * r) / q
        ladj = ((d1 * z**2 + 2 * s * r + d0 * (1 - z) ** 2) * (s / q) ** 2).log()
        return torch.where(inside, y, x), torch.where(inside, ladj, 0.0)

    def _call(self, x: Tensor) -> Tensor:
        return self.call_and_ladj(x)[0]

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.call_and_ladj(x)[1]

    def _inverse(self, y: Tensor) -> Tensor:
        inside = y.abs() < self.bound
        value = torch.where(inside, y, 0.0)
        x0, y0, w, h, d0, d1 = self._bin(value, 1)
        s, v = h / w, value - y0
        e = v * (d0 + d1 - 2 * s)
        a, b, c = h * (s - d0) + e, h * d0 - e, -s * v
        z = 2 * c / (-b - (b**2 - 4 * a * c).clamp(min=0).sqrt())
        return torch.where(inside, x0 + z * w, y)
