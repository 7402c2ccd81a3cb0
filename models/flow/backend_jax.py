"""A flow on JAX: what `NormalizingFlow` needs of the NumPyro pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import paramax
from numpy.typing import NDArray

from ...inference.adam_jax import Adam
from ...inference.svi_numpyro import NumpyroLearner
from ..nets.held_out import Subset
from ..nets.whitening import Whitening
from .architecture import Architecture
from .numpyro import build, guide, model

Array = NDArray[Any]
_BLOCK, _LARGE_BLOCK, _FEW_BLOCKS = 256, 8192, 16


class JaxFlow:
    """A flow in single precision: training, density, draws, arrays."""

    def __init__(
        self, architecture: Architecture, seed: int, whitening: Whitening | None = None
    ) -> None:
        self.flow = build(architecture, seed, whitening)
        self._log_prob = eqx.filter_jit(lambda flow, x, c: flow.log_prob(x, c))
        self._transform = eqx.filter_jit(_transformed)

    def learner(
        self,
        seen: Subset,
        unseen: Subset | None,
        *,
        weight_decay: float,
        redraw: Callable[[int], Array] | None,
        seed: int,
    ) -> NumpyroLearner:
        """The learner of the pair, on rows that are seen and held out (`unseen`); `redraw` gives
        those seen anew for an epoch. `keep` takes its averaged weights afterwards."""
        x, *rest = map(_single, (*seen.values(), seen.shares))

        def evaluate(params: Any) -> NDArray[np.float64]:
            assert unseen is not None
            return self._scored(self._with(params["flow"]), *unseen.values())

        return _Learner(
            partial(model, self.flow),
            guide,
            (x, *rest),
            optimiser=Adam(weight_decay=weight_decay),
            redraw=redraw and (lambda epoch: (_single(redraw(epoch)), *rest)),
            start={"flow": _parted(self.flow)[0]},
            seed=seed,
        ).scored_by(evaluate)

    def _with(self, params: Any) -> Any:
        return eqx.combine(params, _parted(self.flow)[1])

    def keep(self, learner: Any) -> None:
        """Take the averaged weights of a trained learner."""
        self.flow = self._with(learner.params()["flow"])

    def log_prob(self, x: Array, context: Array | None) -> NDArray[np.float64]:
        return self._scored(self.flow, x, context)

    def _scored(self, flow: Any, x: Array, context: Array | None) -> NDArray[np.float64]:
        return self._by_blocks(partial(self._log_prob, flow), np.empty(len(x)), x, context)

    def sample(self, n: int, seed: int, context: Array | None) -> NDArray[np.float64]:
        noise = np.random.default_rng(seed).standard_normal((n, *self.flow.shape))
        carry = partial(self._transform, self.flow)
        return self._by_blocks(carry, np.empty(noise.shape), noise, context)

    def _by_blocks(
        self, what: Any, out: NDArray[np.float64], x: Array, context: Array | None
    ) -> NDArray[np.float64]:
        """What is computed of each row; in blocks of two sizes, as each is compiled for itself."""
        size = _BLOCK if len(x) <= _FEW_BLOCKS * _BLOCK else _LARGE_BLOCK
        for start in range(0, len(x), size):
            rows = slice(start, start + size)
            parts = (_single(x[rows]), _single(None if context is None else context[rows]))
            more = size - len(parts[0])
            full = (None if a is None else np.pad(a, ((0, more), (0, 0))) for a in parts)
            out[rows] = np.asarray(what(*full))[: size - more]
        return out

    def arrays(self) -> dict[str, Array]:
        leaves, _ = jax.tree_util.tree_flatten_with_path(eqx.filter(self.flow, eqx.is_array))
        return {jax.tree_util.keystr(path): np.array(leaf) for path, leaf in leaves}

    def load(self, arrays: Mapping[str, Array]) -> None:
        leaves, static = eqx.partition(self.flow, eqx.is_array)
        leaves = jax.tree_util.tree_map_with_path(
            lambda path, leaf: jnp.asarray(arrays[jax.tree_util.keystr(path)], leaf.dtype), leaves
        )
        self.flow = eqx.combine(leaves, static)


class _Learner(NumpyroLearner):
    """One whose held-out rows are scored by the program that all rows are."""

    def scored_by(self, score: Callable[[Any], NDArray[np.float64]]) -> Self:
        self.score = score
        return self

    def evaluate(self) -> NDArray[np.float64]:
        return self.score(self.params())


def _parted(flow: Any) -> tuple[Any, Any]:
    """What `register_params` makes a parameter, and the rest: shapes, permutations, masks."""
    return eqx.partition(flow, eqx.is_inexact_array, is_leaf=_is_fixed)


def _is_fixed(leaf: Any) -> bool:
    return isinstance(leaf, paramax.NonTrainable)


def _transformed(flow: Any, noise: jax.Array, context: jax.Array | None) -> jax.Array:
    """Rows of noise (n, d), as the flow carries them."""
    carry = paramax.unwrap(flow).bijection.transform
    rows: jax.Array = jax.vmap(carry, in_axes=(0, None if context is None else 0))(noise, context)
    return rows


def _single(a: Array | None) -> Any:
    return None if a is None else np.asarray(a, dtype=np.float32)
