"""The layers a flow is stacked from, as lazy transforms of zuko: masked autoregressive, coupling,
LU linear, and the whitening that they start from.

In a masked autoregressive layer y_i = f(x_i; phi_i(x_{<i}, c)) and in a coupling layer y_B = f(x_B;
phi(x_A, c)), y_A = x_A, where f is an increasing function of one value, here an affine map or a
spline. Both Jacobians are triangular.

`Conditioner` computes phi with rows along the last axis and the parameters of f first, which is the
order that `spline.Spline` is fast in.

References: Papamakarios, Pavlakou and Murray, "Masked autoregressive flow for density estimation",
2017, https://arxiv.org/abs/1705.07057; Dinh, Sohl-Dickstein and Bengio, "Density estimation using
Real NVP", 2017, https://arxiv.org/abs/1605.08803; Germain, Gregor, Murray and Larochelle, "MADE",
2015, https://arxiv.org/abs/1502.03509; Oliva et al., "Transformation autoregressive networks", 2018
(the LU layer), https://arxiv.org/abs/1801.09819.
"""

# mypy: disable-error-code="misc, no-any-return"
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Transform, constraints

from ..nets.whitening import BEND, FARTHEST
from ._zuko import (
    AutoregressiveTransform,
    CouplingTransform,
    DependentTransform,
    LazyTransform,
    MonotonicAffineTransform,
)
from .architecture import Architecture
from .spline import Spline

Univariate = Callable[[Tensor], Transform]


def univariate(a: Architecture) -> tuple[Univariate, int]:
    """f as a function of its parameters phi, and how many these are."""
    if a.kind.startswith("nsf"):
        return partial(Spline, bins=a.bins, bound=a.tail_bound), 3 * a.bins - 1
    return affine, 2


def affine(phi: Tensor) -> Transform:
    """f(x) = exp(a) x + b of phi = (b, a), (2, *)."""
    return MonotonicAffineTransform(phi[0], phi[1])


class Conditioner(nn.Module):
    """A multi-layer perceptron whose output j sees only inputs of a degree below its own.

    `inputs` and `outputs` are the degrees; those of hidden units run over those of the inputs. f
    needs `total` numbers for each output.
    """

    def __init__(
        self, inputs: Sequence[int], outputs: Sequence[int], total: int, a: Architecture
    ) -> None:
        super().__init__()
        self.total, self.dropout = total, a.dropout
        seen = sorted({d for d in inputs if d < max(outputs)}) or [min(outputs) - 1]
        degrees = [torch.tensor(inputs, dtype=torch.long)]
        degrees += [torch.tensor(seen)[torch.arange(n) % len(seen)] for n in a.hidden]
        degrees += [torch.tensor(outputs).repeat(total) - 1]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for i, (below, above) in enumerate(pairwise(degrees)):
            mask = above[:, None] >= below
            self.register_buffer(f"mask{i}", mask.to(torch.get_default_dtype()), persistent=False)
            bound = 1 / math.sqrt(max(len(below), 1))
            last = i == len(a.hidden)
            weight = torch.empty(mask.shape).uniform_(-bound, bound) * mask
            bias = torch.empty(len(above)).uniform_(-bound, bound)
            # Small outputs: the flow begins near the identity.
            self.weights.append(nn.Parameter(weight * 0.1 if last else weight))
            self.biases.append(nn.Parameter(bias * 0.1 if last else bias))

    def forward(self, x: Tensor) -> Tensor:
        """(*, inputs) -> (total, *, outputs)."""
        h = x.reshape(-1, x.shape[-1]).t()
        last = len(self.weights) - 1
        for i, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = torch.addmm(b.unsqueeze(-1), w * getattr(self, f"mask{i}"), h)
            if i < last:
                h = F.dropout(h.relu_(), self.dropout, self.training)
        h = h.view(self.total, -1, h.shape[-1]).transpose(1, 2)
        return h.reshape(self.total, *x.shape[:-1], h.shape[-1])


class Conditioned(LazyTransform):
    """A layer whose f has parameters given by a net, of `inputs` and `outputs` of these degrees."""

    def __init__(self, inputs: Sequence[int], outputs: Sequence[int], a: Architecture) -> None:
        super().__init__()
        self.univariate, total = univariate(a)
        self.reach = a.reach
        self.net = Conditioner(inputs, outputs, total, a)

    def meta(self, c: Tensor | None, x: Tensor) -> Transform:
        # Where there were no rows nets extrapolate, and exp(a) of a scale explodes.
        x = x if self.reach is None else x.clamp(-self.reach, self.reach)
        if c is not None:
            x = torch.cat((x, c.expand(*x.shape[:-1], c.shape[-1])), dim=-1)
        return DependentTransform(self.univariate(self.net(x)), 1)


