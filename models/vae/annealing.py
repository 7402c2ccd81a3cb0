"""Annealed importance sampling from the encoder's posterior, where its importance weights fail, and
both sides of the truth on simulated rows (see `gap`).

Annealing keeps a row where it is, so fits that fill cells with noise are refused.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import InputError
from ...inference.ais import Settings, ais, sigmoidal
from ...inference.bdmc import bdmc
from ...inference.hmc import Start
from ...inference.importance import Weights
from ...inference.seeding import seeded

if TYPE_CHECKING:
    from .estimator import VAE

Floats = NDArray[np.float64]
_BLOCK = 64
_AT_ONCE = 128  # importance draws of a block


def anneal(
    vae: VAE,
    x: NDArray[Any],
    context: Floats | None,
    seeds: NDArray[np.uint64],
    chains: int,
    n_temperatures: int = 200,
    *,
    done: Callable[[int], object] = lambda rows: None,
) -> tuple[Weights, str]:
    """Bounds of stored rows (n, D) by annealing; random numbers go by blocks of rows, and `done` is
    told how many more are done."""
    _check(vae)
    settings, parts = Settings(schedule=sigmoidal(n_temperatures), chains=chains), []
    for start in range(0, len(x), _BLOCK):
        rows = slice(start, start + _BLOCK)
        c = None if context is None else vae.net_.context(context[rows])
        f, g = _ends(vae, vae.net_.rows(x[rows]), c)
        generator = torch.Generator(vae.net_.device).manual_seed(int(seeds[start]) >> 1)
        parts.append(ais(f, g, settings, generator=generator).weights)
        done(len(x[rows]))
    found = Weights(
        *(
            np.concatenate([getattr(p, name) for p in parts])
            for name in ("log_mean", "stderr", "ess", "khat")
        )
    )
    return found, f"AIS-{n_temperatures}, {chains} chains"


def simulated_gap(
    vae: VAE,
    n: int,
    seed: int,
    chains: int,
    n_temperatures: int,
    context: Floats | None,
    samples: int = 1024,
) -> tuple[Floats, Floats, Floats]:
    """On n simulated rows: (n,) importance bound, annealed lower bound, annealed upper bound."""
    _check(vae)
    net, settings = vae.net_, Settings(schedule=sigmoidal(n_temperatures), chains=chains)
    lower, upper, iwae = [], [], []
    with seeded(seed, net.device):
        for start in range(0, n, _BLOCK):
            m = min(_BLOCK, n - start)
            c = None if context is None else net.context(context[start : start + m])
            with torch.no_grad():
                z = [net.nets.prior()(torch.Size((m,)))]
                if net.nets.n_layers == 2:
                    z.insert(0, net.nets.p_1(z[0]).sample())
                y = net.nets.p_x(z[0], c).sample()
            f, g = _ends(vae, y, c)
            generator = torch.Generator(net.device).manual_seed(seed + start)
            both = bdmc(f, g, torch.cat(z, -1), settings, generator=generator)
            lower.append(both.lower)
            upper.append(both.upper)
            with torch.no_grad():
                parts = []
                for begin in range(0, samples, _AT_ONCE):
                    z_q = g.sample(min(_AT_ONCE, samples - begin), generator)
                    parts.append(f(z_q) - g.log_prob(z_q))
                log_mean = torch.logsumexp(torch.cat(parts).double(), 0) - math.log(samples)
            iwae.append(log_mean.cpu().numpy())
    return np.concatenate(iwae), np.concatenate(lower), np.concatenate(upper)


def _check(vae: VAE) -> None:
    noisy = ("pixels",) if vae.units_.filled else vae.codec_.dequantised
    if noisy:
        raise InputError(
            "annealing keeps a row where it is, and this fit fills in cells of "
            f'{", ".join(noisy[:3])} with noise. Take method="iwae" (more n_samples), or fit '
            'levels of images with likelihood="discretised_logistic".'
        )


def _ends(vae: VAE, y: Tensor, context: Tensor | None) -> tuple[Any, Start]:
    """log p(y, z), and q(z | y) with its sampler; latents of two layers side by side."""
    nets, sizes = vae.net_.nets.requires_grad_(False), vae.architecture_.latent
    with torch.no_grad():
        encoded = nets.encode(y, context)

    def log_joint(z: Tensor) -> Tensor:
        layers = z.split(sizes, -1)
        log_p = nets.prior().log_prob(layers[-1])
        if len(layers) == 2:
            log_p = log_p + nets.p_1(layers[1]).log_prob(layers[0])
        joint: Tensor = log_p + nets.p_x(layers[0], context).log_prob(y)
        return joint

    def log_q(z: Tensor) -> Tensor:
        layers = z.split(sizes, -1)
        value: Tensor = nets.q_1(encoded).log_prob(layers[0])
        if len(layers) == 2:
            value = value + nets.q_2(layers[0]).log_prob(layers[1])
        return value

    def sample(chains: int, generator: torch.Generator) -> Tensor:
        from .scoring import place

        noise = torch.randn(
            chains, len(y), sum(sizes), generator=generator, device=generator.device
        )
        with torch.no_grad():
            return torch.cat(place(vae.net_, encoded, noise), -1)

    scale = torch.exp(encoded[:, sizes[0] : 2 * sizes[0]].clamp(-10, 3))
    if len(sizes) == 2:
        scale = torch.cat((scale, torch.ones(len(y), sizes[1], device=scale.device)), -1)
    return log_joint, Start(log_q, sample, scale)
