"""The settings of a flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from ...errors import InputError
from ...settings import Settings, setting, sizes
from ..nets.settings import TrainingSettings

TAIL = 5.0


@dataclass(eq=False, repr=False)
class FlowSettings(TrainingSettings):
    """What can be set of a flow."""

    kind: Literal["auto", "nsf-ar", "nsf", "maf", "realnvp"] = setting(
        "auto",
        '"nsf-ar" neural spline, autoregressive; "nsf" neural spline, coupling: faster to sample '
        'from in many columns; "maf" affine autoregressive; "realnvp" affine coupling; "auto" is '
        '"nsf-ar" or "maf", and its size, by successive halving on held-out rows; "nsf-ar" in a '
        'short fit, of few rows, and with backend "numpyro".',
    )
    _: KW_ONLY
    n_transforms: int | None = setting(None, "layers.", least=1)
    hidden: Sequence[int] | None = setting(
        None, "of the hidden layers in each layer's net.", sizes("(64, 64)")
    )
    bins: int | None = setting(None, "of the splines.", least=2)
    tail_bound: float = setting(
        TAIL, "in standard deviations; the splines are the identity beyond.", above=0
    )
    whiten: bool | Literal["auto"] = setting(
        "auto",
        "whether the first layer is a linear map by the covariance of the rows trained on, which "
        'is not learnt; "auto" is where held-out rows say that it helps.',
    )
    lu: bool = setting(
        True,
        "whether LU linear maps stand between the layers; without, the order of the columns "
        "alternates.",
    )
    backend: Literal["pyro", "numpyro"] = setting(
        "pyro", '"pyro" (zuko, torch) or "numpyro" (FlowJAX, JAX).'
    )


def check(flow: Any) -> None:
    """Raise InputError if splines are set of a flow that has none."""
    splines = {"bins": (flow.bins, None), "tail_bound": (flow.tail_bound, TAIL)}
    for name, (given, default) in splines.items():
        if given != default and not flow.kind.startswith(("nsf", "auto")):
            raise InputError(
                f"{name} is {given!r}, and kind {flow.kind!r} has no splines. Leave {name} out, or "
                'take kind="nsf".'
            )


SETTINGS = {"flow": Settings(FlowSettings, together=check)}