class Masked(Conditioned):
    """Masked autoregressive layer over the features in the given order."""

    def __init__(self, order: Sequence[int], a: Architecture) -> None:
        super().__init__([*order, *[-1] * a.context], order, a)
        self.features = len(order)

    def forward(self, c: Tensor | None = None) -> Transform:
        return AutoregressiveTransform(partial(self.meta, c), self.features)


class Coupling(Conditioned):
    """Coupling layer: features where `mask` is true are kept and condition the others."""

    def __init__(self, mask: Sequence[bool], a: Architecture) -> None:
        kept = sum(mask)
        super().__init__([0] * (kept + a.context), [1] * (len(mask) - kept), a)
        self.register_buffer("mask", torch.tensor(mask), persistent=False)

    def forward(self, c: Tensor | None = None) -> Transform:
        return CouplingTransform(partial(self.meta, c), self.mask)


class LU(LazyTransform):
    """y = P L U x + b: P a permutation, L unit lower, U upper triangular of positive diagonal."""

    def __init__(self, permutation: Sequence[int]) -> None:
        super().__init__()
        n = len(permutation)
        self.register_buffer("permutation", torch.tensor(permutation))
        self.lower, self.upper = nn.Parameter(torch.zeros(n, n)), nn.Parameter(torch.zeros(n, n))
        self.log_diagonal, self.shift = nn.Parameter(torch.zeros(n)), nn.Parameter(torch.zeros(n))

    def forward(self, c: Tensor | None = None) -> Transform:
        L = self.lower.tril(-1) + torch.eye(len(self.lower), dtype=self.lower.dtype)
        U = self.upper.triu(1) + self.log_diagonal.exp().diag()
        return LinearTransform(L[self.permutation], U, self.log_diagonal.sum(), self.shift)


class LinearTransform(Transform):
    """y = A U x + b with |det A| = 1 and U upper triangular."""

    domain = constraints.real_vector
    codomain = constraints.real_vector
    bijective = True

    def __init__(self, A: Tensor, U: Tensor, ladj: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.A, self.U, self.ladj, self.shift = A, U, ladj, shift

    def _call(self, x: Tensor) -> Tensor:
        return F.linear(x, self.A @ self.U, self.shift)

    def _inverse(self, y: Tensor) -> Tensor:
        rows = (y - self.shift).reshape(-1, y.shape[-1])
        z = torch.linalg.solve(self.A, rows.T)
        return torch.linalg.solve_triangular(self.U, z, upper=True).T.reshape(y.shape)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.ladj.expand(x.shape[:-1])


class Whiten(LazyTransform):
    """y' = beta(W (x - m)), which is not trained (see `nets.whitening`)."""

    def __init__(self, centre: Tensor, matrix: Tensor) -> None:
        super().__init__()
        self.register_buffer("centre", centre)
        self.register_buffer("matrix", matrix)

    def forward(self, c: Tensor | None = None) -> Transform:
        return WhiteningTransform(self.centre, self.matrix)


class WhiteningTransform(Transform):
    """y' = beta(W (x - m)) with W lower triangular; beta is the identity up to `BEND`, and grows as
    a logarithm beyond."""

    domain = constraints.real_vector
    codomain = constraints.real_vector
    bijective = True

    def __init__(self, centre: Tensor, matrix: Tensor) -> None:
        super().__init__()
        self.centre, self.matrix = centre, matrix

    def call_and_ladj(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = F.linear(x - self.centre, self.matrix)
        extra = (y.abs() - BEND).clamp(min=0.0).log1p()
        ladj = self.matrix.diagonal().log().sum() - extra.sum(-1)
        return y.clamp(-BEND, BEND) + y.sign() * extra, ladj

    def _call(self, x: Tensor) -> Tensor:
        return self.call_and_ladj(x)[0]

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.call_and_ladj(x)[1]

    def _inverse(self, y: Tensor) -> Tensor:
        extra = (y.abs() - BEND).clamp(0.0, FARTHEST).expm1()
        y = y.clamp(-BEND, BEND) + y.sign() * extra
        rows = y.reshape(-1, y.shape[-1])
        x = torch.linalg.solve_triangular(self.matrix, rows.T, upper=False)
        return x.T.reshape(y.shape) + self.centre
