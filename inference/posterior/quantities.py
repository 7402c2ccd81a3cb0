"""Test quantities of simulation-based calibration on a pair's target.

By default they are every element of every latent site, in the support of the site. The log
likelihood, and the log joint on the unconstrained scale, are always among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...arrays import Array
from ...errors import InputError, did_you_mean
from .sites import elements
from .target import Target

Function = Callable[[Mapping[str, Any]], Any]  # values of the latent sites -> a number or an array
Chosen = Sequence[str] | Mapping[str, Function] | None

_OF_DATA = ("log_likelihood", "log_joint")


class Quantities:
    """Test quantities, flat.

    Args:
        target: of the model.
        chosen: names of latent sites, or functions of the values of all; None takes all sites.
        example: a value of each latent site.

    Attributes:
        names: (k,) of the quantities.

    Raises:
        InputError: if there is no such site.
    """

    def __init__(self, target: Target, chosen: Chosen, example: Mapping[str, Array]) -> None:
        sites = target.sites.latents
        self._functions: dict[str, Function] = {}
        self._sites: list[str] = [*sites]
        if isinstance(chosen, Mapping):
            self._sites, self._functions = [], dict(chosen)
        elif chosen is not None:
            self._sites = [chosen] if isinstance(chosen, str) else [*chosen]
        for name in self._sites:
            if name not in sites:
                raise InputError(
                    f"quantity {name!r} is no latent site; expected some of {', '.join(sites)}, or "
                    f"functions by name.{did_you_mean(name, sites)}"
                )
        with target.precision():
            values = {name: _of(target.backend, value) for name, value in example.items()}
            shapes = {name: sites[name].shape for name in self._sites}
            shapes |= {name: tuple(f(values).shape) for name, f in self._functions.items()}
        found = [element for name, shape in shapes.items() for element in elements(name, shape)]
        self.names = [*found, *(_free(name, found) for name in _OF_DATA)]

    def __call__(self, target: Target, values: Mapping[str, Any]) -> list[Any]:
        """Of one value of each latent site, under a target with data: arrays that make up (k,)."""
        prior, likelihood = target.log_parts(target.unconstrain(values))
        each = [values[name] for name in self._sites]
        each += [function(values) for function in self._functions.values()]
        return [a.reshape(-1) for a in (*each, likelihood, prior + likelihood)]


def _of(backend: str, value: Array) -> Any:
    """An array of the backend."""
    if backend == "numpyro":
        import jax.numpy as jnp

        return jnp.asarray(value)
    import torch

    return torch.as_tensor(value)


def _free(name: str, taken: list[str]) -> str:
    """A name that no other quantity has."""
    return name if name not in taken else _free(name + "_", taken)
