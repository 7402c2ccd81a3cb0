"""The settings of the floor that every study prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...settings import Settings, seed, setting
from ..gmm.settings import EMSettings

_THINNED = "more rows are thinned at random, which bounds the cost of a score."


@dataclass(eq=False, repr=False, kw_only=True)
class GaussianSettings(EMSettings):
    """What can be set of one Gaussian."""

    random_state: Any = setting(None, "seed of what is drawn.", seed)


@dataclass(eq=False, repr=False, kw_only=True)
class IndependentSettings:
    """What can be set of independent columns."""

    max_rows: int = setting(5_000, f"kernels kept for a column; {_THINNED}", least=1)
    random_state: Any = setting(None, "seed of the thinning.", seed)


@dataclass(eq=False, repr=False, kw_only=True)
class KernelSettings(IndependentSettings):
    """What can be set of a kernel density estimate."""

    max_rows: int = setting(10_000, f"kernels kept; {_THINNED}", least=1)


SETTINGS = {
    "gaussian": Settings(GaussianSettings),
    "independent": Settings(IndependentSettings),
    "kde": Settings(KernelSettings),
}
