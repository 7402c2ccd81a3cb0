"""How badly rows are restored from noise by a trained diffusion model, at several levels of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ...arrays import Floats
from ...inference.diffusion.process import EDMTarget
from ...inference.diffusion.row_noise import row_noise
from ...inference.diffusion.trace import denoised
from ...inference.torch_state import within_cores
from ...rows import Rows
from .densities import as_array, blocks
from .gauge import in_single
from .trained import TrainedDiffusion

_SEED = 12


@torch.no_grad()
@within_cores()
def denoising_errors(
    nets: TrainedDiffusion, rows: Rows, looks: Sequence[float], draws: int
) -> Floats:
    """(n,) errors of rows restored from noise, see `Scoring.reconstruction_error`.

    Args:
        looks: ratios of noise to the rows' deviation.
        draws: of noise at each.
    """
    values, process, sigma = nets.view.values, nets.process, nets.noise.sigma_data
    scaled = EDMTarget(process, sigma)
    found = []
    stored = nets.view.stored(rows.data)
    for x, context, numbers in blocks(nets, stored, rows, values.features):
        total = torch.zeros_like(x[:, 0])
        for k, look in enumerate(looks):
            t = process.time_of(torch.tensor(look * sigma, dtype=x.dtype)).to(x).expand(len(x))
            unit = scaled.error_scale(t)[:, None]
            for draw in range(draws):
                eps = row_noise(_SEED, numbers, k * draws + draw, values.features).to(x)
                data = denoised(
                    in_single(nets.denoise, nets.device), process.noisy(x, eps, t), t, context
                )
                apart = ((x - data) * unit)[:, : values.numbers]
                total += apart.square().sum(1)
                logs = data.clamp(min=1e-37).log()
                for at in values.indicators:
                    total -= (x[:, at] * logs[:, at]).sum(1)
        found.append(as_array(total) / (len(looks) * draws * values.size))
    return np.concatenate(found)
