"""How often the audit of a faultless model refutes a claim.

Each model is fitted once and audited again and again, each time with other draws and with rows that
it drew itself in the place of held-out ones: whatever is refuted or called a misfit is a false
alarm. The audit states a level of 1 % for all its random checks at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import ppgen
from ppgen.density_estimator import DensityEstimator

_SEEDS, _QUICK, _ROWS = 25, 5, 300
_LEVEL = 0.01


def _rows(n: int = 400) -> Any:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 2)) + 5 * rng.integers(0, 2, n)[:, None]


def _table(n: int = 400) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    kind = rng.integers(3, size=n)
    return {
        "length": np.exp(rng.normal(0.3 * kind, 0.2)),
        "visits": rng.poisson(4 + 3 * kind),
        "species": np.array(["Adelie", "Chinstrap", "Gentoo"])[kind],
    }


_FLOW = {"n_transforms": 2, "hidden": (16,), "max_epochs": 20}
_VAE = {"latent_dim": 1, "hidden": (16,), "max_epochs": 60, "n_importance": 64}
MODELS: dict[str, Callable[[], DensityEstimator]] = {
    "gaussian": lambda: ppgen.Gaussian(random_state=0).fit(_rows()),
    "independent, mixed columns": lambda: ppgen.IndependentColumns(random_state=0).fit(_table()),
    "kde": lambda: ppgen.KernelDensity(random_state=0).fit(_rows()),
    "gmm": lambda: ppgen.GaussianMixture(2, random_state=0).fit(_rows()),
    "gmm, mixed columns": lambda: ppgen.GaussianMixture(2, random_state=0).fit(_table()),
    "flow": lambda: ppgen.NormalizingFlow(kind="maf", random_state=0, **_FLOW).fit(_rows()),
    "vae": lambda: ppgen.VAE(random_state=0, **_VAE).fit(_rows()),
}


def run(full: bool) -> list[dict[str, Any]]:
    """A line a model, and one of all."""
    lines, seeds = [], _SEEDS if full else _QUICK
    of_all, audits = 0, 0
    for name, fit in MODELS.items():
        model, alarms, p_values = fit(), 0, []
        for seed in range(seeds):
            rows = model.sample(_ROWS, random_state=10_000 + seed)
            found = ppgen.audit(model, rows, random_state=seed, budget="120s")
            alarms += bool(found.of("refuted") or found.of("misfit"))
            p_values += [c.p_value for c in found if np.isfinite(c.p_value)]
        of_all, audits = of_all + alarms, audits + seeds
        small = float(np.mean(np.array(p_values) < 0.05))
        lines.append({"what": name, "figure": f"{alarms} of {seeds}", "p < 0.05": f"{small:.1%}"})
    # Of as many audits at the stated level, more alarms than this are a chance of 1 in 100.
    most = next(k for k in range(audits) if _beyond(k, audits) < 0.01)
    lines.append(
        {
            "what": "all models",
            "figure": f"{of_all} of {audits}",
            "target": f"at most {most} (level {_LEVEL:.0%})",
            "met": of_all <= most if full else None,
        }
    )
    return lines


def _beyond(k: int, n: int) -> float:
    """The chance of more than k alarms in n audits at the level."""
    from scipy.stats import binom

    return float(binom.sf(k, n, _LEVEL))
