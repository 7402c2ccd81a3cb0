"""The settings of the floor that every study prints."""

from __future__ import annotations

from ...settings import Setting, Settings, integer, seed
from ..gmm.settings import MAX_ITER, REG_COVAR, TOL

_SEED = Setting("random_state", seed, None, "seed of what is drawn, and of thinning.")


def _kernels(default: int, each: str) -> Setting:
    what = f"kernels kept{each}; more rows are thinned at random, which bounds the cost of a score."
    return Setting("max_rows", integer(1), default, what)


SETTINGS = {
    "gaussian": Settings(REG_COVAR, MAX_ITER, TOL, _SEED),
    "independent": Settings(_kernels(5_000, " for a column"), _SEED),
    "kde": Settings(_kernels(10_000, ""), _SEED),
}
