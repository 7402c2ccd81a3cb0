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

V multiplies errors of a net's Jacobian by r_t^2. The Jacobian of a net with the target "edm", of
rows of variance l, is off by about e / r_t at large r_t, where e is what its output's is off, and V
by e r_t: at r_t = 80 that is noise of any sign. There x given x_t has nearly the covariance of all
rows, and that of a Gaussian with that covariance is right. So of a net, with J_G of
`gaussian_frame` and the mean l of its variances, J = d xhat / d x_t in V gives way to

    (1 - w_t) J + w_t J_G,    w_t = (r_t^2 / (r_t^2 + l))^2.

Where the frame keeps no covariances, which J alone has then, l is the sum of the variances: no axis
has more. J_G is exact where rows are normal, at every r_t, and elsewhere as r_t grows. The error of
V is then at most about e, where l is 1; as r_t falls, w_t does as r_t^4. Where even so u^T V u of a
direction u is less than half w_t^(1/2) of that of the Gaussian, J_G takes over more, wholly where
u^T V u is not above 0, which no variance is: else states far from all rows are sent farther. Of the
exact Jacobian of a mixture this raises the bias from 0.35 standard deviations to 0.37, and
w_t^(1/2) in the place of w_t to 0.40 (`benchmarks/diffusion_conditioning.py`, 40 rows of 300
draws).

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

from .gaussian_frame import GaussianFrame
from .observation import GaussianObservation, LogLikelihood
from .process import Denoise, Process, along
from .reverse_steps import RowDraws, Step, falling_times

Product = Callable[[Tensor], Tensor]  # with a matrix
_NOISIEST = 1e3  # r_t beyond which x_t says nothing, and V is not to be had of it
_LEAST_NOISE = 1e-3  # sigma_y, without which A V A^T may be singular
_TINY = 1e-30


def mmps(
    denoise: Denoise,
    process: Process,
    observation: GaussianObservation | LogLikelihood,
    draws: RowDraws,
    *,
    law: GaussianFrame | None = None,
    steps: int = 50,
    solves: int = 3,
) -> Iterator[Tensor]:
    """xhat (n, K, F) given y at each step from noise to data, with what is known in its place.

    Args:
        draws: of n rows with K states each.
        steps: from noise to data.
        law, solves: see `matched`.
    """
    conditioned = matched(denoise, process, observation, len(draws.rows), law=law, solves=solves)
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
    law: GaussianFrame | None = None,
    solves: int = 5,
) -> Denoise:
    """E[x | x_t, y] of K states (n K, F) of n observed rows, those of one row together.

    Args:
        denoise: differentiable.
        n_rows: n.
        law: the Gaussian with the mean and the covariance of the rows, for J_G; None takes V by the
            denoiser alone, which is for denoisers known exactly.
        solves: steps of conjugate residuals: passes back through the denoiser.
    """

    def conditioned(x_t: Tensor, t: Tensor) -> Tensor:
        t = torch.minimum(t, process.time_of(torch.full_like(t, _NOISIEST)))
        scale = along(process.sigma(t) ** 2 / process.alpha(t), x_t)
        with torch.enable_grad():
            x_t = x_t.detach().requires_grad_()
            xhat = denoise(x_t, t)

        seen = None if law is None else law.to(x_t)
        share = None if law is None else _share_of_law(law, process, t).to(x_t)

        def v_times(u: Tensor) -> Tensor:
            flat = u.view_as(x_t)
            (product,) = torch.autograd.grad(xhat, x_t, flat, retain_graph=True)
            if seen is not None and share is not None:
                of_law = seen.products(process, t, flat[None])[0]
                product = _steadied(product, of_law, flat, share)
            return (scale * product).view_as(u)

        states = xhat.detach().view(n_rows, -1, x_t.shape[1])
        if isinstance(observation, LogLikelihood):
            shift = newton_step(observation, states, v_times, solves)
        else:
            shift = gaussian_step(observation, states, v_times, solves)
        return (states + shift).view_as(x_t)

    return conditioned


def _share_of_law(law: GaussianFrame, process: Process, t: Tensor) -> Tensor:
    """(n, 1) w_t at times (n,)."""
    square = process.ratio(t)[:, None] ** 2
    l = law.variances.sum() if law.axes is None else law.variances.mean()
    return (square / (square + l.to(square))) ** 2


def _steadied(product: Tensor, of_law: Tensor, u: Tensor, share: Tensor) -> Tensor:
    """J u of a net, blended with that of the Gaussian; all (n, F), and the share w_t (n, 1)."""
    blend = torch.lerp(product, of_law, share)
    least = share.sqrt() / 2 * _dot(u, of_law)
    lack = 1 - _dot(u, blend) / least.clamp(min=_TINY)
    return torch.lerp(blend, of_law, lack.clamp(0.0, 1.0))


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
        scale = torch.where(norm > 0, 1 / norm.clamp(min=_TINY), torch.zeros_like(norm))
        image, shift = scale * image, scale * shift
        before.append((image, shift))
        size = _dot(left, image)
        left = left - size * image
        answer = size * shift if answer is None else answer + size * shift
    assert answer is not None
    return answer


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1, keepdim=True)
