"""Standard errors of outlying rows under a posterior over mixtures.

Two clusters of 150 rows in two columns are fitted by NUTS and by SVI from several seeds. Rows at a
distance of 0 to 10 standard deviations from a cluster are scored by each fit. In each band of
distance stand

    told        the share of values that have a standard error: elsewhere few draws decide
    stated      the root mean square of these errors, in nats
    spread      the standard deviation over seeds of the values that have one, in nats
    all         the same of all values

The error is that of the draws. For NUTS the seeds differ in nothing else; for SVI the guide that
was optimised differs as well, which no draw of it can tell: "fit" is the spread of the seeds,
"draws" that of draws anew from one guide.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ppgen import GaussianMixture
from ppgen.models.gmm.posterior import predictive_mixture
from ppgen.models.gmm.uncertainty import mean_density

BANDS = ((0, 2), (2, 4), (4, 6), (6, 8), (8, 10))
EACH = 12  # rows a band
DRAWS = 200
LEAST, MOST = 0.6, 1.6  # stated over spread
NONE = np.zeros((EACH * len(BANDS), 0), dtype=np.int32)


def clusters() -> Any:
    rng = np.random.default_rng(0)
    return rng.normal(size=(150, 2)) + np.where(np.arange(150) % 2, 4.0, -4.0)[:, None] * [1, 0]


def outlying() -> Any:
    """Rows (bands x EACH, 2) beside the cluster at 4, on the side away from the other."""
    rng = np.random.default_rng(1)
    distance = np.concatenate([rng.uniform(*band, EACH) for band in BANDS])
    angle = rng.uniform(-np.pi / 2, np.pi / 2, len(distance))
    return np.array([4.0, 0.0]) + distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)


def fit(engine: str, seed: int, more: int) -> Any:
    """Draws of a posterior, `more` times as many as are used."""
    settings: dict[str, Any] = {"num_draws": DRAWS * more, "num_steps": 1500}
    if engine == "nuts":
        settings = {"num_warmup": 200, "num_samples": DRAWS * more // 2, "num_chains": 2}
    model = GaussianMixture(2, engine=engine, engine_settings=settings, random_state=seed)  # type: ignore[arg-type]
    return model.fit(clusters()).posterior_


def scored(draws: Any) -> tuple[Any, Any]:
    density = mean_density(predictive_mixture(draws, "full", DRAWS), DRAWS, outlying(), NONE)
    return density.values, density.stderr


def of_seeds(engine: str, seeds: int) -> list[tuple[Any, Any]]:
    return [scored(fit(engine, seed, 1)) for seed in range(seeds)]


def of_draws(engine: str, times: int) -> list[tuple[Any, Any]]:
    """One fit, its draws in as many parts."""
    found = fit(engine, 0, times)
    parts = [{name: a[:, i::times] for name, a in found.items()} for i in range(times)]
    return [scored(part) for part in parts]


def lines(what: str, found: list[tuple[Any, Any]], judged: bool) -> list[dict[str, Any]]:
    values, errors = (np.array(parts) for parts in zip(*found, strict=True))
    told = np.isfinite(errors)
    enough = told.sum(axis=0) >= max(3, len(found) // 2)
    out = []
    for j, (near, far) in enumerate(BANDS):
        band = np.zeros(len(enough), bool)
        band[j * EACH : (j + 1) * EACH] = True
        rows = band & enough
        line = {"what": f"{what}, {near} to {far} sd", "told": f"{told[:, band].mean():.0%}"}
        line["all"] = f"{_rms(values[:, band].std(axis=0, ddof=1)):.2f}"
        if rows.any():
            kept = np.where(told, values, np.nan)[:, rows]
            spread = _rms(np.nanstd(kept, axis=0, ddof=1))
            stated = float(np.sqrt(np.nanmean(np.square(errors[:, rows]))))
            line |= {"stated": f"{stated:.3f}", "spread": f"{spread:.3f}"}
            line |= {"figure": f"{stated / spread:.2f}", "target": f"{LEAST} to {MOST}"}
            if judged:
                line["met"] = LEAST <= stated / spread <= MOST
        elif judged:
            line |= {"figure": "no error", "target": "none stated", "met": True}
        out.append(line)
    return out


def _rms(values: Any) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def run(full: bool) -> list[dict[str, Any]]:
    """Spread of values over draws and over seeds, beside what is stated."""
    times = 40 if full else 16
    found = lines("NUTS, draws", of_draws("nuts", times), judged=True)
    found += lines("SVI, draws", of_draws("svi", times), judged=True)
    seeds = 20 if full else 5
    found += lines("NUTS, fit", of_seeds("nuts", seeds), judged=full)
    return found + lines("SVI, fit", of_seeds("svi", seeds), judged=False)
