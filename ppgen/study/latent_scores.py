"""What a cell's fit is worth on held-out rows, in parts: its bound, and known factors in its codes.

    log p(x) >= IWAE-K >= ELBO = reconstruction - divergence,

all of the same rows, so that what importance samples gain over the ELBO can be read off; and how
much of that gap is the encoder's, whose guess of a row's latents is not as good as a Gaussian of
the row's own (amortisation).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.recfunctions import structured_to_unstructured
from numpy.typing import NDArray

from ..analysis.factors import Factors
from ..data import Dataset
from ..density import mean_stderr
from ..errors import InputError
from .store import finite

_AMORTISED, _STEPS = 60, 100
_MAX_LEVELS = 5
"""A whole-numbered factor of so few values counts as one without order."""


def bound_parts(model: Any, rows: Dataset) -> dict[str, Any] | None:
    """The bound of these rows in its parts, as JSON; None of a model that has none.

    Returns:
        Means over the rows, in nats: `elbo`, `reconstruction`, `kl`, `kl_per_latent`, `tight` (by
        importance samples) with `stderr` (over rows), `monte_carlo` (root mean square of the rows'
        own standard errors), `gap` with `gap_stderr` (amortisation; None where it is not defined);
        `method`, `samples`, `ess` (median), `khat` (of each row), `good_khat`, and `rows`.
    """
    if not model.capabilities.bounds:
        return None
    parts = model.bound(rows)
    density = model.log_density(rows)
    known = density.diagnostics
    gap = gap_stderr = None
    if model.amortised:
        few = rows.take(slice(_AMORTISED))
        gaps = model.amortisation_gap(few, n_steps=_STEPS)
        gap, gap_stderr = finite(gaps.mean()), finite(mean_stderr(gaps, few.units))
    stderr = density.stderr
    return {
        "rows": len(rows),
        "elbo": finite(parts.elbo.mean()),
        "reconstruction": finite(parts.reconstruction.mean()),
        "kl": finite(parts.kl.mean()),
        "kl_per_latent": [float(v) for v in parts.kl_per_latent],
        "tight": finite(density.values.mean()),
        "stderr": finite(density.mean_stderr(rows.units)),
        "method": density.method,
        "samples": model.n_importance,
        "monte_carlo": None if stderr is None else finite(np.sqrt(np.mean(np.square(stderr)))),
        "ess": finite(np.median(known["ess"])) if "ess" in known else None,
        "gap": gap,
        "gap_stderr": gap_stderr,
    }


def factors_of(data: Dataset) -> Factors | None:
    """Known factors of the rows: a target of several numbers a row, or one with named fields."""
    target = np.asarray(data.target)
    names = target.dtype.names
    if names:
        values = structured_to_unstructured(target, np.float64)
    elif target.ndim == 2 and target.shape[1] > 1 and target.dtype.kind in "iufb":
        values = target.astype(np.float64)
        names = tuple(f"factor {j + 1}" for j in range(values.shape[1]))
    else:
        return None
    varied = [j for j, column in enumerate(values.T) if len(np.unique(column)) > 1]
    if not np.isfinite(values).all() or not varied:
        return None
    kinds = [i for i, j in enumerate(varied) if _unordered(values[:, j])]
    try:
        return Factors.of(values[:, varied], [names[j] for j in varied], kinds)
    except InputError:  # too few rows
        return None


def _unordered(values: NDArray[np.float64]) -> bool:
    return bool((values == np.rint(values)).all()) and len(np.unique(values)) <= _MAX_LEVELS
