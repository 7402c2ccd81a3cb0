"""Laplace's approximation: a Gaussian at the mode of the posterior, on the unconstrained scale.

With f(z) = log p(theta(z), y) + log |d theta / d z|, the mode m and P = -f''(m),

    q(z) = N(z; m, P^-1),        log p(y) ~ f(m) + p/2 log 2 pi - 1/2 log |P|.

The weights exp(f(z) / q(z)) of draws from q correct that estimate of the evidence, with a standard
error, and say how far q is from the posterior (`approximation`). The mode is the one of those found
(`modes`) that holds the largest share of the evidence.

Reference: Tierney and Kadane, "Accurate approximations for posterior moments and marginal
densities", 1986, https://doi.org/10.1080/01621459.1986.10478240.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ...fitting import EngineFit
from ...verdict import Reason
from .approximation import judged
from .modes import Mode, chosen, found_modes, others
from .numeric import numeric
from .psis import smooth
from .result import Evidence, Posterior, Why
from .target import Target

_ADVICE = 'Take method="nuts"; or "importance", which weighs draws, where k-hat is low.'


def run(target: Target, settings: Any, fit: EngineFit) -> Posterior:
    """Laplace's approximation of a pair's posterior.

    Raises:
        InputError: if the model has no finite density where searches start.
    """
    began, f = time.perf_counter(), numeric(target)
    modes, why = found_modes(f, settings.num_starts, fit)
    best = chosen(modes)
    if not best.found:
        z = np.repeat(best.z[None, None], settings.num_draws, axis=1)
        stats = {"lp": np.full(z.shape[:2], best.log_joint)}
        seconds = time.perf_counter() - began
        return Posterior(
            f.constrain(z), stats, None, why, f.gradients, seconds, {}, [_failed(best, target, why)]
        )
    z, log_q = best.draw(settings.num_draws, fit.rng())
    lp = f.log_joint(z)
    weights = smooth(lp - log_q)
    each = np.array([mode.log_evidence for mode in modes if mode.found])
    total = float(np.logaddexp.reduce(each))
    missed = others(modes)
    evidence = weights.evidence
    if not weights.khat <= weights.good or missed:
        evidence = Evidence(total, float("nan"), "approximation")
    reasons = [
        *judged(f, z, lp - log_q, "Laplace's approximation", _ADVICE, fit),
        *missed,
        Reason(
            "ok",
            f"Laplace's estimate of the log evidence at this mode is {best.log_evidence:.3f}; "
            f"importance weights give {weights.evidence.value:.3f} ± "
            f"{weights.evidence.stderr:.3f}.",
        ),
    ]
    return Posterior(
        f.constrain(z[None]),
        {"lp": lp[None], "log_q": log_q[None]},
        evidence,
        why,
        f.gradients,
        time.perf_counter() - began,
        {"mode": best.z, "precision": best.precision},
        reasons,
    )


def _failed(end: Mode, target: Target, why: Why) -> Reason:
    if why == "budget":
        return Reason("failed", "the budget ended before a mode was found.", "Give a larger one.")
    at = end.open or 0
    what = (
        f"no maximum of the log joint was found: where the search ended it is flat, or rises, "
        f"along {target.coordinates[at]!r} (at {end.z[at]:.4g} on the unconstrained scale)."
    )
    advice = (
        "The posterior may be improper, or unbounded (a scale that goes to 0): give the site a "
        'proper prior, write the model non-centred, or take method="nuts".'
    )
    return Reason("failed", what, advice)
