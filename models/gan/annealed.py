"""An estimate of the density of a generator whose rows have noise added to them.

The rows G(z) of a generator with k numbers of noise lie on a surface of dimension k, and have no
density where k is less than the dimension of a row. With observation noise of a stated size they
have one,

    p_sigma(x) = integral N(x; G(z), sigma^2 I) N(z; 0, I) dz,

which is that of another variable, x + sigma e, and depends on sigma as much as on G: such numbers
are compared with none of another noise, and never with those of rows themselves. Chains walk from
the noise, N(z; 0, I), to its posterior given the row (see `inference.ais`); the mean weight is
p_sigma(x) in expectation. Where sigma is small beside what G can reach, the effective sample size
says that too few temperatures were taken.

Reference: On the quantitative analysis of decoder-based generative models (Wu, Burda,
Salakhutdinov, Grosse, 2017) https://arxiv.org/abs/1611.04273
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...arrays import Floats
from ...data import AnyCodec, Encoded, ImageCodec
from ...errors import InputError
from ...inference.ais import Annealing, ais, sigmoidal
from ...inference.hmc import Start, normal
from ...inference.importance import Weights, joined
from ..nets.table_view import TableView
from ..nets.views import View
from .trained import TrainedGAN

_BLOCK = 64  # rows whose chains walk side by side
_LOG_2PI = math.log(2 * math.pi)


def annealed(
    nets: TrainedGAN,
    rows: Floats,
    context: Floats | None,
    seeds: NDArray[np.uint64],
    sigma: float,
    settings: Annealing,
) -> Weights:
    """Estimates of log p_sigma of features (n, F), with their errors; random numbers go by blocks
    of rows.

    Args:
        context: (n, c) what each row is conditioned on, or None.
        seeds: (n,) of the rows.
    """
    if nets.view.values.levels:
        raise InputError(
            "the rows have discrete columns, whose levels the generator draws: there is nothing "
            "to add noise to. The annealed density is of columns of numbers, and of images."
        )
    dtype = torch.float64 if nets.architecture.net == "mlp" else torch.float32
    generator = copy.deepcopy(nets.generator).to(dtype).requires_grad_(False)

    def tensor(given: Floats) -> Tensor:
        return torch.as_tensor(given, dtype=dtype, device=nets.device)

    parts = []
    for first in range(0, len(rows), _BLOCK):
        at = slice(first, first + _BLOCK)
        y, c = tensor(rows[at]), None if context is None else tensor(context[at])
        draws = torch.Generator(nets.device).manual_seed(int(seeds[first]) >> 1)
        log_joint, start = ends(partial(_rows, generator, c), y, sigma, nets.architecture.latent)
        parts.append(ais(log_joint, start, settings, generator=draws).weights)
    return joined(parts)


def in_units(codec: AnyCodec, view: View, rows: Encoded) -> tuple[Floats, str]:
    """What is added to log p_sigma of the features of rows, (n,), to have it in the units of the
    data, log |d features / d row|; and the coordinates of the noise in words, with those of the
    density where these are the same.

    Ranks have no derivative where values are tied, and the part of columns that are told is not
    known apart: there the density stays in the coordinates of the nets.
    """
    values, total = view.values, rows.log_det
    if isinstance(view, TableView):
        if view.ranked:
            return np.zeros_like(total), "noise and density in normal scores of ranks"
        if view.map.context.numbers:
            return np.zeros_like(total), "noise and density in standard deviations"
        return total, "noise in standard deviations"
    if isinstance(codec, ImageCodec):
        total = total - values.numbers * math.log(values.scale)
        if codec.pixels.kind != "real":
            total = total - values.numbers * math.log(codec.pixels.unit)
        return total, "noise in pixels from -1 to 1"
    return total, "noise in standard deviations"


def annealing(n_temperatures: int, n_chains: int) -> Annealing:
    """How to anneal by so many temperatures and chains."""
    return Annealing(schedule=sigmoidal(n_temperatures), chains=n_chains)


def ends(
    decode: Callable[[Tensor], Tensor], y: Tensor, sigma: float, k: int
) -> tuple[Callable[[Tensor], Tensor], Start]:
    """log N(y; G(z), sigma^2 I) N(z; 0, I) of rows y (n, F), and the noise that chains start from.

    Args:
        decode: z (chains, n, k) -> (chains, n, F).
    """
    size = y.shape[1]

    def log_prior(z: Tensor) -> Tensor:
        return -0.5 * (z.square().sum(-1) + k * _LOG_2PI)

    def log_joint(z: Tensor) -> Tensor:
        squared = (decode(z) - y).square().sum(-1) / sigma**2
        return log_prior(z) - 0.5 * (squared + size * (_LOG_2PI + 2 * math.log(sigma)))

    def sample(chains: int, generator: torch.Generator) -> Tensor:
        return normal(y.new_empty((chains, len(y), k)), generator)

    return log_joint, Start(log_prior, sample)


def _rows(generator: torch.nn.Module, context: Tensor | None, z: Tensor) -> Tensor:
    """(chains, n, F) rows of noise (chains, n, k)."""
    flat = z.reshape(-1, z.shape[-1])
    c = None if context is None else context.repeat(len(z), 1)
    return generator(flat, c).reshape(*z.shape[:2], -1)  # type: ignore[no-any-return]
