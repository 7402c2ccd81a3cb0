"""A NumPyro model run forward: its observed sites drawn anew, given draws of others. See
`forward`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from numpyro.primitives import Messenger

from ...arrays import Array
from ...errors import InputError
from .program_size import largest
from .sites import Sites
from .sites_numpyro import LIBRARY, looped, read

_NUMBERS = 1 << 22  # at a time


class Redrawn(Messenger):  # type: ignore[misc]
    """Observed sites are drawn, as many values as were observed; factors stay."""

    def process_message(self, msg: Any) -> None:
        if msg["type"] != "sample" or not msg["is_observed"] or LIBRARY.is_factor(msg["fn"]):
            return
        if looped(msg):  # what comes after was made from the data
            raise InputError(
                f"observed site {msg['name']!r} cannot be drawn anew, since it stands in a loop by "
                "scan. Let the model draw it where its data are None, and give None for them."
            )
        fn, shape = msg["fn"], np.shape(msg["value"])
        batch = np.broadcast_shapes(fn.batch_shape, shape[: len(shape) - fn.event_dim])
        if batch != fn.batch_shape:
            msg["fn"] = fn.expand(batch)
        msg["is_observed"], msg["value"] = False, None


def sites_of(model: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Sites:
    """The sites of a model whose observed sites may have no values; nothing is checked."""
    with jax.enable_x64(True):
        return read(Redrawn(model), args, kwargs, check=False)


def forward(
    model: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    values: Mapping[str, Array],
    names: Sequence[str],
    n: int,
    seed: int,
    tell: Callable[[int], object],
) -> dict[str, Array]:
    """See `forward.forward`."""

    def one(key: jax.Array, given: Mapping[str, Any]) -> dict[str, Any]:
        seeded = handlers.seed(Redrawn(model), key)
        trace = handlers.trace(handlers.substitute(seeded, data=dict(given)))
        sites = trace.get_trace(*args, **kwargs)
        return {name: sites[name]["value"] for name in names if name in sites}

    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(seed), n)
        each = {name: jnp.asarray(value) for name, value in values.items()}
        traced, first = jax.make_jaxpr(one, return_shape=True)(
            keys[0], {name: value[0] for name, value in each.items()}
        )
        block = max(1, min(n, _NUMBERS // max(1, largest(traced.jaxpr))))
        run = jax.jit(jax.vmap(one))
        parts = []
        for start in range(0, n, block):
            at = np.minimum(np.arange(start, start + block), n - 1)  # one shape to compile
            found = run(keys[at], {name: value[at] for name, value in each.items()})
            parts.append({name: np.asarray(a)[: n - start] for name, a in found.items()})
            tell(min(block, n - start))
    return {name: np.concatenate([part[name] for part in parts]) for name in first}
