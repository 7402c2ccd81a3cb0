"""Hidden Markov models in Pyro: the twin of `numpyro.py`, which explains the models, with the same
sites, shapes and log joint.

    pi  ~ Dirichlet(1, ..., 1),      s_1 ~ Categorical(pi)
    A_k ~ Dirichlet(1, ..., 1 + stay, ..., 1),      s_t | s_t-1 ~ Categorical(A_s_t-1)

    gaussian      y_t = location + scale v_t,  v_t | s_t ~ Normal(mu_s_t, sigma_s_t)     in R^d
                  mu_k ~ Normal(0, 1.5),   sigma_k ~ LogNormal(log 1/2, 1)               (d,)
    categorical   y_t | s_t ~ Categorical(B_s_t),   B_k ~ Dirichlet(1, ..., 1)

with the states summed out: a_1(k) = pi_k b_1(k), a_t(k) = b_t(k) sum_j a_t-1(j) A_jk, where
b_t(k) = p(y_t | s_t = k).
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import math
from typing import Any, ClassVar

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import constraints

Units = Any  # (location, scale), numbers or tensors (d,), or a tensor of both, (2, d)


def gaussian(
    y: Tensor | None = None,
    there: Tensor | None = None,
    *,
    n_states: int,
    stay: float = 1.0,
    y_units: Units = (0.0, 1.0),
    n_total: int | None = None,
    length: int = 1,
    n_columns: int = 1,
) -> Tensor:
    """Gaussian emissions y (n, T, d). The twin describes each argument, here and below."""
    n, length, d = (n_total or 1, length, n_columns) if y is None else y.shape
    zero = torch.zeros(d, dtype=y.dtype if y is not None else torch.get_default_dtype())
    states, pi, A = _chain(n_states, stay, zero)
    y_loc, y_scale = y_units
    with states:
        mu = pyro.sample("mu", dist.Normal(zero, 1.5).to_event(1))
        log_normal = dist.LogNormal(zero + math.log(0.5), 1.0)
        sigma = pyro.sample("sigma", log_normal.to_event(1))
        mean = pyro.deterministic("mean", y_loc + y_scale * mu, event_dim=1)
        scale = pyro.deterministic("scale", y_scale * sigma, event_dim=1)
    emission = dist.Normal(mean, scale).to_event(1)
    with pyro.plate("rows", n_total or n, subsample_size=n):
        drawn: Tensor = pyro.sample("y", Hidden(pi, A, emission, length, there), obs=y)
    return drawn


def categorical(
    y: Tensor | None = None,
    there: Tensor | None = None,
    *,
    n_states: int,
    n_levels: int,
    stay: float = 1.0,
    n_total: int | None = None,
    length: int = 1,
) -> Tensor:
    """Categorical emissions y (n, T)."""
    n, length = (n_total or 1, length) if y is None else y.shape
    states, pi, A = _chain(n_states, stay, torch.zeros(()))
    with states:
        B = pyro.sample("B", dist.Dirichlet(pi.new_ones(n_levels)))
    with pyro.plate("rows", n_total or n, subsample_size=n):
        hidden = Hidden(pi, A, dist.Categorical(B), length, there)
        drawn: Tensor = pyro.sample("y", hidden, obs=y)
    return drawn


def _chain(n_states: int, stay: float, like: Tensor) -> tuple[pyro.plate, Tensor, Tensor]:
    """The plate of the states, pi (K,) and A (K, K)."""
    pi = pyro.sample("pi", dist.Dirichlet(like.new_ones(n_states)))
    states = pyro.plate("states", n_states)
    with states:
        A = pyro.sample("A", dist.Dirichlet(1 + stay * torch.eye(n_states).to(like)))
    return states, pi, A


class Hidden(dist.TorchDistribution):
    """Sequences whose states are summed out: see the twin."""

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(
        self, pi: Tensor, A: Tensor, emission: Any, length: int, there: Tensor | None
    ) -> None:
        self.pi, self.A, self.emission = pi, A, emission
        self.length, self.there = length, there
        batch = torch.Size() if there is None else there.shape[:1]
        event = torch.Size((length, *emission.event_shape))
        super().__init__(batch, event, validate_args=False)

    @property
    def support(self) -> Any:
        return constraints.independent(self.emission.support, 1)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return dist.ExpandedDistribution(self, batch_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(y_1, ..., y_T) of sequences (..., T, ...), (...,)."""
        return forward(self.pi.log(), self.A.log(), self.log_b(value))

    def log_b(self, value: Tensor) -> Tensor:
        """log b_t(k), (..., T, K); 0 where y_t was not observed."""
        event = self.emission.event_dim
        log_b: Tensor = self.emission.log_prob(value.unsqueeze(-1 - event))
        return log_b if self.there is None else torch.where(self.there[..., None], log_b, 0.0)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Sequences (*sample_shape, ..., T, ...) of states that are drawn one after the other."""
        shape = (*sample_shape, *self.batch_shape)
        with torch.no_grad():
            states = [dist.Categorical(self.pi).sample(shape)]
            while len(states) < self.length:
                states.append(dist.Categorical(self.A[states[-1]]).sample())
            s = torch.stack(states, dim=-1)  # (..., T)
            event = self.emission.event_dim
            each: Tensor = self.emission.sample(s.shape)  # (..., T, K, ...)
            index = s.reshape(*s.shape, *(1,) * (event + 1))
            index = index.expand(*s.shape, 1, *self.emission.event_shape)
            return each.gather(-1 - event, index).squeeze(-1 - event)


def forward(log_pi: Tensor, log_A: Tensor, log_b: Tensor) -> Tensor:
    """log p(y_1, ..., y_T) of log b_t(k) (..., T, K), (...,)."""
    log_a = log_pi + log_b[..., 0, :]
    for t in range(1, log_b.shape[-2]):
        log_a = (log_a[..., None] + log_A).logsumexp(-2) + log_b[..., t, :]
    return log_a.logsumexp(-1)
