"""Rows of noise, by a trained net."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch

from ...arrays import Floats
from ...inference.torch_state import within_cores
from .guidance import Guidance
from .trained import TrainedDiffusion

STEPS = 13


@torch.no_grad()
def sampled(
    nets: TrainedDiffusion,
    n: int,
    context: Floats | None,
    seed: int,
    *,
    steps: int | None = None,
    method: str = "auto",
    guidance: Guidance | float = 1.0,
) -> Floats:
    """(n, F) features of rows, by Heun's method on the probability-flow ODE.

    Args:
        context: (n, c) what each is conditioned on.
        seed: of the noise.
        guidance: towards the context.
    """
    process, denoise = nets.process, nets.denoiser(context, guidance)
    generator = torch.Generator().manual_seed(seed)
    x_1 = torch.randn(n, nets.view.values.features, generator=generator)
    x_t = x_1.to(nets.device) * process.end_scale(nets.noise.sigma_data)
    least, most = process.t_min, process.t_max
    grid = least + (most - least) * torch.linspace(1, 0, (steps or STEPS) + 1) ** 2
    with within_cores():
        for t, s in pairwise(grid.tolist()):
            v_t, v_s = None, None
            for at in (t, s):
                x_s = x_t if v_t is None else x_t + (s - t) * v_t
                time = torch.tensor(at, device=nets.device).expand(n)
                v_s = process.velocity(x_s, denoise(x_s, time), time)
                v_t = v_s if v_t is None else v_t
            assert v_t is not None
            assert v_s is not None
            x_t = x_t + (s - t) / 2 * (v_t + v_s)
    return np.asarray(x_t.double().cpu().numpy())
