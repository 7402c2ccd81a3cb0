"""What a variational autoencoder is trained on, from one table of log weights.

With z^(1) ... z^(K) ~ q(z | x) and log w_k = log p(x | z_k) + log p(z_k) - log q(z_k | x),

| objective | what is raised |
|---|---|
| elbo | E_q log p(x | z) - beta sum_j max(KL_j, lambda) |
| iwae | log (1/K) sum_k w_k, for each row |
| dreg | the same value; its gradient in phi is sum_k v_k^2 d log w_k / dz dz / dphi |

v_k = w_k / sum w. KL_j is latent j's divergence, a mean over the batch, in closed form where q and
p are Gaussian and otherwise from the draw itself, where q's own parameters are held fixed in
log q (they have no part in the expected gradient, and only add noise). lambda are the free bits:
the nats that a latent may hold unpunished; without a closed form they are shared by all latents.

References: Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", 2016,
https://arxiv.org/abs/1509.00519; Tucker, Lawson, Gu and Maddison, "Doubly reparameterized gradient
estimators for Monte Carlo objectives", 2019, https://arxiv.org/abs/1810.04152; Roeder, Wu and
Duvenaud, "Sticking the landing", 2017, https://arxiv.org/abs/1703.09194; Kingma et al., "Improving
variational inference with inverse autoregressive flow" (free bits), 2016,
https://arxiv.org/abs/1606.04934.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from .priors import NormalPosterior, NormalPrior, normal, split
from .pyro import Nets

OBJECTIVES = ("elbo", "iwae", "dreg")


class Terms(NamedTuple):
    """Of each draw (K, n): log p(x | z), log p(z), log q(z | x)."""

    log_x: Tensor
    log_p: Tensor
    log_q: Tensor

    @property
    def log_w(self) -> Tensor:
        """(K, n) log weights."""
        return self.log_x + self.log_p - self.log_q


def draw(nets: Nets, encoded: Tensor, samples: int) -> list[Tensor]:
    """Latents (K, n, k) of each layer, by torch's random state."""
    z = [nets.q_1(encoded).rsample((samples,))]
    if nets.n_layers == 2:
        z.append(nets.q_2(z[0]).rsample())
    return z


def terms(
    nets: Nets, z: list[Tensor], encoded: Tensor, x: Tensor, context: Tensor | None = None
) -> Terms:
    """The terms of latents z."""
    log_q = nets.q_1(encoded).log_prob(z[0])
    log_p = nets.prior().log_prob(z[-1])
    if nets.n_layers == 2:
        log_q = log_q + nets.q_2(z[0]).log_prob(z[1])
        log_p = log_p + nets.p_1(z[1]).log_prob(z[0])
    return Terms(nets.p_x(z[0], context).log_prob(x), log_p, log_q)


def kl_per_latent(nets: Nets, encoded: Tensor) -> Tensor | None:
    """(n, k) KL_j = (m^2 + s^2 - 1) / 2 - log s, or None where there is no closed form."""
    plain = isinstance(nets.prior, NormalPrior) and isinstance(nets.posterior, NormalPosterior)
    if not plain or nets.n_layers > 1:
        return None
    m, log_s = split(encoded)
    return 0.5 * (m.square() + torch.exp(2 * log_s) - 1) - log_s


def elbo(
    nets: Nets,
    x: Tensor,
    context: Tensor | None = None,
    *,
    beta: float = 1.0,
    free_bits: float = 0.0,
    weights: Tensor | None = None,
    samples: int = 1,
) -> Tensor:
    """The mean over rows (weighted) of the bound, with beta and free bits in it."""
    encoded = nets.encode(x, context)
    z = draw(nets, encoded, samples)
    kl = kl_per_latent(nets, encoded)
    if kl is not None:
        log_x = nets.p_x(z[0], context).log_prob(x).mean(0)
        each = _mean(kl, weights)
        return _mean(log_x, weights) - beta * torch.clamp(each, min=free_bits).sum()
    t = _fixed(nets, z, encoded, x, context)
    whole = _mean((t.log_q - t.log_p).mean(0), weights)
    allowed = free_bits * sum(layer.shape[-1] for layer in z)
    if allowed:
        whole = torch.clamp(whole, min=allowed)
    return _mean(t.log_x.mean(0), weights) - beta * whole


