"""The parts of the bound, on torch; see `report` for what they mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...inference.seeding import seeded
from .backend_torch import TorchVAE
from .objectives import kl_per_latent as closed
from .objectives import terms
from .priors import normal, split
from .scoring import RowDraws

Floats = NDArray[np.float64]
_BLOCK, _DRAWS = 256, 16


def _blocks(vae: TorchVAE, x: Any, context: Any) -> Any:
    for start in range(0, len(x), _BLOCK):
        rows = slice(start, start + _BLOCK)
        c = None if context is None else vae.context(context[rows])
        yield rows, c, vae.nets.encode(vae.rows(x[rows]), c)


@torch.no_grad()
def bound(
    vae: TorchVAE,
    x: Any,
    context: Any,
    seeds: NDArray[np.uint64],
    places: list[Any] | None = None,
) -> tuple[Floats, Floats]:
    """(n,) E_q log p(y | z) by a few draws, a share at each of `places` of a row's cells (see
    `scoring`), and the divergence: closed form or the same draws; `seeds` (n,) are the rows'."""
    found: list[tuple[Tensor, Tensor]] = []
    each = -(-_DRAWS // (1 if places is None else len(places)))
    for rows, c, encoded in _blocks(vae, x, context):
        draws, parts = RowDraws(seeds[rows], vae), []
        for stored in (x,) if places is None else places:
            z = draws.latents(encoded, each)
            y = draws.filled(vae.units.tensor(stored[rows], vae.device), each)
            parts.append(terms(vae.nets, z, encoded, y, c))
        log_x, log_p, log_q = (torch.cat(t) for t in zip(*parts, strict=True))
        kl = closed(vae.nets, encoded)
        found.append((log_x.mean(0), (log_q - log_p).mean(0) if kl is None else kl.sum(-1)))
    reconstruction, divergence = (torch.cat(p).cpu() for p in zip(*found, strict=True))
    return reconstruction.double().numpy(), divergence.double().numpy()


@torch.no_grad()
def kl_per_latent(vae: TorchVAE, x: Any, context: Any) -> Floats:
    """(k,) each latent's divergence from the prior, or from the aggregate of the rows where that
    has no closed form."""
    encoded = torch.cat([e for _, _, e in _blocks(vae, x, context)])
    kl = closed(vae.nets, encoded)
    if kl is None:
        m, log_s = split(encoded[:, : 2 * vae.architecture.latent[0]])
        variance = torch.exp(2 * log_s)
        whole = m.var(0, correction=0) + variance.mean(0)
        kl = 0.5 * (torch.log(whole) - 2 * log_s)  # its mean is that of KL(q || N(mean, whole))
    return np.asarray(kl.mean(0).cpu().double().numpy())


def amortisation_gap(
    vae: TorchVAE, x: Any, context: Any, seed: int, n_steps: int, samples: int = 8
) -> Floats:
    """(n,) ELBO of a Gaussian fitted to each row by Adam, less that of the encoder's; both by the
    same draws, other ones than those fitted with."""
    gaps = []
    with seeded(seed, vae.device):
        for rows, c, encoded in _blocks(vae, x, context):
            y, raw = vae.rows(x[rows]), encoded.detach()
            free = raw.clone().requires_grad_()
            optimiser = torch.optim.Adam([free], lr=0.05)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, n_steps)
            for _ in range(n_steps):
                noise = torch.randn(samples, len(y), raw.shape[-1] // 2, device=raw.device)
                loss = -_elbo(vae, free, noise, y, c).sum()
                (free.grad,) = torch.autograd.grad(loss, [free])
                optimiser.step()
                schedule.step()
            with torch.no_grad():
                noise = torch.randn(64, len(y), raw.shape[-1] // 2, device=raw.device)
                own, shared = (_elbo(vae, r, noise, y, c) for r in (free, raw))
                gaps.append((own - shared).cpu().double().numpy())
    return np.concatenate(gaps)


def _elbo(vae: TorchVAE, raw: Tensor, noise: Tensor, y: Tensor, context: Tensor | None) -> Tensor:
    m, log_s = split(raw)
    z = m + torch.exp(log_s) * noise
    log_x = vae.nets.p_x(z, context).log_prob(y).mean(0)
    kl = closed(vae.nets, raw)
    if kl is not None:
        return log_x - kl.sum(-1)
    log_ratio = normal(m, log_s).log_prob(z) - vae.nets.prior().log_prob(z)
    elbo: Tensor = log_x - log_ratio.mean(0)
    return elbo
