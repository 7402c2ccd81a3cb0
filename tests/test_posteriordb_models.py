"""The models of `benchmarks/posteriordb_models.py` against densities that are written out again.

Each formula below follows the Stan program of its name statement by statement, on NumPy and SciPy
alone. Log densities are of the parameters as the program declares them, up to a constant: their
differences between reference draws are compared.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import solve_ivp

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("PPGEN_DATA"), reason="PPGEN_DATA names no folder with posteriordb"
    ),
]
Numbers = dict[str, Any]


def _models() -> Any:
    path = Path(__file__).parents[1] / "benchmarks" / "posteriordb_models.py"
    spec = importlib.util.spec_from_file_location("posteriordb_models", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def normal(x: Any, mean: Any, sd: Any) -> float:
    return float(stats.norm.logpdf(x, mean, sd).sum())


def regression(p: Numbers, y: Any, *columns: Any) -> float:
    mean = sum(b * np.asarray(c) for b, c in zip(p["beta"], columns, strict=True))
    return normal(y, mean, p["sigma"])


def cauchy(x: float, scale: float) -> float:
    return float(stats.cauchy.logpdf(x, 0, scale))


def ar(p: Numbers, d: Numbers) -> float:
    total = normal(p["alpha"], 0, 10) + normal(p["beta"], 0, 10) + cauchy(p["sigma"], 2.5)
    for t in range(d["K"], len(d["y"])):
        mu = p["alpha"] + sum(p["beta"][k] * d["y"][t - 1 - k] for k in range(d["K"]))
        total += normal(d["y"][t], mu, p["sigma"])
    return total


def schools(p: Numbers, d: Numbers) -> float:
    prior = normal(p["mu"], 0, 5) + cauchy(p["tau"], 5)
    return prior + normal(p["theta"], p["mu"], p["tau"]) + normal(d["y"], p["theta"], d["sigma"])


def schools_apart(p: Numbers, d: Numbers) -> float:
    z = (np.asarray(p["theta"]) - p["mu"]) / p["tau"]
    prior = normal(p["mu"], 0, 5) + cauchy(p["tau"], 5)
    return prior + normal(z, 0, 1) + normal(d["y"], p["theta"], d["sigma"])


def garch(p: Numbers, d: Numbers) -> float:
    total, sigma = normal(d["y"][0], p["mu"], d["sigma1"]), d["sigma1"]
    for before, y in zip(d["y"][:-1], d["y"][1:], strict=True):
        variance = p["alpha0"] + p["alpha1"] * (before - p["mu"]) ** 2 + p["beta1"] * sigma**2
        sigma = np.sqrt(variance)
        total += normal(y, p["mu"], sigma)
    return total


def mixture(p: Numbers, d: Numbers) -> float:
    prior = normal(p["sigma"], 0, 2) + normal(p["mu"], 0, 2)
    prior += float(stats.beta.logpdf(p["theta"], 5, 5))
    first, second = (stats.norm.pdf(d["y"], p["mu"][k], p["sigma"][k]) for k in (0, 1))
    return prior + float(np.log(p["theta"] * first + (1 - p["theta"]) * second).sum())


def lynx(p: Numbers, d: Numbers) -> float:
    alpha, beta, gamma, delta = p["theta"]

    def slope(_: float, z: Any) -> list[float]:
        u, v = z
        return [(alpha - beta * v) * u, (-gamma + delta * u) * v]

    ts = np.asarray(d["ts"])
    z = solve_ivp(slope, (0, ts[-1]), p["z_init"], t_eval=ts, rtol=1e-10, atol=1e-10).y.T

    def lognormal(x: Any, middle: Any, sd: Any) -> float:
        return normal(np.log(x), np.log(middle), sd) - float(np.log(x).sum())

    total = normal(np.array(p["theta"])[[0, 2]], 1, 0.5)
    total += normal(np.array(p["theta"])[[1, 3]], 0.05, 0.05)
    total += lognormal(p["sigma"], np.exp([-1.0, -1.0]), 1) + lognormal(p["z_init"], [10, 10], 1)
    for k in (0, 1):
        total += lognormal(d["y_init"][k], p["z_init"][k], p["sigma"][k])
        total += lognormal(np.asarray(d["y"])[:, k], z[:, k], p["sigma"][k])
    return total


def _kid(p: Numbers, d: Numbers) -> float:
    hs, iq = (np.asarray(d.get(name, np.zeros(1))) for name in ("mom_hs", "mom_iq"))
    columns = [np.ones(len(d["kid_score"]))]
    columns += [hs] if "mom_hs" in d else []
    columns += [iq] if "mom_iq" in d else []
    columns += [hs * iq] if len(columns) == 3 else []
    return cauchy(p["sigma"], 2.5) + regression(p, d["kid_score"], *columns)


def _earnings(p: Numbers, d: Numbers) -> float:
    h, m = d["height"], d["male"]
    return regression(p, np.log(d["earn"]), np.ones(len(h)), h, m, h * m)


def _mesquite(p: Numbers, d: Numbers) -> float:
    names = ("diam1", "diam2", "canopy_height", "total_height", "density", "group")
    return regression(p, d["weight"], np.ones(len(d["weight"])), *(d[n] for n in names))


def _logmesquite(p: Numbers, d: Numbers) -> float:
    area, shape = d["diam1"] * d["diam2"], d["diam1"] / d["diam2"]
    logs = [np.log(x) for x in (area * d["canopy_height"], area, shape, d["total_height"])]
    return regression(p, np.log(d["weight"]), np.ones(len(area)), *logs, d["group"])


def _nes(p: Numbers, d: Numbers) -> float:
    ages = [np.where(d["age_discrete"] == k, 1.0, 0.0) for k in (2, 3, 4)]
    rest = [d[n] for n in ("educ1", "gender", "income")]
    one = np.ones(len(d["income"]))
    return regression(p, d["partyid7"], one, d["real_ideo"], d["race_adj"], *ages, *rest)


def _blr(p: Numbers, d: Numbers) -> float:
    prior = normal(p["beta"], 0, 10) + normal(p["sigma"], 0, 10)
    return prior + regression(p, d["y"], *np.asarray(d["X"]).T)


FORMULAS: dict[str, Callable[[Numbers, Numbers], float]] = {
    "arK-arK": ar,
    "earnings-logearn_interaction": _earnings,
    "eight_schools-eight_schools_centered": schools,
    "eight_schools-eight_schools_noncentered": schools_apart,
    "garch-garch11": garch,
    "hudson_lynx_hare-lotka_volterra": lynx,
    "kidiq-kidscore_interaction": _kid,
    "kidiq-kidscore_momhs": _kid,
    "kidiq-kidscore_momiq": _kid,
    "low_dim_gauss_mix-low_dim_gauss_mix": mixture,
    "mesquite-logmesquite_logvash": _logmesquite,
    "mesquite-mesquite": _mesquite,
    "nes1972-nes": _nes,
    "sblrc-blr": _blr,
}
# The Runge-Kutta rule's own error, over some 40 log densities of populations; else rounding.
TOLERANCE = {"hudson_lynx_hare-lotka_volterra": 2e-3}


def values(name: str, draw: dict[str, float]) -> Numbers:
    """Sites of the model, from a reference draw by coordinates."""
    sites: Numbers = {}
    for coordinate, value in draw.items():
        site, _, rest = coordinate.partition("[")
        if rest:
            sites.setdefault(site, []).append(value)
        else:
            sites[site] = value
    sites = {site: np.array(value) for site, value in sites.items()}
    if name.endswith("noncentered"):
        sites["theta_trans"] = (sites["theta"] - sites["mu"]) / sites["tau"]
    if name.startswith("garch"):
        sites["beta1_share"] = sites["beta1"] / (1 - sites["alpha1"])
    return sites


@pytest.mark.parametrize("name", FORMULAS)
def test_log_densities_differ_between_draws_as_those_of_the_program(name: str) -> None:
    import jax
    from numpyro.infer.util import log_density

    models = _models()
    posterior = models.POSTERIORS[name]
    data, reference = posterior.data(), posterior.reference()
    found, expected = [], []
    for chain, i in ((0, 0), (3, 500), (7, 999)):
        p = values(name, {k: float(v[chain, i]) for k, v in reference.items()})
        with jax.enable_x64(True):
            own = log_density(posterior.model, (), data, p)[0]
        own = float(own)
        if name.startswith("garch"):  # the density of beta1, not of its share
            own -= float(np.log(1 - p["alpha1"]))
        found.append(own)
        expected.append(FORMULAS[name](p, data))
    assert np.ptp(expected) > 0.1
    tolerance = TOLERANCE.get(name, 1e-8 * abs(expected[0]))
    assert np.diff(found) == pytest.approx(np.diff(expected), abs=tolerance)
