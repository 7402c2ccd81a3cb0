"""Rows given an observation y, by moment matching (MMPS): a denoiser of rows given y, for any
sampler.

Of x given x_t, the mean is xhat and the covariance

    V = (sigma_t^2 / alpha_t) d xhat / d x_t.

Were x given x_t normal, then for y = A x + sigma_y eps

    E[x | x_t, y] = xhat + V A^T (sigma_y^2 I + A V A^T)^-1 (y - A xhat),

and for a log likelihood l, with gradient g and curvature H at xhat, one step of Newton's,

    E[x | x_t, y] = xhat + V u,    (I - H V) u = g,

which is the same where l is that of y = A x + sigma_y eps. Both systems are solved by a few steps
of conjugate residuals; a product with V is one pass back through the denoiser. Exact where rows are
normal; where they are not, V is that of all modes of x given x_t together, and what is drawn is not
calibrated.

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
        solves: steps of conjugate residuals: passes back through the denoiser.
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

    def product(v: Tensor) -> tuple[Tensor, Tensor]:
        shift = v_times(observation.adjoint(v))
        return noise * v + observation.forward(shift), shift

    return conjugate_residuals(product, observation.y - observation.forward(xhat), solves)


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

    def product(u: Tensor) -> tuple[Tensor, Tensor]:
        shift = v_times(u)
        return u - h_times(shift), shift

    return conjugate_residuals(product, g.detach(), solves)


def conjugate_residuals(
    product: Callable[[Tensor], tuple[Tensor, Tensor]], b: Tensor, solves: int
) -> Tensor:
    """S v, with M v = b as nearly as `solves` products allow, for each vector of b (n, K, m).

    Directions p are made so that the M p are orthogonal: what is left of b never grows, and M need
    not be symmetric, which that of a trained denoiser is but nearly.

    Args:
        product: gives M p and S p.
    """
    left, answer = b, None
    before: list[tuple[Tensor, Tensor]] = []  # M p, of norm 1, and S p
    for _ in range(solves):
        image, shift = product(left)
        for earlier, its_shift in before:
            share = _dot(image, earlier)
            image, shift = image - share * earlier, shift - share * its_shift
        norm = _dot(image, image).sqrt()
        scale = torch.where(norm > 0, 1 / norm.clamp(min=1e-30), torch.zeros_like(norm))
        image, shift = scale * image, scale * shift
        before.append((image, shift))
        size = _dot(left, image)
        left = left - size * image
        answer = size * shift if answer is None else answer + size * shift
    assert answer is not None
    return answer


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(2, keepdim=True)
