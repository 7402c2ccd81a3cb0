"""What is checked before a flow is trained: its settings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError, did_you_mean

if TYPE_CHECKING:
    from .estimator import NormalizingFlow

KINDS = ("nsf-ar", "nsf", "maf", "realnvp")
BACKENDS = ("pyro", "numpyro")
_TAIL = 5.0  # as it is by default


def check(flow: NormalizingFlow) -> None:
    """Raise InputError where a setting is none."""
    choices = (("kind", flow.kind, KINDS), ("backend", flow.backend, BACKENDS))
    for name, value, options in choices:
        if value not in options:
            raise InputError(
                f"{name} is {value!r}; expected one of {', '.join(options)}."
                + did_you_mean(str(value), options)
            )
    sizes: dict[str, tuple[Any, int]] = {
        "n_transforms": (flow.n_transforms, 1),
        "bins": (flow.bins, 2),
        "batch_size": (flow.batch_size, 1),
        "max_epochs": (flow.max_epochs, 1),
    }
    for name, (size, least) in sizes.items():
        if size is not None and (not isinstance(size, int | np.integer) or size < least):
            raise InputError(f"{name} is {size!r}; expected None or an integer >= {least}.")
    if not flow.kind.startswith("nsf"):
        splines: dict[str, Any] = {"bins": flow.bins, "tail_bound": flow.tail_bound}
        for name, given in splines.items():
            if given not in (None, _TAIL):
                raise InputError(
                    f"{name} is {given!r}, and kind {flow.kind!r} has no splines. Leave {name} "
                    'out, or take kind="nsf".'
                )
    if flow.hidden is not None and (not len(flow.hidden) or min(flow.hidden) < 1):
        raise InputError(f"hidden is {flow.hidden!r}; expected sizes such as (64, 64).")
    numbers = (("tail_bound", flow.tail_bound), ("learning_rate", flow.learning_rate))
    for name, number in numbers:
        if number is not None and not 0 < number < math.inf:
            raise InputError(f"{name} is {number!r}; expected a positive number.")
