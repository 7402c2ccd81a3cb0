"""Rows given an observation y, by moment matching (MMPS): a denoiser of rows given y, for any
sampler.

Of x given x_t, the mean is xhat and the covariance

    V = (sigma_t^2 / alpha_t) d xhat / d x_t.

Were x given x_t normal, then for y = A x + sigma_y eps

    E[x | x_t, y] = xhat + V A^T (sigma_y^2 I + A V A^T)^-1 (y - A xhat),

and for a log likelihood l, with gradient g and curvature H at xhat, one step of Newton's,

    E[x | x_t, y] = xhat + V u,    (I - H V) u = g,

which is the same where l is that of y = A x + sigma_y eps. Both systems are solved by conjugate
gradients, the second in the inner product a^T V b, in which I - H V is symmetric; a product with V
is one pass back through the denoiser. Exact where rows are normal; where they are not, V is that of
all modes of x given x_t together, and what is drawn is not calibrated.

`mmps` takes ancestral steps of that denoiser, of second order: with D in the place of its mean,

    D = E[x | x_t, y] + (E[x | x_t, y] - the same at the time before) / 2,

which is SDE-DPM-Solver++(2M) where r_t falls geometrically. The first order leaves rows too narrow.

References: Learning diffusion priors from observations by expectation maximization (Rozet, Andry,
Lanusse and Louppe, 2024), https://arxiv.org/abs/2405.13712; DPM-Solver++ (Lu et al., 2022),
https://arxiv.org/abs/2211.01095
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from .observation import GaussianObservation, LogLikelihood
from .process import Denoise, Process, along
from .reverse_steps import RowDraws, Step, falling_times

Product = Callable[[Tensor], Tensor]  # with a matrix
_NOISIEST = 1e3  # r_t beyond which x_t says nothing, and V is not to be had of it
_LEAST_NOISE = 1e-3  # sigma_y, without which A V A^T may be singular


def mmps(
    denoise: Denoise,
    process: Process,
    observation: GaussianObservation | LogLikelihood,
    draws: RowDraws,
    *,
    steps: int = 50,
    solves: int = 3,
) -> Iterator[Tensor]:
    """xhat (n, K, F) given y at each step from noise to data, with what is known in its place.

    Args:
        draws: of n rows with K states each.
        steps: from noise to data.
        solves: see `matched`.
    """
    conditioned = matched(denoise, process, observation, len(draws.rows), solves=solves)
    times = falling_times(process, steps)
    first = Step.between(process, times[0], times[1])
    x_t = draws.normal(0) * math.hypot(first.alpha_t, first.sigma_t)
    before: Tensor | None = None
    for i, (t, s) in enumerate(pairwise(times), 1):
        step, flat = Step.between(process, t, s), x_t.flatten(0, 1)
        time = torch.full((1,), t, dtype=flat.dtype, device=flat.device)
        xhat = conditioned(flat, time.expand(len(flat))).view_as(x_t)
        data = xhat if before is None else xhat + (xhat - before) / 2
        x_t = step.mean(x_t, data) + step.ddpm_variance**0.5 * draws.normal(i)
        before = xhat
        yield observation.filled(xhat)


def matched(
    denoise: Denoise,
    process: Process,
    observation: GaussianObservation | LogLikelihood,
    n_rows: int,
    *,
    solves: int = 5,
) -> Denoise:
    """E[x | x_t, y] of K states (n K, F) of n observed rows, those of one row together.

    Args:
        denoise: differentiable.
        n_rows: n.
        solves: iterations of conjugate gradients: passes back through the denoiser.
    """

    def conditioned(x_t: Tensor, t: Tensor) -> Tensor:
        t = torch.minimum(t, process.time_of(torch.full_like(t, _NOISIEST)))
        scale = along(process.sigma(t) ** 2 / process.alpha(t), x_t)
        with torch.enable_grad():
            x_t = x_t.detach().requires_grad_()
            xhat = denoise(x_t, t)

        def v_times(u: Tensor) -> Tensor:
            (back,) = torch.autograd.grad(xhat, x_t, u.view_as(x_t), retain_graph=True)
            return (scale * back).view_as(u)

        states = xhat.detach().view(n_rows, -1, x_t.shape[1])
        if isinstance(observation, LogLikelihood):
            shift = newton_step(observation, states, v_times, solves)
        else:
            shift = gaussian_step(observation, states, v_times, solves)
        return (states + shift).view_as(x_t)

    return conditioned


def gaussian_step(
    observation: GaussianObservation, xhat: Tensor, v_times: Product, solves: int
) -> Tensor:
    """V A^T (sigma_y^2 I + A V A^T)^-1 (y - A xhat), of xhat (n, K, F)."""
    noise = max(observation.sigma_y, _LEAST_NOISE) ** 2
    b = observation.y - observation.forward(xhat)
    v, p, p_shift = torch.zeros_like(b), b, v_times(observation.adjoint(b))
    shift, residual = torch.zeros_like(xhat), b  # V A^T v, and what v leaves of b
    for i in range(solves):
        product = noise * p + observation.forward(p_shift)
        size = _ratio(_dot(residual, residual), _dot(p, product))
        v, shift, after = v + size * p, shift + size * p_shift, residual - size * product
        growth = _ratio(_dot(after, after), _dot(residual, residual))
        residual, p = after, after + growth * p
        if i < solves - 1:
            p_shift = v_times(observation.adjoint(p))
    return shift


def newton_step(observation: LogLikelihood, xhat: Tensor, v_times: Product, solves: int) -> Tensor:
    """V u, with (I - H V) u = g, of xhat (n, K, F)."""
    with torch.enable_grad():
        x = xhat.detach().requires_grad_()
        (g,) = torch.autograd.grad(observation.of(x).sum(), x, create_graph=True)

    def h_times(u: Tensor) -> Tensor:
        if not g.requires_grad:  # l is linear
            return torch.zeros_like(u)
        (product,) = torch.autograd.grad(g, x, u, retain_graph=True, allow_unused=True)
        return torch.zeros_like(u) if product is None else product

    residual = g.detach()
    v_residual = v_times(residual)
    p, v_p, shift = residual, v_residual, torch.zeros_like(xhat)
    for i in range(solves):
        product = p - h_times(v_p)
        square, bend = _dot(residual, v_residual), _dot(v_p, product)
        size = _ratio(square, bend)  # 0 where l bends upwards, which no maximum lies along
        shift, residual = shift + size * v_p, residual - size * product
        if i < solves - 1:
            v_residual = v_times(residual)
            growth = _ratio(_dot(residual, v_residual), square)
            p, v_p = residual + growth * p, v_residual + growth * v_p
    return shift


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(2, keepdim=True)


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, 0 where one is not above 0: where nothing is left to solve."""
    good = (b > 0) & (a > 0)
    return torch.where(good, a / torch.where(good, b, torch.ones_like(b)), torch.zeros_like(a))
