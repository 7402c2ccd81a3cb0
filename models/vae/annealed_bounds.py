"""Bounds of the log density by annealed importance sampling: from below on any rows, where
importance weights fail, and from both sides on rows that the fit made itself.

Chains walk from the guide's q(z | x) to the posterior of the pair. For a simulated row, z* ~ p(z)
and x ~ p(x | z*), z* is an exact draw from p(z | x). Annealing from there back to q bounds log p(x)
from above, and forth from q from below:

    IWAE-K  <=  log p(x),          AIS  <=  log p(x)  <=  reverse AIS          (in expectation),

so that their difference is the most that any lower bound can be off, on rows as the model has them.
How real rows fare is told by it as far as they are like simulated ones.

Annealing keeps a row where it is, so fits that fill cells with noise are refused.

References: Grosse, Ghahramani and Adams, "Sandwiching the marginal likelihood using bidirectional
Monte Carlo", 2015, https://arxiv.org/abs/1511.02543; Grosse, Ancha and Roy, "Measuring the
reliability of MCMC inference with bidirectional Monte Carlo", 2016,
https://arxiv.org/abs/1606.02275; Wu, Burda, Salakhutdinov and Grosse, "On the quantitative analysis
of decoder-based generative models", 2017, https://arxiv.org/abs/1611.04273 (for decoders).
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...arrays import Floats
from ...errors import InputError
from ...inference.ais import Annealing, ais, sigmoidal
from ...inference.bdmc import bdmc
from ...inference.hmc import Start
from ...inference.importance import Weights, joined
from ...inference.local_sites import Sites
from ...inference.local_sites_pyro import replay, total
from ...inference.torch_state import seeded
from . import pyro as programs
from .bounds import DensityGap
from .priors import base_of, carried
from .trained_nets import DATA, TrainedNets, middle

Array = NDArray[Any]
_BLOCK = 64
_AT_ONCE = 128  # importance draws of a block


def check_unfilled(net: TrainedNets, dequantised: Sequence[str]) -> None:
    """Raise InputError if values are filled with noise, by the nets or in these columns."""
    noisy = ("pixels",) if net.values.filled else dequantised
    if noisy:
        raise InputError(
            "annealing keeps a row where it is, and this fit fills in cells of "
            f'{", ".join(noisy[:3])} with noise. Take method="iwae" (more n_samples), or fit '
            'levels of images with likelihood="discretised_logistic".'
        )


def anneal(
    net: TrainedNets,
    x: Array,
    context: Floats | None,
    seeds: NDArray[np.uint64],
    chains: int,
    n_temperatures: int = 200,
    *,
    done: Callable[[int], object] = lambda rows: None,
) -> tuple[Weights, str]:
    """Bounds of stored rows (n, D) by annealing; random numbers go by blocks of rows, and `done` is
    told how many more are done."""
    settings, parts = Annealing(schedule=sigmoidal(n_temperatures), chains=chains), []
    for rows, y, c in net.blocks(x, context, _BLOCK):
        f, g = _ends(net, y, c)
        generator = torch.Generator(net.device).manual_seed(int(seeds[rows.start]) >> 1)
        parts.append(ais(f, g, settings, generator=generator).weights)
        done(len(y))
    return joined(parts), f"AIS-{n_temperatures}, {chains} chains"


def simulated_gap(
    net: TrainedNets,
    n: int,
    seed: int,
    context: Floats | None,
    *,
    chains: int,
    n_temperatures: int,
    samples: int = 1024,
) -> DensityGap:
    """Bounds on n simulated rows: by importance samples, and by annealing from both sides."""
    settings = Annealing(schedule=sigmoidal(n_temperatures), chains=chains)
    lower, upper, iwae = [], [], []
    with seeded(seed, net.device):
        for start in range(0, n, _BLOCK):
            m = min(_BLOCK, n - start)
            c = net.context(context, slice(start, start + m))
            with torch.no_grad():
                made = net.simulated(m, c, lambda name, fn: fn.sample())
            y = made[DATA]["value"]
            f, g = _ends(net, y, c)
            with torch.no_grad():
                order = net.guided(y, c, 1, middle)
            z = _flat({name: made[name]["value"] for name in order})
            generator = torch.Generator(net.device).manual_seed(seed + start)
            both = bdmc(f, g, z, settings, generator=generator)
            lower.append(both.lower)
            upper.append(both.upper)
            with torch.no_grad():
                parts = []
                for begin in range(0, samples, _AT_ONCE):
                    z = g.sample(min(_AT_ONCE, samples - begin), generator)
                    parts.append(f(z) - g.log_prob(z))
                log_mean = torch.logsumexp(torch.cat(parts).double(), 0) - math.log(samples)
            iwae.append(log_mean.cpu().numpy())
    first, below, above = (np.concatenate(b) + net.values.log_det for b in (iwae, lower, upper))
    return DensityGap(first, below, above, samples, chains, n_temperatures)


def _ends(net: TrainedNets, y: Tensor, context: Tensor | None) -> tuple[Any, Start]:
    """log p(y, z), and q(z | y) with its sampler, of the sites' latents side by side."""
    net.nets.requires_grad_(False)
    with torch.no_grad():
        q = net.guided(y, context, 1, middle)

    def log_joint(z: Tensor) -> Tensor:
        return total(net.modelled(y, context, _apart(z, q)))

    def log_q(z: Tensor) -> Tensor:
        values = _apart(z, q)
        if len(q) == 1:  # the same for all z
            ((name, site),) = q.items()
            found: Tensor = site["fn"].log_prob(values[name])
            return found
        return total(replay(programs.guide, net.nets, y, context, values=values))

    def sample(chains: int, generator: torch.Generator) -> Tensor:
        sizes = [_size(site) for site in q.values()]
        shape = (chains, len(y), sum(sizes))
        noise = torch.randn(shape, generator=generator, device=generator.device).split(sizes, -1)
        each = dict(zip(q, noise, strict=True))

        def by(name: str, fn: Any, samples: int) -> Tensor:
            return carried(fn, each[name].reshape(chains, -1, *fn.event_shape))

        with torch.no_grad():
            return _flat({k: s["value"] for k, s in net.guided(y, context, chains, by).items()})

    return log_joint, Start(log_q, sample, torch.cat([_spread(s, len(y)) for s in q.values()], -1))


def _size(site: Any) -> int:
    return math.prod(site["fn"].event_shape)


def _spread(site: Any, n: int) -> Tensor:
    """(n, k) standard deviations of a site that depends on rows alone; else ones."""
    if len(site["fn"].batch_shape) > 1:
        return torch.ones(n, _size(site), device=site["value"].device)
    spread: Tensor = base_of(site["fn"])[0].stddev
    return spread.reshape(n, -1)


def _flat(values: dict[str, Tensor]) -> Tensor:
    """Latents of all sites beside each other: (*, n, sum of k)."""
    rows = next(iter(values.values())).ndim - 1
    return torch.cat([z.reshape(*z.shape[:rows], -1) for z in values.values()], -1)


def _apart(z: Tensor, q: Sites) -> dict[str, Tensor]:
    parts = z.split([_size(site) for site in q.values()], -1)
    return {
        name: part.reshape(*z.shape[:-1], *site["fn"].event_shape)
        for (name, site), part in zip(q.items(), parts, strict=True)
    }
