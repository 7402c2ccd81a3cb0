"""The settings of each engine of a pair: a dataclass of its own, in the order of `engines`."""

from __future__ import annotations

from dataclasses import dataclass

from ..engine_settings import NUTSSettings


@dataclass(kw_only=True)
class NUTS(NUTSSettings):
    """What can be set of NUTS."""
