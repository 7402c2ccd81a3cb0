"""The settings of a flow."""

from __future__ import annotations

from typing import Any

from ...errors import InputError
from ...settings import Setting, Settings, choice, flag, integer, number, sizes
from ..nets import settings as nets

BACKENDS = ("pyro", "numpyro")
_TAIL = 5.0


def check(flow: Any) -> None:
    """Raise InputError if splines are set of a flow that has none."""
    if flow.kind.startswith("nsf"):
        return
    for name, given, default in (
        ("bins", flow.bins, None),
        ("tail_bound", flow.tail_bound, _TAIL),
    ):
        if given != default:
            raise InputError(
                f"{name} is {given!r}, and kind {flow.kind!r} has no splines. Leave {name} out, or "
                'take kind="nsf".'
            )


SETTINGS = {
    "flow": Settings(
        Setting(
            "kind",
            choice("nsf-ar", "nsf", "maf", "realnvp"),
            "nsf-ar",
            '"nsf-ar" neural spline, autoregressive; "nsf" neural spline, coupling: faster to '
            'sample from in many columns; "maf" affine autoregressive; "realnvp" affine coupling.',
        ),
        Setting("n_transforms", integer(1), None, "layers."),
        Setting("hidden", sizes("(64, 64)"), None, "of the hidden layers in each layer's net."),
        Setting("bins", integer(2), None, "of the splines."),
        Setting(
            "tail_bound",
            number(above=0),
            _TAIL,
            "in standard deviations; the splines are the identity beyond.",
        ),
        Setting(
            "lu",
            flag,
            True,
            "whether LU linear maps stand between the layers; without, the order of the columns "
            "alternates.",
        ),
        nets.BATCH_SIZE,
        nets.LEARNING_RATE,
        nets.MAX_EPOCHS,
        Setting(
            "backend",
            choice(*BACKENDS),
            "pyro",
            '"pyro" (zuko, torch) or "numpyro" (FlowJAX, JAX).',
        ),
        nets.RANDOM_STATE,
        together=check,
    )
}
