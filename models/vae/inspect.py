"""The parts of the bound, on torch; see `report` for what they mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .backend_torch import TorchVAE
from .objectives import Terms, draw, kl_per_latent as closed, terms
from .priors import normal, split

Floats = NDArray[np.float64]
_BLOCK, _DRAWS = 256, 16


def _blocks(vae: TorchVAE, x: Any, context: Any) -> Any:
    for start in range(0, len(x), _BLOCK):
        rows = slice(start, start + _BLOCK)
        c = None if context is None else vae.context(context[rows])
        y = vae.rows(x[rows])
        yield y, c, vae.nets.encode(y, c)


@torch.no_grad()
def bound(vae: TorchVAE, x: Any, context: Any, seed: int) -> tuple[Floats, Floats]:
    """(n,) E_q log p(y | z) by a few draws, and the divergence: closed form or the same draws."""
    found: list[tuple[Tensor, Tensor]] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for y, c, encoded in _blocks(vae, x, context):
            t: Terms = terms(vae.nets, draw(vae.nets, encoded, _DRAWS), encoded, y, c)
            kl = closed(vae.nets, encoded)
            each = (t.log_q - t.log_p).mean(0) if kl is None else kl.sum(-1)
            found.append((t.log_x.mean(0), each))
    log_x, kl_x = (torch.cat(p).cpu().double().numpy() for p in zip(*found, strict=True))
    return log_x, kl_x


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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for y, c, encoded in _blocks(vae, x, context):
            raw = encoded.detach()
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


def _elbo(
    vae: TorchVAE, raw: Tensor, noise: Tensor, y: Tensor, context: Tensor | None
) -> Tensor:
    m, log_s = split(raw)
    z = m + torch.exp(log_s) * noise
    log_x = vae.nets.p_x(z, context).log_prob(y).mean(0)
    kl = closed(vae.nets, raw)
    if kl is not None:
        return log_x - kl.sum(-1)
    log_ratio = normal(m, log_s).log_prob(z) - vae.nets.prior().log_prob(z)
    return log_x - log_ratio.mean(0)
