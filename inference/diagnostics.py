"""Whether Markov chains have converged, and whether there are enough draws.

Chains agree if R-hat is at most 1.01, and their quantiles can be trusted if the effective sample
sizes of the bulk and of the tails are at least 400. A divergence means that the integrator left its
path: the region where it did may be missing from the draws. With the energies E_n of the draws of
a chain, the estimated Bayesian fraction of missing information is

    E-BFMI = sum_n (E_n - E_{n-1})^2 / sum_n (E_n - mean E)^2,

1 where momenta drawn anew reach all energies at once; below 0.3, tails are explored too slowly.

References: Vehtari, Gelman, Simpson, Carpenter and Bürkner, "Rank-normalization, folding, and
localization: an improved R-hat for assessing convergence of MCMC", 2021,
https://doi.org/10.1214/20-BA1221; Betancourt, "Diagnosing suboptimal cotangent disintegrations in
Hamiltonian Monte Carlo", 2016, https://arxiv.org/abs/1604.00695.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..arrays import Array
from ..verdict import Reason

MAX_RHAT, MIN_ESS, MIN_EBFMI = 1.01, 400, 0.3
_NARROW = 3.0  # standard errors that ranks of a scale are below even where draws diverge


def worst_by_site(posterior: Mapping[str, Array]) -> dict[str, dict[str, float]]:
    """The worst R-hat and effective sample sizes of each site, over its elements that vary. R-hat
    of a single chain is NaN."""
    from arviz_stats import base

    stats: Any = base.array_stats  # type: ignore[attr-defined]
    table = {}
    for site, draws in posterior.items():
        flat = draws.reshape(*draws.shape[:2], -1)
        size = np.minimum(1.0, np.abs(flat).max(axis=(0, 1)))
        flat = flat[..., np.ptp(flat, axis=(0, 1)) > 1e-12 * size]
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


def ebfmi(energy: Array) -> Array:
    """E-BFMI (chain,) of energies (chain, draw); NaN where fewer than 2 draws or none vary."""
    moved = np.square(np.diff(energy, axis=1)).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = moved / np.square(energy - energy.mean(axis=1, keepdims=True)).sum(axis=1)
    return np.asarray(share)


def convergence(
    posterior: Mapping[str, Array], stats: Mapping[str, Array], scales: Sequence[str] = ()
) -> list[Reason]:
    """Warnings about the draws, each with advice.

    Args:
        posterior: site -> (chain, draw, ...).
        stats: (chain, draw) arrays under ArviZ's names: diverging, and as far as there are any
            reached_max_treedepth and energy.
        scales: positive sites, among which the one is looked for where draws diverge.
    """
    if wrong := _no_numbers(posterior) or _stuck(posterior):
        return wrong
    table = worst_by_site(posterior)
    if not table:
        return [Reason("warn", "too few draws to tell whether chains agree.", "Draw more.")]
    reasons = _disagreement(table, next(iter(posterior.values())).shape[0])
    for kind in ("bulk", "tail"):
        site = min(table, key=lambda name: table[name][f"ess_{kind}"])
        size = table[site][f"ess_{kind}"]
        if not size >= MIN_ESS:
            what = f"{size:.0f} effective draws of {site} ({kind}), below {MIN_ESS}."
            reasons.append(Reason("warn", what, "Raise num_samples."))
    return [*reasons, *_of_paths(posterior, stats, scales)]


def _no_numbers(posterior: Mapping[str, Array]) -> list[Reason]:
    """A reason if draws are not finite, of which no diagnostic says anything."""
    bad = {site: int((~np.isfinite(a)).sum()) for site, a in posterior.items()}
    named = [f"{n} of {posterior[site].size} values of {site}" for site, n in bad.items() if n]
    if not named:
        return []
    what = f"{', '.join(named)} are not finite: nothing is known of the draws."
    advice = "Look at the scales of the data and priors; give parameters of the order of 1."
    return [Reason("failed", what, advice)]


def _stuck(posterior: Mapping[str, Array]) -> list[Reason]:
    """A reason if chains of some draws never moved."""
    draws = [a.reshape(*a.shape[:2], -1) for a in posterior.values() if a.shape[1] >= 4]
    if not draws:
        return []
    still = np.all([(np.ptp(a, axis=1) == 0).all(axis=1) for a in draws], axis=0)
    if not still.any():
        return []
    what = f"{still.sum()} of {len(still)} chains never moved: every proposal was refused."
    advice = "Raise num_warmup, or rescale the parameters to be of the order of 1."
    return [Reason("failed", what, advice)]


def _disagreement(table: Mapping[str, Mapping[str, float]], chains: int) -> list[Reason]:
    site = max(table, key=lambda name: table[name]["rhat"])
    if chains == 1:
        what = "one chain: R-hat cannot be known, nor whether others would agree."
        return [Reason("warn", what, "Give num_chains=4, or at least 2.")]
    if table[site]["rhat"] <= MAX_RHAT:
        return []
    what = f"chains disagree: R-hat of {site} is {table[site]['rhat']:.3f}, above {MAX_RHAT}."
    advice = (
        "Raise num_warmup and num_samples; if it stays, chains sit in different modes: take a "
        "simpler model, such as one of fewer components."
    )
    return [Reason("warn", what, advice)]


def _of_paths(
    posterior: Mapping[str, Array], stats: Mapping[str, Array], scales: Sequence[str]
) -> list[Reason]:
    """What divergences, long paths and energies say."""
    reasons, total = [], stats["diverging"].size
    if diverging := int(stats["diverging"].sum()):
        what = f"{diverging} of {total} draws diverged: parts of the posterior may be missing."
        advice = "Raise target_accept to 0.95."
        narrow = _narrow(posterior, stats["diverging"], scales)
        if narrow is not None:
            what += f" They gather where {narrow} is small."
            advice = (
                f"Write the sites whose scale is {narrow} non-centred: value = location + "
                f"{narrow} * z with z ~ Normal(0, 1); or raise target_accept to 0.95."
            )
        reasons.append(Reason("failed" if diverging > total / 2 else "warn", what, advice))
    deep = int(stats["reached_max_treedepth"].sum()) if "reached_max_treedepth" in stats else 0
    if deep > 0.01 * total:
        what = f"{deep} of {total} draws reached the longest path allowed."
        advice = (
            'Take adaptation="low_rank" or "dense" where parameters are correlated, or raise '
            "max_tree_depth or num_warmup."
        )
        reasons.append(Reason("warn", what, advice))
    shares = ebfmi(stats["energy"]) if "energy" in stats else np.ones(1)
    if (least := float(np.min(shares, initial=1.0, where=np.isfinite(shares)))) < MIN_EBFMI:
        what = f"E-BFMI of a chain is {least:.2f}, below {MIN_EBFMI}: tails are explored slowly."
        advice = "Write hierarchical sites non-centred, or give priors with lighter tails."
        reasons.append(Reason("warn", what, advice))
    return reasons


def _narrow(posterior: Mapping[str, Array], diverging: Array, scales: Sequence[str]) -> str | None:
    """The positive site that is smallest, by its ranks, where draws diverged, if any is."""
    from scipy.stats import rankdata

    found, least = None, -_NARROW
    for site in scales:
        flat = posterior[site].reshape(diverging.size, -1)
        ranks = (rankdata(flat, axis=0) - 0.5) / len(flat)
        there = ranks[diverging.reshape(-1)]
        z = float(((there.mean(axis=0) - 0.5) * np.sqrt(12 * len(there))).min())
        if z < least:
            found, least = site, z
    return found
