"""A user's own model in Pyro or NumPyro, fitted by any engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...lazy import lazily

if TYPE_CHECKING:
    from .calibrating import Replications as Replications
    from .fitted import PairFit as PairFit
    from .pair import Pair as Pair

__all__ = ["Pair", "PairFit", "Replications"]

__getattr__ = lazily(__name__, Pair="pair", PairFit="fitted", Replications="calibrating")
