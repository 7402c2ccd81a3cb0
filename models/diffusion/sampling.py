"""Rows of noise, by a trained net and a sampler (see `inference.diffusion.samplers`).

The noise of a row is a function of the seed and of its number, so that a seed gives the same first
rows however many are drawn.
"""

from __future__ import annotations

import warnings

import numpy as np

from ...arrays import Floats
from ...errors import InputError
from ...inference.diffusion.plan import Plan, draw
from ...inference.diffusion.row_noise import RowNoise
from ...inference.diffusion.samplers import SAMPLERS
from ...inference.torch_state import within_cores
from ..nets.batches import shrinking, slices
from .guidance import Guidance
from .trained import TrainedDiffusion

METHOD = "dpm2m"  # of "auto": of all samplers the best rows for so many evaluations
_AT_ONCE = 1 << 18  # features of the rows that are made at a time


def sampling_plan(nets: TrainedDiffusion, method: str = "auto", steps: int | None = None) -> Plan:
    """The sampler and its times.

    Raises:
        InputError: if the steps are too few for the sampler, or it needs a score that a coupled
            fit has not.
    """
    method = METHOD if method == "auto" else method
    if nets.noise.coupled and SAMPLERS[method].draws:
        raise InputError(
            f'method is {method!r}, which needs the score, and a fit with coupling="optimal" has '
            'only the flow. Take method="dpm2m", "heun", "ddim" or "euler".'
        )
    sigma_data, widest = nets.noise.sigma_data, nets.noise.widest
    return Plan.of(nets.process, method, steps, sigma_data, widest)


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
    """(n, F) features of rows.

    Args:
        context: (n, c) what each is conditioned on.
        seed: of the noise.
        guidance: towards the context.
    """
    plan, size = sampling_plan(nets, method, steps), nets.view.values.features
    if plan.concern:
        warnings.warn(f"{plan.concern}.", stacklevel=2)

    def made(rows: slice) -> Floats:
        told = None if context is None else context[rows]
        noise = RowNoise(seed, np.arange(rows.start, rows.stop), size, nets.device)
        drawn = draw(plan, nets.denoiser(told, guidance), noise)
        return np.asarray(drawn.double().cpu().numpy())

    def every(at_once: int) -> Floats:
        return np.concatenate([made(rows) for rows in slices(n, at_once)])

    with within_cores():
        return shrinking(every, max(64, _AT_ONCE // size), "the net")[0]
