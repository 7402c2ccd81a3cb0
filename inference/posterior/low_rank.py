"""NUTS whose metric is a diagonal with a low-rank correction, adapted by the Fisher divergence.

With draws x_i and gradients a_i = grad log p(x_i), a map of the form

    M^-1 = D (I + V (L - I) V') D,        D diagonal, V'V = I of `max_rank` columns, L diagonal,

is chosen such that in its coordinates gradients are as nearly minus the draws as they are for
a standard normal: the geometric mean of cov(x) and cov(a)^-1, in the space of their leading
eigenvectors (blackjax). Gradients tell scales and directions from fewer draws than draws alone do.

Warm-up: windows of draws in which the metric is computed anew every `_EVERY` draws from the draws
of this window and the last; the windows grow, and in the rest only the step size is adapted.

References: Seyboldt et al., "Preconditioning Hamiltonian Monte Carlo by minimizing Fisher
divergence", 2026, https://arxiv.org/abs/2603.18845.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from .compiled import LogJoint, Sampler

_EVERY = 10  # draws between two computations of the metric
_LEAST = 3  # draws that a metric is computed from


class _State(NamedTuple):
    """A chain: its random key and state of `hmc`, the step size and its dual averaging, the metric,
    and the last draws and gradients, draw i in row i modulo their number."""

    key: Any
    hmc: Any
    averaging: Any
    step_size: Any
    metric: Any
    draws: Any
    gradients: Any


class Windows(NamedTuple):
    """What is done after each transition i of the warm-up, (num_warmup,) each.

    Attributes:
        oldest: the first of the draws that the metric is computed from.
        due: whether it is computed.
        end: whether a window ends, where dual averaging starts again.
    """

    oldest: NDArray[np.int64]
    due: NDArray[np.bool_]
    end: NDArray[np.bool_]

    @property
    def capacity(self) -> int:
        """The most draws that a metric is computed from."""
        return int((np.arange(len(self.oldest)) + 1 - self.oldest)[self.due].max(initial=1))


def windows(num_warmup: int) -> Windows:
    """Windows of a warm-up, by nutpie's schedule (`build_growing_window_schedule` of blackjax)."""
    from blackjax.adaptation.low_rank_adaptation import build_growing_window_schedule

    slow, end = np.asarray(build_growing_window_schedule(num_warmup)).astype(bool).T
    oldest, before, begin = np.zeros(num_warmup, np.int64), 0, 0
    for i in range(num_warmup):
        oldest[i] = before
        if end[i]:
            before, begin = begin, i + 1
    each = np.arange(num_warmup)
    due = slow & (end | (each % _EVERY == _EVERY - 1)) & (each + 1 - oldest >= _LEAST)
    return Windows(oldest, due, end)


def low_rank_sampler(log_joint: LogJoint, settings: Any) -> Sampler:
    """NUTS with the settings `num_warmup`, `target_accept`, `max_tree_depth` and `max_rank`."""
    from blackjax.adaptation.metric_estimators import fisher_score_low_rank
    from blackjax.adaptation.step_size import dual_averaging_adaptation
    from blackjax.mcmc import nuts
    from blackjax.mcmc.metrics import LowRankInverseMassMatrix

    plan, rank = windows(settings.num_warmup), settings.max_rank
    start, update, final = dual_averaging_adaptation(settings.target_accept)
    transition = nuts.build_kernel()

    def begin(key: Any, z: Any) -> _State:
        hmc = nuts.init(z, log_joint)
        steep = jnp.abs(hmc.logdensity_grad)
        scale = jnp.where(steep < 1e-10, 1.0, steep**-0.5)
        metric = LowRankInverseMassMatrix(scale, jnp.zeros((len(z), rank)), jnp.ones(rank))
        rows, one = jnp.zeros((plan.capacity, len(z))), jnp.ones(())
        return _State(key, hmc, start(one), one, metric, rows, rows)

    def metric(i: Any, draws: Any, gradients: Any) -> Any:
        """The metric of the draws from `oldest` to i."""
        count = i + 1 - jnp.asarray(plan.oldest)[i]
        there = ((i - jnp.arange(len(draws))) % len(draws) < count)[:, None]

        def padded(rows: Any) -> Any:
            # Rows at the mean add nothing to what the metric is computed from.
            return jnp.where(there, rows, jnp.where(there, rows, 0.0).sum(0) / count)

        return fisher_score_low_rank(padded(draws), padded(gradients), rank)

    def adapt(i: Any, state: _State, accepted: Any) -> _State:
        averaging = update(state.averaging, accepted)
        end, due = jnp.asarray(plan.end)[i], jnp.asarray(plan.due)[i]
        averaging = jax.lax.cond(end, lambda: start(final(averaging)), lambda: averaging)
        found = jax.lax.cond(
            due, lambda: metric(i, state.draws, state.gradients), lambda: state.metric
        )
        size = jnp.exp(averaging.log_step_size)
        return state._replace(averaging=averaging, metric=found, step_size=size)

    def step(i: Any, state: _State) -> tuple[_State, dict[str, Any]]:
        key, now = jax.random.split(state.key)
        size = state.step_size
        hmc, info = transition(
            now, state.hmc, log_joint, size, state.metric, settings.max_tree_depth
        )
        row = i % plan.capacity
        state = state._replace(
            key=key, hmc=hmc,
            draws=state.draws.at[row].set(hmc.position),
            gradients=state.gradients.at[row].set(hmc.logdensity_grad),
        )  # fmt: skip
        state = jax.lax.cond(
            i < settings.num_warmup, lambda: adapt(i, state, info.acceptance_rate), lambda: state
        )
        state = jax.lax.cond(i == settings.num_warmup - 1, lambda: end_warmup(state), lambda: state)
        return state, {
            "z": hmc.position, "lp": hmc.logdensity, "energy": info.energy,
            "acceptance_rate": info.acceptance_rate, "step_size": size,
            "n_steps": info.num_integration_steps, "diverging": info.is_divergent,
        }  # fmt: skip

    def end_warmup(state: _State) -> _State:
        return state._replace(step_size=final(state.averaging))

    return Sampler(
        begin, step, end_warmup, lambda state: state.hmc.logdensity,
        settings.num_warmup, settings.max_tree_depth,
    )  # fmt: skip
