"""Which kinds of flow compete, and how large they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..nets.halving import Round
from .settings import TAIL
from .sizes import Sizes, sizes_for

FIRST = "nsf-ar"  # what is taken where nothing can be compared
OTHERS = ("nsf", "maf")
ROUNDS = (Round(0.04, 2), Round(0.08, 1))


def plans(
    settings: Mapping[str, Any], n: int, d: int, *, timed: bool, compared: bool
) -> list[tuple[str, Sizes]]:
    """The kinds and sizes that compete, in order of preference; one where the kind is given, or
    nothing can be compared.

    Args:
        n, d: rows trained on, and columns.
        timed: see `sizes_for`.
        compared: whether the fit has the time and the held-out rows for it.
    """
    sizes = sizes_for(n, d, settings, timed=timed)
    if settings["kind"] != "auto":
        return [(settings["kind"], sizes)]
    if not compared or d < 2 or settings["backend"] != "pyro":
        return [(FIRST, sizes)]
    splines = settings["bins"] is not None or settings["tail_bound"] != TAIL
    kinds = [FIRST, *(kind for kind in OTHERS if kind.startswith("nsf") or not splines)]
    return [(kind, sizes) for kind in kinds]
