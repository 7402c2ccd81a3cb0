"""Hidden Markov models in NumPyro (twin: `pyro`).

Sequences y_1, ..., y_T are emitted by states s_1, ..., s_T that nobody sees, of which there are K:

    pi  ~ Dirichlet(1, ..., 1),      s_1 ~ Categorical(pi)
    A_k ~ Dirichlet(1, ..., 1 + stay, ..., 1),      s_t | s_t-1 ~ Categorical(A_s_t-1)

    gaussian      y_t = location + scale v_t,  v_t | s_t ~ Normal(mu_s_t, sigma_s_t)     in R^d
                  mu_k ~ Normal(0, 1.5),   sigma_k ~ LogNormal(log 1/2, 1)               (d,)
    categorical   y_t | s_t ~ Categorical(B_s_t),   B_k ~ Dirichlet(1, ..., 1)

The states are summed out by the forward algorithm: with b_t(k) = p(y_t | s_t = k),

    a_1(k) = pi_k b_1(k),    a_t(k) = b_t(k) sum_j a_t-1(j) A_jk,    p(y_1, ..., y_T) = sum_k a_T(k)

in logarithms, so that each sequence is one observation of a distribution, `Hidden`, that can be
drawn from. `smoothing` gives the states back. The prior of sigma falls fast at 0, where the
likelihood has no bound. Numbers of the states are arbitrary: the posterior is the same under all.
`mean` and `scale` are mu and sigma in the units of the data.

Reference: Rabiner, "A tutorial on hidden Markov models and selected applications in speech
recognition", 1989, https://doi.org/10.1109/5.18626.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax import Array
from jax.scipy.special import logsumexp
from numpyro.distributions import constraints

Units = Any  # (location, scale), numbers or arrays (d,), or an array of both, (2, d)


def gaussian(
    y: Array | None = None,
    there: Array | None = None,
    *,
    n_states: int,
    stay: float = 1.0,
    y_units: Units = (0.0, 1.0),
    n_total: int | None = None,
    length: int = 1,
    n_columns: int = 1,
) -> Array:
    """Gaussian emissions.

    Args:
        y: (n, T, d) sequences of one length; None draws `n_total` of them.
        there: (n, T) whether y_t was observed: what was not, or is there to fill up a shorter
            sequence, is summed out, and may be any number.
        n_states: K.
        stay: by how much states are thought to last.
        y_units: location and scale of y.
        n_total: sequences of the whole data if y is a minibatch.
        length, n_columns: T and d of what is drawn.
    """
    n, length, d = (n_total or 1, length, n_columns) if y is None else y.shape
    states, pi, A = _chain(n_states, stay)
    y_loc, y_scale = y_units
    with states:
        mu = numpyro.sample("mu", dist.Normal(0.0, 1.5).expand((d,)).to_event(1))
        log_normal = dist.LogNormal(math.log(0.5), 1.0)
        sigma = numpyro.sample("sigma", log_normal.expand((d,)).to_event(1))
        mean = numpyro.deterministic("mean", y_loc + y_scale * mu)
        scale = numpyro.deterministic("scale", y_scale * sigma)
    emission = dist.Normal(mean, scale).to_event(1)
    with numpyro.plate("rows", n_total or n, subsample_size=n):
        drawn: Array = numpyro.sample("y", Hidden(pi, A, emission, length, there), obs=y)
    return drawn


def categorical(
    y: Array | None = None,
    there: Array | None = None,
    *,
    n_states: int,
    n_levels: int,
    stay: float = 1.0,
    n_total: int | None = None,
    length: int = 1,
) -> Array:
    """Categorical emissions: y (n, T) of 0, ..., n_levels - 1; the other arguments are those of
    `gaussian`."""
    n, length = (n_total or 1, length) if y is None else y.shape
    states, pi, A = _chain(n_states, stay)
    with states:
        B = numpyro.sample("B", dist.Dirichlet(jnp.ones(n_levels)))
    with numpyro.plate("rows", n_total or n, subsample_size=n):
        hidden = Hidden(pi, A, dist.Categorical(B), length, there)
        drawn: Array = numpyro.sample("y", hidden, obs=y)
    return drawn


def _chain(n_states: int, stay: float) -> tuple[numpyro.plate, Array, Array]:
    """The plate of the states, pi (K,) and A (K, K)."""
    pi = numpyro.sample("pi", dist.Dirichlet(jnp.ones(n_states)))
    states = numpyro.plate("states", n_states)
    with states:
        A = numpyro.sample("A", dist.Dirichlet(1 + stay * jnp.eye(n_states)))
    return states, pi, A


class Hidden(dist.Distribution):  # type: ignore[misc]
    """Sequences whose states are summed out.

    Args:
        pi: (K,) probabilities of the first state.
        A: (K, K), A_jk that of k after j.
        emission: distribution with batch shape (K,).
        length: T.
        there: (n, T) of what was observed; None has all.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    pytree_data_fields = ("pi", "A", "emission", "there")
    pytree_aux_fields = ("length",)

    def __init__(
        self, pi: Array, A: Array, emission: dist.Distribution, length: int, there: Array | None
    ) -> None:
        self.pi, self.A, self.emission = pi, A, emission
        self.length, self.there = length, there
        batch = () if there is None else there.shape[:1]
        super().__init__(batch, (length, *emission.event_shape), validate_args=False)

    @property
    def support(self) -> Any:
        return constraints.independent(self.emission.support, 1)

    def log_prob(self, value: Array) -> Array:
        """log p(y_1, ..., y_T) of sequences (..., T, ...), (...,)."""
        return forward(jnp.log(self.pi), jnp.log(self.A), self.log_b(value))

    def log_b(self, value: Array) -> Array:
        """log b_t(k), (..., T, K); 0 where y_t was not observed."""
        event = self.emission.event_dim
        log_b: Array = self.emission.log_prob(jnp.expand_dims(value, -1 - event))
        return log_b if self.there is None else jnp.where(self.there[..., None], log_b, 0.0)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """Sequences (*sample_shape, ..., T, ...) of states that are drawn one after the other."""
        shape = (*sample_shape, *self.batch_shape)
        first, later, emitted = jax.random.split(key, 3)

        def step(state: Array, key: Array) -> tuple[Array, Array]:
            state = jax.random.categorical(key, jnp.log(self.A)[state])
            return state, state

        s_1 = jax.random.categorical(first, jnp.log(self.pi), shape=shape)
        _, s = jax.lax.scan(step, s_1, jax.random.split(later, self.length - 1))
        states = jnp.moveaxis(jnp.concatenate([s_1[None], s]), 0, -1)  # (..., T)
        event = self.emission.event_dim
        each: Array = self.emission.sample(emitted, states.shape)  # (..., T, K, ...)
        index = states.reshape(*states.shape, *(1,) * (event + 1))
        return jnp.take_along_axis(each, index, axis=-1 - event).squeeze(-1 - event)


def forward(log_pi: Array, log_A: Array, log_b: Array) -> Array:
    """log p(y_1, ..., y_T) of log b_t(k) (..., T, K), (...,)."""

    def step(log_a: Array, log_b_t: Array) -> tuple[Array, None]:
        return logsumexp(log_a[..., None] + log_A, axis=-2) + log_b_t, None

    log_b = jnp.moveaxis(log_b, -2, 0)
    log_a, _ = jax.lax.scan(step, log_pi + log_b[0], log_b[1:])
    total: Array = logsumexp(log_a, axis=-1)
    return total
