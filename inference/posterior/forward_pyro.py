"""A Pyro model run forward: its observed sites drawn anew, given draws of others. See `forward`."""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from pyro import poutine
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample

from ...arrays import Array
from .sites import Sites
from .sites_pyro import LIBRARY, read
from .target_pyro import Given, apart


class Redrawn(Messenger):
    """Observed sites are drawn, as many values as were observed; factors and deterministic sites
    stay."""

    def _pyro_sample(self, msg: Any) -> None:
        if not msg["is_observed"] or site_is_subsample(msg) or LIBRARY.is_factor(msg["fn"]):
            return
        if msg["infer"].get("_deterministic"):
            return
        fn, shape = msg["fn"], np.shape(msg["value"])
        batch = np.broadcast_shapes(fn.batch_shape, shape[: len(shape) - fn.event_dim])
        if batch != tuple(fn.batch_shape):
            msg["fn"] = fn.expand(batch)
        msg["is_observed"], msg["value"], msg["done"] = False, None, False


def sites_of(model: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Sites:
    """The sites of a model whose observed sites may have no values; nothing is checked."""
    with apart(), torch.no_grad():
        torch.manual_seed(0)
        return read(Redrawn()(model), args, kwargs, check=False)


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
    """See `forward.forward`. Draws are run one after the other: not every distribution of torch
    can be drawn under vmap."""
    found: dict[str, list[Array]] = {}
    redrawn = Redrawn()(model)
    with apart(), torch.no_grad():
        torch.manual_seed(seed)
        given = {name: torch.as_tensor(value) for name, value in values.items()}
        for s in range(n):
            with Given({name: value[s] for name, value in given.items()}):
                nodes: Any = poutine.trace(redrawn).get_trace(*args, **kwargs).nodes
            for name in names:
                if name in nodes:
                    found.setdefault(name, []).append(nodes[name]["value"].numpy())
            tell(1)
    return {name: np.stack(parts) for name, parts in found.items()}
