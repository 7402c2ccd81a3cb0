"""Whether Markov chains have converged, and whether there are enough draws.

Chains agree if R-hat is at most 1.01, and their quantiles can be trusted if the effective sample
sizes of the bulk and of the tails are at least 400. A divergence means that the integrator left its
path: the region where it did may be missing from the draws.

Reference: Vehtari, Gelman, Simpson, Carpenter and Bürkner, "Rank-normalization, folding, and
localization: an improved R-hat for assessing convergence of MCMC", 2021,
https://doi.org/10.1214/20-BA1221.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arrays import Array
from ..verdict import Reason

MAX_RHAT, MIN_ESS = 1.01, 400


def worst_by_site(posterior: Mapping[str, Array]) -> dict[str, dict[str, float]]:
    """The worst R-hat and effective sample sizes of each site, over its elements that vary. R-hat
    of a single chain is NaN."""
    from arviz_stats import base

    stats: Any = base.array_stats  # type: ignore[attr-defined]
    table = {}
    for site, draws in posterior.items():
        flat = draws.reshape(*draws.shape[:2], -1)
        flat = flat[..., np.ptp(flat, axis=(0, 1)) > 1e-12]
        if flat.shape[-1] == 0 or flat.shape[1] < 4:
            continue
        axes = {"chain_axis": 0, "draw_axis": 1}
        table[site] = {
            "rhat": float(np.max(stats.rhat(flat, **axes))) if len(flat) > 1 else float("nan"),
            "ess_bulk": float(np.min(stats.ess(flat, method="bulk", **axes))),
            "ess_tail": float(np.min(stats.ess(flat, method="tail", prob=0.05, **axes))),
        }
    return table


def split_rhat(draws: Array) -> Array:
    """R-hat (..., k) of draws (..., chain, draw, k), of halves of chains, without ranks: for many
    bounded quantities at once. 1 where nothing varies."""
    half = draws.shape[-2] // 2
    parts = np.concatenate([draws[..., :half, :], draws[..., -half:, :]], axis=-3)
    within = parts.var(axis=-2, ddof=1).mean(axis=-2)
    between = parts.mean(axis=-2).var(axis=-2, ddof=1)
    constant = within + between < 1e-24
    with np.errstate(divide="ignore", invalid="ignore"):
        rhat = np.sqrt((half - 1) / half + between / within)
    return np.where(constant, 1.0, rhat)


def convergence(posterior: Mapping[str, Array], stats: Mapping[str, Array]) -> list[Reason]:
    """Warnings about the draws, each with advice.

    Args:
        posterior: site -> (chain, draw, ...).
        stats: (chain, draw) arrays under ArviZ's names, diverging and reached_max_treedepth among
            them.
    """
    table, reasons = worst_by_site(posterior), []
    if not table:
        return [Reason("warn", "too few draws to tell whether chains agree.", "Draw more.")]
    site = max(table, key=lambda name: table[name]["rhat"])
    if next(iter(posterior.values())).shape[0] == 1:
        what = "one chain: R-hat cannot be known, nor whether others would agree."
        reasons.append(Reason("warn", what, "Give num_chains=4, or at least 2."))
    elif not table[site]["rhat"] <= MAX_RHAT:
        what = f"chains disagree: R-hat of {site} is {table[site]['rhat']:.3f}, above {MAX_RHAT}."
        advice = (
            "Raise num_warmup and num_samples; if it stays, chains sit in different modes: use "
            "fewer components."
        )
        reasons.append(Reason("warn", what, advice))
    for kind in ("bulk", "tail"):
        site = min(table, key=lambda name: table[name][f"ess_{kind}"])
        size = table[site][f"ess_{kind}"]
        if not size >= MIN_ESS:
            what = f"{size:.0f} effective draws of {site} ({kind}), below {MIN_ESS}."
            reasons.append(Reason("warn", what, "Raise num_samples."))
    total = stats["diverging"].size
    if diverging := int(stats["diverging"].sum()):
        what = f"{diverging} of {total} draws diverged: parts of the posterior may be missing."
        advice = "Raise target_accept to 0.95, or use fewer components."
        reasons.append(Reason("warn", what, advice))
    deep = int(stats["reached_max_treedepth"].sum())
    if deep > 0.01 * total:
        what = f"{deep} of {total} draws reached the longest path allowed."
        reasons.append(Reason("warn", what, "Raise max_tree_depth, or num_warmup."))
    return reasons
