"""Held-out log densities of a cell, with what they claim."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Dataset
from ..density import LogDensity
from ..density_estimator import DensityEstimator
from ..estimator import Estimator
from ..plain_json import plain
from ..thinning import thinned
from .store import RESULT, finite, read_json, write_json
from .stored_rows import load_arrays, save_arrays

Numbers = NDArray[np.int64]

_CLAIMED = ("kind", "method", "measure", "dequantised", "gap")
CLAIM, TEST = "density.json", "test.npz"
MAX_IMAGES = 1000
"""Held-out images that are scored: the density of one may take as long as that of many rows."""


def scored_rows(data: Dataset, test: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """The held-out rows that are scored: all, or so many of very many images."""
    if data.images is None or len(test) <= MAX_IMAGES:
        return test
    return test[thinned(len(test), MAX_IMAGES, np.random.default_rng([seed, 0x1B]))]


def scored(
    model: Estimator, place: Path, data: Dataset, rows: NDArray[np.intp]
) -> dict[str, Any] | None:
    """What the log densities of these rows claim, computed where that was not done; None for a
    family without density."""
    if model.capabilities.density is None:
        return None
    assert isinstance(model, DensityEstimator)
    if not (place / TEST).exists():
        density = model.log_density(data.take(rows))
        arrays = {
            "values": density.values,
            "rows": rows,
            "units": data.units[rows],
            "stderr": density.stderr,
            "khat": density.diagnostics.get("khat"),
        }
        shape = data.schema.image_shape
        claim = {
            **{name: plain(getattr(density, name)) for name in _CLAIMED},
            "good_khat": finite(density.diagnostics.get("good_khat")),
            "dimension": None if shape is None else math.prod(shape),
        }
        write_json(place / CLAIM, claim)
        save_arrays(place / TEST, {k: v for k, v in arrays.items() if v is not None})
    return read_json(place / CLAIM)


def read_density(place: Path) -> tuple[LogDensity, Numbers, Numbers] | None:
    """The held-out log densities of a finished cell, their rows and these rows' units; None without
    density."""
    claim = (read_json(place / RESULT) or {}).get("density")
    if claim is None:
        return None
    arrays = load_arrays(place / TEST)
    khat = {}
    if "khat" in arrays and claim.get("good_khat") is not None:
        khat = {"khat": arrays["khat"], "good_khat": claim["good_khat"]}
    density = LogDensity(
        arrays["values"],
        claim["kind"],
        claim["method"],
        claim["measure"],
        tuple(claim["dequantised"]),
        tuple(claim["gap"]),
        stderr=arrays.get("stderr"),
        diagnostics=khat,
    )
    return density, arrays["rows"].astype(np.int64), arrays["units"].astype(np.int64)
