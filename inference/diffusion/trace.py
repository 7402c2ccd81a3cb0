"""Traces of the Jacobian of a denoiser, exact or by probes.

With J = d xhat / d x_t (F, F) of one row, and probes v whose components are -1 or 1 with equal
probability, independent of each other,

    tr J = sum_i e_i^T J e_i,        tr J = E[v^T J v]        (Hutchinson),

the variance of the latter being sum_(i < j) (J_ij + J_ji)^2, of what stands off the diagonal. With
another matrix G whose trace is known, tr G + v^T (J - G) v has the same mean, and hardly any
variance where G is close to J: a control variate.

A product v^T J is one pass in reverse. Passes one by one cost less than a batch of them, or than
passes forward, on processors.

References: Hutchinson, "A stochastic estimator of the trace of the influence matrix", 1989,
https://doi.org/10.1080/03610918908812806; Grathwohl et al., "FFJORD", 2019,
https://arxiv.org/abs/1810.01367 (one probe of a row for its whole path).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .row_noise import row_noise

Told = Callable[..., Tensor]
"""A `Denoise`, or one that takes what rows are conditioned on as a third argument (n, c)."""

_FEWEST = 16  # rows that a net is given
_SEED = 3


def products(
    denoise: Told, x_t: Tensor, t: Tensor, probes: Tensor, context: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Denoised rows, and v^T J of each probe.

    Few rows are given several times over, as products of few rows round otherwise than those of
    many: what is said of a row depends on it alone, up to the last bits.

    Args:
        x_t: (n, F).
        t: (n,).
        probes: (P, n, F).
        context: (n, c) what rows are conditioned on, or None.

    Returns:
        xhat (n, F), and (P, n, F) products.
    """
    n = len(x_t)
    times = -(-_FEWEST // n)
    if times > 1:
        x_t, t, probes = x_t.repeat(times, 1), t.repeat(times), probes.repeat(1, times, 1)
        context = None if context is None else context.repeat(times, 1)
    with torch.enable_grad():
        x_t = x_t.detach().requires_grad_()
        data = denoised(denoise, x_t, t, context)
        found = []
        for number, v in enumerate(probes):
            more = number < len(probes) - 1
            (g,) = torch.autograd.grad(data, x_t, v.to(data.dtype), retain_graph=more)
            found.append(g[:n].to(x_t.dtype))
    return data[:n].detach().to(x_t.dtype), torch.stack(found)


def denoised(denoise: Told, x_t: Tensor, t: Tensor, context: Tensor | None) -> Tensor:
    """xhat (n, F) of rows with their context, where they have one."""
    return denoise(x_t, t) if context is None else denoise(x_t, t, context)


def units(n: int, size: int, like: Tensor) -> Tensor:
    """(F, n, F) probes e_1 .. e_F of each of n rows, whose products add up to the trace."""
    return torch.eye(size, dtype=like.dtype, device=like.device)[:, None].expand(size, n, size)


def signs(rows: NDArray[np.int64], probes: int, size: int, like: Tensor) -> Tensor:
    """(P, n, F) probes of 1 and -1 for rows with these numbers (n,), each row's own."""
    drawn = [row_noise(_SEED, rows, number, size) for number in range(probes)]
    return torch.where(torch.stack(drawn) > 0, 1.0, -1.0).to(like)