def iwae(
    nets: Nets,
    x: Tensor,
    context: Tensor | None = None,
    *,
    samples: int,
    weights: Tensor | None = None,
    doubly: bool = False,
) -> Tensor:
    """The mean over rows (weighted) of log (1/K) sum_k w_k; `doubly` with DReG's gradient."""
    encoded = nets.encode(x, context)
    z = draw(nets, encoded, samples)
    if not doubly:
        log_w = terms(nets, z, encoded, x, context).log_w
        return _mean(torch.logsumexp(log_w, 0) - math.log(samples), weights)
    # A draw's gradient is multiplied by v on its way into phi, in its direct uses only: what comes
    # through a later layer has been multiplied there.
    used = [layer.view_as(layer) for layer in z]
    log_w = _fixed(nets, used, encoded, x, context).log_w
    v = torch.softmax(log_w.detach(), 0)
    for layer in used:
        if layer.requires_grad:
            layer.register_hook(lambda g: g * v.unsqueeze(-1))
    bound = torch.logsumexp(log_w.detach(), 0) - math.log(samples)
    surrogate = (v * log_w).sum(0)
    return _mean(surrogate + (bound - surrogate).detach(), weights)


def held_terms(
    nets: Nets, x: Tensor, context: Tensor | None = None, *, samples: int, whole: bool
) -> Tensor:
    """(n, 1 + J) of each row, without weights, beta or free bits: what `Training.judged` puts
    together. The first is E_q log p(x | z), the others the divergences, of each latent where they
    have a closed form and else of all; or, of `whole` rows, log (1/K) sum_k w_k alone."""
    encoded = nets.encode(x, context)
    z = draw(nets, encoded, samples)
    if whole:
        log_w = terms(nets, z, encoded, x, context).log_w
        return (torch.logsumexp(log_w, 0) - math.log(samples)).unsqueeze(1)
    kl = kl_per_latent(nets, encoded)
    if kl is not None:
        return torch.cat([nets.p_x(z[0], context).log_prob(x).mean(0).unsqueeze(1), kl], 1)
    t = terms(nets, z, encoded, x, context)
    return torch.stack([t.log_x.mean(0), (t.log_q - t.log_p).mean(0)], 1)


def _fixed(
    nets: Nets, z: list[Tensor], encoded: Tensor, x: Tensor, context: Tensor | None
) -> Terms:
    """The terms with phi held fixed in log q, not in z."""
    log_q = _constant(_LogProb(nets.posterior), encoded.detach(), z[0])
    log_p = nets.prior().log_prob(z[-1])
    if nets.n_layers == 2:
        assert nets.up is not None
        log_q = log_q + normal(*split(_constant(nets.up, z[0]))).log_prob(z[1])
        log_p = log_p + nets.p_1(z[1]).log_prob(z[0])
    return Terms(nets.p_x(z[0], context).log_prob(x), log_p, log_q)


class _LogProb(nn.Module):
    """log q(z | x) of what a posterior takes: whole, because a flow calls its nets when asked."""

    def __init__(self, posterior: nn.Module) -> None:
        super().__init__()
        self.posterior = posterior

    def forward(self, encoded: Tensor, z: Tensor) -> Tensor:
        log_q: Tensor = self.posterior(encoded).log_prob(z)
        return log_q


def _constant(module: nn.Module, *args: Any) -> Any:
    """The module called with its parameters as constants."""
    fixed = {name: p.detach() for name, p in module.named_parameters()}
    return functional_call(module, fixed, args) if fixed else module(*args)


def _mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """Mean over rows, the first axis; weights have mean 1 over all rows of the data."""
    if weights is not None:
        values = values * weights.view(-1, *[1] * (values.ndim - 1))
    return values.mean(0)
