"""Variational autoencoder, in Pyro.

A row x comes from latents z in R^k through a decoder net with parameters theta; an encoder net with
parameters phi guesses z from x. Given a context c (none where nothing is conditioned on),

    z ~ p(z),                       x ~ p(x | z, c),                       (model)
    z ~ q(z | x, c),                                                       (guide)

    ELBO(x) = E_q [ log p(x | z, c) ] - KL( q(z | x, c) || p(z) )  <=  log p(x | c).

Both nets are told c in every layer, h -> W h + b + g U c (`nets.conditioned`), so that c is heard
before the latents, drawn without it, can say what it says.

With two layers, z_2 ~ p(z_2), z_1 | z_2 ~ Normal(m(z_2), diag s(z_2)^2), and x given z_1; the guide
goes up again: q(z_1 | x, c) q(z_2 | z_1).

This is what is trained and scored: `inference.local_pyro` reads these sites, and makes of them the
objectives (the ELBO above, with a weight beta on the divergence and free bits; IWAE; DReG), log
densities and gaps filled. Edit the model, and fits and densities are those of the edited one.

References: Kingma and Welling, "Auto-encoding variational Bayes", 2014,
https://arxiv.org/abs/1312.6114; Rezende, Mohamed and Wierstra, "Stochastic backpropagation and
approximate inference in deep generative models", 2014, https://arxiv.org/abs/1401.4082; Burda,
Grosse and Salakhutdinov, "Importance weighted autoencoders" (the two layers), 2016,
https://arxiv.org/abs/1509.00519.
"""

from __future__ import annotations

from typing import Any

import pyro
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn
from torch.distributions import constraints

from ...inference.local_sites_pyro import plate_of_rows
from ..nets.conditioned import given
from ..nets.features import Features
from .observation import Observation
from .priors import normal, split


class Values(TorchDistribution):
    """p(x | z) as a distribution over rows (D,)."""

    support = constraints.real_vector
    arg_constraints = {}  # noqa: RUF012  (torch's own name and type)
    has_rsample = False

    def __init__(self, observation: Observation, raw: Tensor) -> None:
        self.observation, self.raw = observation, raw
        shape = torch.Size((observation.n_values,))
        super().__init__(raw.shape[:-1], shape, validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Values:
        if self.batch_shape == tuple(batch_shape):
            return self
        return Values(self.observation, self.raw.expand(*batch_shape, self.raw.shape[-1]))

    def log_prob(self, x: Tensor) -> Tensor:
        found: Tensor = self.observation.log_prob(self.raw, x)
        return found

    def sample(self, sample_shape: Any = ()) -> Tensor:
        raw = self.raw.expand(*sample_shape, *self.raw.shape)
        return self.observation.sample(raw)

    @property
    def mean(self) -> Tensor:
        """(*, n, D) expected values; of categorical ones the likeliest level."""
        found: Tensor = self.observation.mean(self.raw)
        return found

    def mixed(self, share: Tensor, x: Tensor) -> Tensor:
        """(n, D) the same of the mixture with the shares (K, n, 1) of K of these, given what is
        there of rows x (n, D)."""
        found: Tensor = self.observation.mixed_mean(self.raw, share, x)
        return found


class Nets(nn.Module):
    """All that is learnt: theta and phi.

    Args:
        observation: p(x | z), cutting up what the decoder gives.
        features: what the encoder sees of a row.
        encoder: features (n, F), and context (n, c) where there is one -> (n, outputs), what the
            posterior takes.
        decoder: z_1 (*, k), and context -> (*, P). Both are told c in every layer.
        prior: of the last latents; called without arguments it gives their distribution.
        posterior: encoder outputs -> q(z_1 | x).
        up, down: of two layers, z_1 -> what q(z_2 | z_1) takes, and z_2 -> (m, log s) of z_1.
    """

    def __init__(
        self,
        observation: Observation,
        features: Features,
        encoder: nn.Module,
        decoder: nn.Module,
        prior: nn.Module,
        posterior: nn.Module,
        up: nn.Module | None = None,
        down: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.observation, self.features = observation, features
        self.encoder, self.decoder = encoder, decoder
        self.prior, self.posterior = prior, posterior
        self.up, self.down = up, down

    @property
    def n_layers(self) -> int:
        """Layers of latents, 1 or 2."""
        return 1 if self.up is None else 2

    def encode(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """What the posterior takes, (n, outputs); gaps that the features know nothing of stand at
        their centres."""
        seen = self.features(x)
        if self.observation.missing:
            seen = torch.nan_to_num(seen)
        return given(self.encoder, seen, context)

    def q_1(self, encoded: Tensor) -> Any:
        """q(z_1 | x, c)."""
        return self.posterior(encoded)

    def q_2(self, z_1: Tensor) -> Any:
        """q(z_2 | z_1)."""
        assert self.up is not None
        return normal(*split(self.up(z_1)))

    def p_1(self, z_2: Tensor) -> Any:
        """p(z_1 | z_2)."""
        assert self.down is not None
        return normal(*split(self.down(z_2)))

    def p_x(self, z_1: Tensor, context: Tensor | None = None) -> Values:
        """p(x | z_1, c)."""
        return Values(self.observation, given(self.decoder, z_1, context))


def model(
    nets: Nets, x: Tensor | None, context: Tensor | None = None, *, n_total: int | None = None
) -> Tensor:
    """Rows x ~ p(x | c).

    Args:
        x: (n, D) rows, or (K, n, D) other values of them at each of K draws; None draws `n_total`.
        context: (n, c) what to condition on, or None.
        n_total: rows of the whole data, where x is a minibatch: its terms then count n_total / n.
    """
    n = (n_total or 1) if x is None else x.shape[-2]
    with plate_of_rows(n, n_total):
        if nets.n_layers == 1:
            z_1 = pyro.sample("z_1", nets.prior())
        else:
            z_2 = pyro.sample("z_2", nets.prior())
            z_1 = pyro.sample("z_1", nets.p_1(z_2))
        rows: Tensor = pyro.sample("x", nets.p_x(z_1, context), obs=x)
    return rows


def guide(
    nets: Nets, x: Tensor, context: Tensor | None = None, *, n_total: int | None = None
) -> Tensor:
    """Latents z_1 (n, k) ~ q(z_1 | x, c), and z_2 ~ q(z_2 | z_1) of two layers."""
    with plate_of_rows(len(x), n_total):
        z_1: Tensor = pyro.sample("z_1", nets.q_1(nets.encode(x, context)))
        if nets.n_layers == 2:
            pyro.sample("z_2", nets.q_2(z_1))
    return z_1
