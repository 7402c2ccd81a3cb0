"""A fitted flow as a distribution of NumPyro or Pyro: of its own backend natively, of the other by
`inference.bridge`. Nets were trained in single precision and compute in double here, so that the
noise of rounding does not reach gradients and energies."""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

from ...arrays import Floats
from ..distributions.columns import Columns
from ..distributions.making import Backend

if TYPE_CHECKING:
    from .backend_jax import JaxFlow
    from .backend_torch import TorchFlow


def of_torch(flow: TorchFlow, context: Floats | None, columns: Columns, backend: Backend) -> Any:
    """The distribution of a flow on torch, given one row of a context, or n for a batch."""
    import torch

    net = deepcopy(flow.flow).to("cpu", torch.float64).eval().requires_grad_(False)
    batch = _batch(context)
    given = None if context is None else torch.tensor(context).reshape(*batch, -1)
    if backend == "pyro":
        from ..distributions.in_pyro import in_units
        from .rows_pyro import FlowRows

        return in_units(FlowRows(net(given).transform, len(columns), batch), columns)
    from ...inference.bridge import draws_in_jax, torch_in_jax
    from ...inference.torch_state import seeded
    from ..distributions.in_numpyro import ByFunction, FittedRows

    def draw(n: int, seed: int) -> Floats:
        shape = (n // int(np.prod(batch)),)
        with torch.no_grad(), seeded(seed):
            return np.asarray(net(given).sample(shape)).reshape(n, -1)

    log_prob = torch_in_jax(net(given).log_prob)
    drawn = draws_in_jax(draw, len(columns))
    return FittedRows(lambda: ByFunction(len(columns), log_prob, drawn, batch), columns, batch)


def of_jax(flow: JaxFlow, context: Floats | None, columns: Columns, backend: Backend) -> Any:
    """The distribution of a flow on JAX, given one row of a context, or n for a batch."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    leaves, static = eqx.partition(flow.flow, eqx.is_array)
    numbers = jax.tree.map(np.asarray, leaves)
    batch = _batch(context)
    given = None if context is None else context.reshape(*batch, -1)

    def net() -> Any:
        """In the precision that JAX has now."""
        wide = jax.tree.map(
            lambda a: jnp.asarray(a, jnp.result_type(float) if a.dtype.kind == "f" else a.dtype),
            numbers,
        )
        return eqx.combine(wide, static), None if given is None else jnp.asarray(given)

    if backend == "numpyro":
        from flowjax.experimental.numpyro import distribution_to_numpyro

        from ..distributions.in_numpyro import FittedRows

        return FittedRows(lambda: distribution_to_numpyro(*net()), columns, batch)
    from ...inference.bridge import draws_in_torch, jax_in_torch
    from ..distributions.in_pyro import ByFunction, in_units

    def log_prob(x: jax.Array) -> jax.Array:
        made, c = net()
        found: jax.Array = made.log_prob(x, c)
        return found

    def draw(n: int, seed: int) -> Floats:
        shape = (n // int(np.prod(batch)),)
        with jax.enable_x64(True):
            made, c = net()
            return np.asarray(made.sample(jax.random.key(seed), shape, c)).reshape(n, -1)

    drawn = draws_in_torch(draw, len(columns))
    return in_units(ByFunction(len(columns), jax_in_torch(log_prob), drawn, batch), columns)


def _batch(context: Floats | None) -> tuple[int, ...]:
    """The batch that rows of a context stand for."""
    return () if context is None or len(context) == 1 else (len(context),)
