"""What a bound is made of: reconstruction and divergence, latent by latent, and what the encoder
leaves on the table.

    ELBO = E_q log p(x | z) - sum_j KL_j,
    amortisation gap = max over (m, s) of the ELBO of q = Normal(m, s^2), less the encoder's.

Where the divergence has no closed form for each latent (flows, mixtures, two layers), latent j's
share is that of its Gaussian against the aggregate of all rows' Gaussians, which is 0 exactly where
the latent says nothing of a row.

Reference: Cremer, Li and Duvenaud, "Inference suboptimality in variational autoencoders", 2018,
https://arxiv.org/abs/1801.03558 (amortisation gap).
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...arrays import Floats
from ...inference.local_pyro import bound_parts, divergences, terms
from ...inference.local_sites import Sites, values_of
from ...inference.local_sites_pyro import site
from ...inference.torch_state import as_found, seeded
from .priors import normal
from .row_draws import RowDraws
from .trained_nets import CODE, TrainedNets, doubles, middle

Array = NDArray[Any]
_BLOCK, _DRAWS = 256, 16


@torch.no_grad()
def bound(
    net: TrainedNets,
    x: Array,
    context: Floats | None,
    seeds: NDArray[np.uint64],
    places: Sequence[Array],
) -> tuple[Floats, Floats]:
    """(n,) E_q log p(y | z) by a few draws, a share at each of the places of a row's cells, and the
    divergence: closed form or the same draws.

    Args:
        x: (n, D) stored rows, which the guide sees.
        seeds: (n,) of each row's draws.
    """
    found: list[tuple[Tensor, Tensor]] = []
    each = -(-_DRAWS // len(places))
    for rows, y, c in net.blocks(x, context, _BLOCK):
        draws, log_x, ratio = RowDraws(seeds[rows], net), [], []
        for place in places:
            q = net.guided(y, c, each, draws.latents(each))
            p = net.modelled(draws.filled(net.tensor(place[rows]), each), c, values_of(q))
            t = terms(q, p)
            log_x.append(t.log_x)
            ratio.append(t.log_ratio)
        closed = divergences(q, p)
        kl = torch.cat(ratio).mean(0) if closed is None else closed[0].sum(1)
        found.append((torch.cat(log_x).mean(0), kl))
    reconstruction, divergence = map(doubles, zip(*found, strict=True))
    return reconstruction, divergence


@torch.no_grad()
def kl_per_latent(net: TrainedNets, x: Array, context: Floats | None) -> Floats:
    """(k,) each latent's divergence from the prior, or from the aggregate of the rows where that
    has no closed form."""
    closed: list[Any] = []
    with seeded(0, net.device):
        for _, y, c in net.blocks(x, context):
            q = net.guided(y, c, 1)
            closed.append(divergences(q, net.modelled(y, c, values_of(q))))
    found = [part[0] for part in closed if part is not None and len(part[1]) == len(net)]
    if len(found) == len(closed):
        return np.asarray(torch.cat(found).mean(0).cpu().double().numpy())
    m, s = net.encode(x, context)
    whole = m.var(0) + (s**2).mean(0)
    # The mean of this is that of KL(q || N(mean, whole)).
    return np.asarray((0.5 * np.log(whole) - np.log(s)).mean(0))


def amortisation_gap(
    net: TrainedNets, x: Array, context: Floats | None, seed: int, n_steps: int, samples: int = 8
) -> Floats:
    """(n,) ELBO of a Gaussian fitted to each row by Adam, less that of the encoder's; both by the
    same draws, other ones than those fitted with."""
    gaps = []
    with as_found(), seeded(seed, net.device):
        for _, y, c in net.blocks(x, context, _BLOCK):
            with torch.no_grad():
                base = net.guided(y, c, 1, middle)[CODE]["fn"].base_dist
                shared = torch.stack((base.loc, base.scale.log()))
            own = shared.clone().requires_grad_()
            optimiser = torch.optim.Adam([own], lr=0.05)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, n_steps)
            for _ in range(n_steps):
                noise = torch.randn(samples, *base.loc.shape, device=net.device)
                loss = -_elbo(net, own, noise, y, c).sum()
                (own.grad,) = torch.autograd.grad(loss, [own])
                optimiser.step()
                schedule.step()
            with torch.no_grad():
                noise = torch.randn(64, *base.loc.shape, device=net.device)
                each = [_elbo(net, q, noise, y, c) for q in (own, shared)]
                gaps.append(each[0] - each[1])
    return doubles(gaps)


def _elbo(net: TrainedNets, q: Tensor, noise: Tensor, y: Tensor, context: Tensor | None) -> Tensor:
    """(n,) of Normal(m, s^2), q = (m, log s)."""
    m, log_s = q[0], q[1].clamp(-10.0, 3.0)
    z = m + torch.exp(log_s) * noise
    sites: Sites = {CODE: site(normal(m, log_s), z)}
    p = net.modelled(y, context, {CODE: z})
    log_x, kl, _ = bound_parts(sites, p)
    value: Tensor = log_x - kl.sum(1)
    return value
