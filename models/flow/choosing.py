"""Which kinds of flow compete, and how large they are.

Where steps are few, what the losers take costs the winner most: in a minute, a sixth of the time is
a nat on a table of 14,000 rows and 18 columns. So few compete. Flows of coupling layers are left to
be named: in trials ("nsf"; see `benchmarks/tables.py`) they were ahead after a fifth of the time,
where a contest is decided, and behind at its end. Affine ones are soon as good as they get.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..nets.halving import Round
from .settings import TAIL
from .sizes import Sizes, sizes_for

FIRST = "nsf-ar"  # what is taken where nothing can be compared
OTHERS = ("maf",)
ROUNDS = (Round(0.03, 2), Round(0.12, 1))
_LONG = 300.0  # seconds that a fit has, from which on large flows compete: they start slowly
_FEW, _MANY = 3, 50_000  # layers of a small flow; rows from which on none competes


def plans(
    settings: Mapping[str, Any], n: int, d: int, *, left: float | None, compared: bool
) -> list[tuple[str, Sizes]]:
    """The kinds and sizes that compete, in order of preference; one where the kind is given, or
    nothing can be compared.

    Args:
        n, d: rows trained on, and columns.
        left: seconds that the fit has, or None.
        compared: whether the fit has the time and the held-out rows for it.
    """
    timed = left is not None
    sizes = sizes_for(n, d, settings, timed=timed)
    if settings["kind"] != "auto":
        return [(settings["kind"], sizes)]
    if not compared or d < 2 or settings["backend"] != "pyro":
        return [(FIRST, sizes)]
    splines = settings["bins"] is not None or settings["tail_bound"] != TAIL
    small = sizes_for(n, d, smaller(settings, sizes, n), timed=timed)
    large = [] if small == sizes or (left is not None and left < _LONG) else [(FIRST, sizes)]
    return [(FIRST, small), *large, *((kind, small) for kind in (() if splines else OTHERS))]


def smaller(settings: Mapping[str, Any], sizes: Sizes, n: int) -> dict[str, Any]:
    """Settings of a flow of fewer layers, which takes more steps in the same time (one of narrower
    layers hardly does). What is given stays."""
    if n >= _MANY or settings["n_transforms"] is not None:
        return dict(settings)
    return {**settings, "n_transforms": min(sizes.n_transforms, _FEW)}
