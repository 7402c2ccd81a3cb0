"""What a cell's fit is worth on held-out rows, in parts: its bound, and known factors in its codes.

    log p(x) >= IWAE-K >= ELBO = reconstruction - divergence,

all of the same rows, so that what importance samples gain over the ELBO can be read off; and how
much of that gap is the encoder's, whose guess of a row's latents is not as good as a Gaussian of
the row's own (amortisation).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.disentangle import scores_of_codes
from ..analysis.factors import Factors
from ..data import Dataset
from ..density import mean_stderr
from ..errors import InputError

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
    body: dict[str, Any] = {
        "rows": len(rows),
        "elbo": _mean(parts.elbo),
        "reconstruction": _mean(parts.reconstruction),
        "kl": _mean(parts.kl),
        "kl_per_latent": [float(v) for v in parts.kl_per_latent],
        "tight": _mean(density.values),
        "stderr": _number(density.mean_stderr(rows.units)),
        "method": density.method,
        "samples": model.n_importance,
        "monte_carlo": None,
        "ess": None,
        "gap": None,
        "gap_stderr": None,
    }
    if density.stderr is not None:
        body["monte_carlo"] = _number(np.sqrt(np.mean(np.square(density.stderr))))
    if "ess" in known:
        body["ess"] = _number(np.median(known["ess"]))
    if model.amortised:
        few = rows.take(slice(_AMORTISED))
        gap = model.amortisation_gap(few, n_steps=_STEPS)
        body |= {"gap": _mean(gap), "gap_stderr": _number(mean_stderr(gap, few.units))}
    return body


def factors_of(data: Dataset) -> Factors | None:
    """Known factors of the rows: a target of several numbers a row, or one with named fields."""
    if data.target is None:
        return None
    target = np.asarray(data.target)
    if target.dtype.names:
        names: tuple[str, ...] | None = target.dtype.names
        values = np.column_stack(
            [np.asarray(target[name], np.float64) for name in target.dtype.names]
        )
    elif target.ndim == 2 and target.shape[1] > 1 and target.dtype.kind in "iufb":
        names, values = None, target.astype(np.float64)
    else:
        return None
    if not np.isfinite(values).all():
        return None
    chosen = [j for j in range(values.shape[1]) if len(np.unique(values[:, j])) > 1]
    if not chosen:
        return None
    called = names or tuple(f"factor {j + 1}" for j in range(values.shape[1]))
    kinds = [i for i, j in enumerate(chosen) if _unordered(values[:, j])]
    try:
        return Factors.of(values[:, chosen], [called[j] for j in chosen], kinds)
    except InputError:  # too few rows
        return None


def _unordered(values: NDArray[np.float64]) -> bool:
    return bool((values == np.rint(values)).all()) and len(np.unique(values)) <= _MAX_LEVELS


def disentangled(codes: NDArray[np.float64], factors: Factors, seed: int) -> dict[str, Any]:
    """MIG, SAP and DCI of codes whose rows' factors are known, as JSON."""
    return scores_of_codes(codes, factors, seed=seed).to_json()


def _mean(values: NDArray[np.float64]) -> float | None:
    return _number(np.mean(values))


def _number(value: Any) -> float | None:
    """None for what JSON cannot hold."""
    return float(value) if np.isfinite(value) else None
