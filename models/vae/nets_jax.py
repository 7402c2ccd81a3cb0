"""The nets of a variational autoencoder in JAX: functions of one dict of arrays, which has torch's
names and shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import Array
from numpy.typing import NDArray

from ..nets.conditioned import GAIN
from ..nets.whitening import FAR, Whitening, buffers
from .observation_jax import Observation

if TYPE_CHECKING:
    from .build import Architecture

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "tanh": jnp.tanh,
    "elu": jax.nn.elu,
}
_WHITENING = tuple(f"observation.{name}" for name in ("centre", "matrix", "root"))
# Arrays that are not learnt.
FIXED = ("features.centre", "features.gain", "features.matrix", *_WHITENING)
_WIDEST = 3.0  # of log s: nothing learns from wider
_TWINNED = {"net": ("mlp",), "prior": ("normal", "mixture"), "posterior": ("normal",)}
_NETS = ("encoder", "decoder", "up", "down")


def unsupported(architecture: Architecture) -> str | None:
    """What of an architecture has no NumPyro pair, and what to do; None where it has one."""
    for setting, known in _TWINNED.items():
        value = getattr(architecture, setting)
        if value not in known:
            return (
                f'{setting} is {value!r}; backend "numpyro" has {" and ".join(known)}. Take '
                f'{setting}="{known[0]}", or backend="pyro".'
            )
    return None


class Nets(eqx.Module):
    """All that is learnt, theta and phi, and what the encoder's inputs are centred by.

    Attributes:
        architecture: what the nets are.
        arrays: name -> array, as `initial` gives them.
        key: of dropout; None while not training.
    """

    architecture: Architecture = eqx.field(static=True)
    arrays: dict[str, Array]
    key: Array | None = None

    @property
    def n_layers(self) -> int:
        """Layers of latents, 1 or 2."""
        return len(self.architecture.latent)

    @property
    def learnt(self) -> dict[str, Array]:
        """theta and phi."""
        return {name: a for name, a in self.arrays.items() if name not in FIXED}

    def given(self, learnt: Mapping[str, Array], key: Array | None = None) -> Nets:
        """The nets with other theta and phi."""
        return replace(self, arrays=self.arrays | dict(learnt), key=key)

    @property
    def observation(self) -> Observation:
        """p(x | z), cutting up what the decoder gives."""
        return observation(self.architecture, self.arrays)

    def encode(self, x: Array, context: Array | None = None) -> Array:
        """What the posterior takes, (n, 2 k)."""
        return self._net("encoder", self.features(x), context)

    def decode(self, z_1: Array, context: Array | None = None) -> Array:
        """(*, P) what p(x | z_1, c) takes."""
        return self._net("decoder", z_1, context)

    def q_2(self, z_1: Array) -> tuple[Array, Array]:
        """Mean and log standard deviation of q(z_2 | z_1)."""
        return split(self._net("up", z_1))

    def p_1(self, z_2: Array) -> tuple[Array, Array]:
        """Mean and log standard deviation of p(z_1 | z_2)."""
        return split(self._net("down", z_2))

    def mixture(self) -> tuple[Array, Array, Array]:
        """Logits, means and log scales of the mixture prior."""
        log_s = jnp.clip(self.arrays["prior.log_scale"], -10.0, _WIDEST)
        return self.arrays["prior.logits"], self.arrays["prior.mean"], log_s

    def features(self, y: Array) -> Array:
        """What the encoder sees of rows (n, D), as `nets.features` on torch has it."""
        levels = self.architecture.indicated
        known, zeroed = ~jnp.isnan(y), jnp.nan_to_num(y)
        at = jnp.asarray(self.architecture.plain, jnp.int32)
        centred = (zeroed[:, at] - self.arrays["features.centre"]) * self.arrays["features.gain"]
        centred = centred * known[:, at]
        if self.architecture.noise == "full":
            matrix, there = self.arrays["features.matrix"], known[:, at]
            fill = partial(_filled, matrix=matrix)
            centred = jax.lax.cond(there.all(), lambda away, _: away, fill, centred, there)
            centred = jnp.clip(centred @ matrix.T, -FAR, FAR)
        found = [centred]
        for place, count in levels:
            seen = jnp.where(known[:, place], zeroed[:, place], -1.0).astype(jnp.int32)
            found.append(jax.nn.one_hot(seen, count, dtype=y.dtype))
        if self.architecture.missing:
            found.append(known.astype(y.dtype))
        return jnp.concatenate(found, -1)

    def _net(self, name: str, h: Array, context: Array | None = None) -> Array:
        a = self.architecture
        activation = ACTIVATIONS[a.activation]
        step = 3 if a.dropout else 2
        last = step * len(a.hidden_of(name))
        for i in range(0, last, step):
            h = activation(self._linear(name, i, h, context))
            if a.dropout and self.key is not None:
                key = jr.fold_in(jr.fold_in(self.key, _NETS.index(name)), i)
                kept = jr.bernoulli(key, 1 - a.dropout, h.shape)
                h = jnp.where(kept, h / (1 - a.dropout), 0.0)
        return self._linear(name, last, h, context)

    def _linear(self, name: str, i: int, h: Array, context: Array | None) -> Array:
        """A layer, told the context as `nets.conditioned` has it."""
        at = f"{name}.{i}" if context is None else f"{name}.layers.{i}"
        h = h @ self.arrays[f"{at}.weight"].T + self.arrays[f"{at}.bias"]
        if context is None:
            return h
        return h + GAIN * (context @ self.arrays[f"{name}.told.{i}.weight"].T)


def _filled(away: Array, known: Array, *, matrix: Array) -> Array:
    """Numbers less the centre (n, d), 0 where they are not known: these as the Gaussian of W has
    them given the others."""
    eye = jnp.eye(len(matrix), dtype=matrix.dtype)
    root = jax.scipy.linalg.solve_triangular(matrix, eye, lower=True)
    covariance, k = root @ root.T, known.astype(away.dtype)
    given = k[:, :, None] * k[:, None, :] * covariance + (1 - k)[:, :, None] * eye
    share = jnp.linalg.solve(given, away[..., None])[..., 0]
    return jnp.where(known, away, share @ covariance)


def observation(a: Architecture, arrays: Mapping[str, Array]) -> Observation:
    """p(x | z) with the scales that are among the arrays."""
    prefix = "observation.log_scales."
    scales = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
    whitening = tuple(arrays[name] for name in _WHITENING if name in arrays)
    freedom = arrays.get("observation.log_freedom")
    return Observation(a.parts, a.noise, a.gaps, scales, whitening, freedom)


def initial(
    a: Architecture,
    seed: int,
    rows: NDArray[np.float64] | None = None,
    whitening: Whitening | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Where theta and phi start: uniform in +-1 / sqrt(inputs), the decoder's last biases such that
    each value has its mean or share in the rows; a pure function of its arguments.

    Args:
        rows: (n, D) model values; None where weights are loaded next.
        whitening: of the numbers, where their noise is "full".
    """
    seen = observation(a, {})
    numbers, levels = a.plain, a.indicated
    arrays: dict[str, NDArray[np.float64]] = {
        f"observation.log_scales.{i}": v for i, v in seen.start_scales(whitening).items()
    }
    arrays["features.centre"], arrays["features.gain"] = _spread(numbers, rows)
    if a.noise == "full":
        fixed = buffers(whitening, a.parts[0].stop)
        arrays["observation.log_freedom"] = seen.start_freedom()
        arrays |= {f"observation.{name}": array for name, array in fixed.items()}
        matrix, whitened = np.eye(len(numbers)), slice(a.parts[0].stop)
        arrays["features.centre"][whitened] = fixed["centre"]
        matrix[whitened, whitened], arrays["features.gain"] = fixed["matrix"], np.ones(())
        arrays["features.matrix"] = matrix
    inputs = len(numbers) + sum(k for _, k in levels) + (seen.n_values if a.missing else 0)
    k, outputs = a.latent[0], seen.n_outputs
    ends = {"encoder": (inputs, 2 * k), "decoder": (k, outputs)}
    if len(a.latent) == 2:
        ends |= {"up": (k, 2 * a.latent[1]), "down": (a.latent[1], 2 * k)}
    rng = np.random.default_rng(seed)
    for name, (first, last) in ends.items():
        sizes = (first, *a.hidden_of(name), last)
        for i, (n_in, n_out) in enumerate(pairwise(sizes)):
            place, at, bound = (3 if a.dropout else 2) * i, name, 1 / math.sqrt(n_in)
            if a.context and name in ("encoder", "decoder"):
                arrays[f"{name}.told.{place}.weight"] = np.zeros((n_out, a.context))
                at = f"{name}.layers"
            at = f"{at}.{place}"
            arrays[f"{at}.weight"] = rng.uniform(-bound, bound, (n_out, n_in))
            arrays[f"{at}.bias"] = rng.uniform(-bound, bound, n_out)
        if name == "decoder" and rows is not None:
            arrays[f"{at}.bias"] = seen.start(rows)
    if a.prior == "mixture":
        size = (a.components, a.latent[-1])
        arrays["prior.mean"], arrays["prior.log_scale"] = rng.normal(size=size), np.zeros(size)
        arrays["prior.logits"] = np.zeros(a.components)
    return arrays


def _spread(
    numbers: list[int], rows: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The centre of each number, and one gain for all."""
    if rows is None or not numbers:
        return np.zeros(len(numbers)), np.ones(())
    y = rows[:, numbers]
    known = ~np.isnan(y)
    mean = np.where(known, y, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    square = np.where(known, (y - mean) ** 2, 0.0).sum() / max(known.sum(), 1)
    return mean, np.asarray(1 / max(math.sqrt(square), 1e-3))


def split(raw: Array) -> tuple[Array, Array]:
    """Mean and log standard deviation of what an encoder gives, (*, 2 k)."""
    m, log_s = jnp.split(raw, 2, -1)
    return m, jnp.clip(log_s, -10.0, _WIDEST)
