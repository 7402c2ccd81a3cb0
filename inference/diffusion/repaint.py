"""Rows of which a part is known, by RePaint: the known part is noised anew at each time, the rest
follows by the steps of the model, and steps are taken back and again so that both agree.

    down  x_s = mask (alpha_s y + sigma_s eps) + (1 - mask) (a draw of p(x_s | x_t))
    up    x_t ~ p(x_t | x_s), by the forward process

After each `length` steps down, the walk goes `length` steps up, `repeats` - 1 times. The rest sees
the known part only through x_t, in which it is noised apart from it; more repeats mend that, but
what is drawn is not calibrated.

Reference: RePaint: Inpainting using denoising diffusion probabilistic models (Lugmayr et al.,
2022), https://arxiv.org/abs/2201.09865
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from .observation import Known
from .process import Denoise, Process
from .reverse_steps import RowDraws, Step, falling_times


def walk(steps: int, length: int, repeats: int) -> list[int]:
    """Numbers of the times that are visited, from 0 (noise) to `steps` (data)."""
    visited = [0]
    for start in range(0, steps, length):
        end = min(start + length, steps)
        down = list(range(start + 1, end + 1))
        back = list(range(end - 1, start - 1, -1))
        visited += down + (repeats - 1) * (back + down)
    return visited


def repaint(
    denoise: Denoise,
    process: Process,
    observation: Known,
    draws: RowDraws,
    *,
    steps: int = 50,
    length: int = 5,
    repeats: int = 5,
) -> Iterator[Tensor]:
    """xhat (n, K, F) at each step down, with what is known in its place.

    Args:
        draws: of n rows with K states each.
        steps: from noise to data, each taken `repeats` times.
        length: of a jump back, in steps.
    """
    times, known = falling_times(process, steps), observation
    first = Step.between(process, times[0], times[1])
    x_t = first.alpha_t * known.filled(torch.zeros_like(draws.normal(0)))
    x_t = x_t + first.sigma_t * draws.normal(0)
    for i, (here, there) in enumerate(pairwise(walk(steps, length, repeats)), 1):
        eps = draws.normal(i)
        if there < here:
            x_t = Step.between(process, times[there], times[here]).back(x_t, eps)
            continue
        step = Step.between(process, times[here], times[there])
        flat = x_t.flatten(0, 1)
        time = torch.full((1,), times[here], dtype=flat.dtype, device=flat.device)
        with torch.no_grad():
            xhat = denoise(flat, time.expand(len(flat))).view_as(x_t)
        x_s = step.mean(x_t, xhat) + step.ddpm_variance**0.5 * eps
        # The same noise, which goes to the one or to the other.
        x_t = torch.where(known.mask, step.alpha_s * known.y + step.sigma_s * eps, x_s)
        yield known.filled(xhat)
