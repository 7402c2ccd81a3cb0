"""Planted faults of fitting, each of which the verdict must name, and healthy fits, which it must
leave alone.

A fault is found where the verdict is warn or failed (a `FitError` is) and a word of the right cause
is in it. Fits are small: tables of 200 to 1,000 rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import ppgen
from ppgen.errors import FitError

Floats = NDArray[np.float64]
Fit = Callable[[], Any]

_FAULTS, _FOUND, _HEALTHY, _WARNED = 40, 36, 40, 2
_QUICK = 12  # of each, without --full


class Fault(NamedTuple):
    """A fit that is wrong, and words of which one must be in its verdict."""

    words: tuple[str, ...]
    fit: Fit


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng([7, seed])


def normal(n: int = 400, d: int = 2, seed: int = 0) -> Floats:
    mix = np.eye(d) + 0.4 * np.tri(d, k=-1)
    return _rng(seed).normal(size=(n, d)) @ mix.T


def clusters(n: int = 600, k: int = 2, apart: float = 6.0, seed: int = 0) -> Floats:
    """k clusters of unit width on a line."""
    rng = _rng(seed)
    return rng.normal(size=(n, 2)) + apart * rng.integers(0, k, n)[:, None] * np.array([1.0, 0.5])


def ring(n: int = 600, seed: int = 0) -> Floats:
    rng = _rng(seed)
    angle = 2 * np.pi * rng.random(n)
    return np.c_[np.cos(angle), np.sin(angle)] + 0.1 * rng.normal(size=(n, 2))


def moons(n: int = 600, seed: int = 0) -> Floats:
    rng = _rng(seed)
    angle, upper = np.pi * rng.random(n), rng.random(n) < 0.5
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    return np.c_[x, y] + 0.05 * rng.normal(size=(n, 2))


def skewed(n: int = 600, d: int = 2, seed: int = 0) -> Floats:
    return np.exp(1.2 * normal(n, d, seed))


def put(x: Floats, value: float, *, column: int = 0, times: int = 1) -> Floats:
    """The rows with a value in the first of them."""
    out = x.copy()
    out[:times, column] = value
    return out


def gappy(x: Floats, seed: int) -> Floats:
    """The rows with a tenth of the values missing."""
    return np.where(_rng(seed + 300).random(x.shape) < 0.1, np.nan, x)


def on_a_line(n: int = 800, seed: int = 0) -> Floats:
    """Three columns that one latent and noise make."""
    rng = _rng(seed)
    return rng.normal(size=(n, 1)) * [1.0, -0.8, 0.6] + 0.3 * rng.normal(size=(n, 3))


def lengthened(x: Floats, factor: float = 2.0) -> Floats:
    """The rows with a column that is a multiple of the first."""
    return np.c_[x, factor * x[:, 0] + 1.0]


def gmm(k: Any, **settings: Any) -> ppgen.GaussianMixture:
    return ppgen.GaussianMixture(k, **{"n_init": 1, "random_state": 0} | settings)


def flow(**settings: Any) -> ppgen.NormalizingFlow:
    small = {"kind": "maf", "n_transforms": 2, "hidden": (16,), "max_epochs": 40}
    return ppgen.NormalizingFlow(**{"random_state": 0} | small | settings)


def vae(**settings: Any) -> ppgen.VAE:
    small = {"latent_dim": 1, "hidden": (16,), "max_epochs": 40}
    return ppgen.VAE(**{"random_state": 0} | small | settings)


def svi(**settings: Any) -> ppgen.GaussianMixture:
    return gmm(2, engine="svi", engine_settings={"num_draws": 50} | settings)


def nuts(**settings: Any) -> ppgen.GaussianMixture:
    small = {"num_warmup": 50, "num_samples": 50, "num_chains": 2}
    return gmm(2, engine="nuts", engine_settings=small | settings)


def gaussian() -> ppgen.Gaussian:
    return ppgen.Gaussian(random_state=0)


def kde() -> ppgen.KernelDensity:
    return ppgen.KernelDensity(random_state=0)


def independent() -> ppgen.IndependentColumns:
    return ppgen.IndependentColumns(random_state=0)


_START = [[0.0, 0.0], [0.3, 0.0], [0.0, 0.3]]
GOODNESS = ("goodness of fit",)

FAULTS: dict[str, Fault] = {
    "one Gaussian, ring": Fault(GOODNESS, lambda: gaussian().fit(ring())),
    "one Gaussian, two clusters": Fault(GOODNESS, lambda: gaussian().fit(clusters())),
    "one Gaussian, moons": Fault(GOODNESS, lambda: gaussian().fit(moons())),
    "one Gaussian, skewed": Fault(GOODNESS, lambda: gaussian().fit(skewed())),
    "one component, two clusters": Fault(GOODNESS, lambda: gmm(1).fit(clusters())),
    "two components, five clusters": Fault(GOODNESS, lambda: gmm(2).fit(clusters(1000, 5))),
    "spherical, narrow": Fault(
        GOODNESS, lambda: gmm(1, covariance_type="spherical").fit(normal() * [1.0, 20.0])
    ),
    "diagonal, correlated": Fault(
        GOODNESS, lambda: gmm(1, covariance_type="diag").fit(normal(600) @ [[1, 0.9], [0.9, 1]])
    ),
    "independent columns, correlated": Fault(
        GOODNESS, lambda: independent().fit(normal(600) @ [[1, 0.9], [0.9, 1]])
    ),
    "independent columns, ring": Fault(GOODNESS, lambda: independent().fit(ring())),
    "too many components": Fault(
        ("rows a parameter", "dimensions", "less than one row"), lambda: gmm(40).fit(normal(150))
    ),
    "EM cut short": Fault(
        ("converged",), lambda: gmm(3, max_iter=2, means_init=_START).fit(clusters(apart=3.0))
    ),
    "EM cut short, tied": Fault(
        ("converged",),
        lambda: gmm(3, max_iter=3, covariance_type="tied", means_init=_START).fit(moons()),
    ),
    "singular components": Fault(
        ("dimensions", "collinear", "reg_covar"), lambda: gmm(2).fit(lengthened(normal()))
    ),
    "collinear, Gaussian": Fault(("collinear",), lambda: gaussian().fit(lengthened(normal()))),
    "collinear, kde": Fault(("collinear",), lambda: kde().fit(lengthened(normal()))),
    "collinear, flow": Fault(("collinear",), lambda: flow().fit(lengthened(normal()))),
    "a sum of columns, VAE": Fault(
        ("collinear",), lambda: vae().fit(np.c_[normal(), normal().sum(axis=1)])
    ),
    "outlier, kde": Fault(("extreme value",), lambda: kde().fit(put(normal(), 1e6))),
    "outlier, independent": Fault(
        ("extreme value",), lambda: independent().fit(put(normal(), 1e6))
    ),
    "outlier, flow": Fault(("extreme value",), lambda: flow().fit(put(normal(), 1e6))),
    "outlier, VAE": Fault(("extreme value",), lambda: vae().fit(put(normal(), 1e6))),
    "outlier, mixture": Fault(("extreme value",), lambda: gmm(2).fit(put(normal(), -1e4))),
    "codes, Gaussian": Fault(("code for",), lambda: gaussian().fit(put(normal(), -999, times=40))),
    "codes, flow": Fault(("code for",), lambda: flow().fit(put(normal(), 9999, times=5))),
    "codes, kde": Fault(("code for",), lambda: kde().fit(put(normal(), -9999, times=100))),
    "near-copies, kde": Fault(
        ("edge of its grid",),
        lambda: kde().fit(np.repeat(normal(100), 3, axis=0) + 1e-7 * normal(300)),
    ),
    "near-copies, independent": Fault(
        ("edge",), lambda: independent().fit(np.repeat(normal(100), 3, axis=0) + 1e-7 * normal(300))
    ),
    "ties on no grid": Fault(
        ("on no grid",), lambda: gaussian().fit(normal(40)[_rng(0).integers(0, 40, 400)] * np.pi)
    ),
    "flow, one step": Fault(
        ("still improving", "nothing was learnt", *GOODNESS),
        lambda: flow(max_epochs=1).fit(ring(1000)),
    ),
    "flow, rate too high": Fault(
        ("nothing was learnt", "not finite"),
        lambda: flow(learning_rate=10.0, max_epochs=5).fit(normal()),
    ),
    "flow, too large": Fault(
        ("likelier", "nothing was learnt"),
        lambda: flow(kind="nsf", hidden=(128,), bins=16, max_epochs=60, learning_rate=0.01).fit(
            normal(100, 6)
        ),
    ),
    "flow, few rows": Fault(("too few to hold any",), lambda: flow().fit(normal(15))),
    "flow, noise": Fault(
        ("nothing was learnt", "nothing to learn"),
        lambda: flow(max_epochs=3, learning_rate=1.0).fit(_rng(0).normal(size=(300, 3))),
    ),
    "VAE, one epoch": Fault(
        ("still improving", "collapse", "nothing was learnt"),
        lambda: vae(max_epochs=2).fit(clusters()),
    ),
    "VAE, rate too high": Fault(
        ("nothing was learnt", "not finite", "collapse", *GOODNESS),
        lambda: vae(learning_rate=30.0, max_epochs=5).fit(clusters()),
    ),
    "VAE, beta of 50": Fault(("collapse",), lambda: vae(beta=50.0).fit(clusters())),
    "VAE, ring by one latent": Fault(
        ("still improving", *GOODNESS), lambda: vae(max_epochs=20).fit(ring(1000))
    ),
    "SVI, five steps": Fault(("steps were taken",), lambda: svi(num_steps=5).fit(clusters(200))),
    "NUTS, ten draws": Fault(
        ("R-hat", "effective", "draws"),
        lambda: nuts(num_warmup=5, num_samples=10).fit(clusters(200, apart=1.0)),
    ),
}

_SHAPES: tuple[Callable[[int], Fit], ...] = (
    lambda s: lambda: ppgen.Gaussian(random_state=s).fit(normal(200 + 40 * s, 2 + s % 4, s)),
    lambda s: lambda: gmm(2 + s % 3, n_init=4).fit(clusters(900, 2 + s % 3, seed=s)),
    lambda s: lambda: gmm("bic", max_components=5).fit(clusters(600, 2, 4.0, seed=s)),
    lambda s: lambda: kde().fit(clusters(400 + 50 * s, 2, seed=s)),
    lambda s: (
        lambda: independent().fit(
            {
                "length": np.exp(0.5 * _rng(s).normal(size=500)),
                "visits": _rng(s + 100).poisson(9, size=500),
                "colour": _rng(s + 200).choice(["red", "green", "blue"], 500),
            }
        )
    ),
    lambda s: lambda: gaussian().fit(gappy(normal(500, 2, s), s)),
    lambda s: lambda: flow(max_epochs=200).fit(normal(800, 2, s) @ [[1, 0.9], [0, 0.5]]),
    lambda s: lambda: vae(max_epochs=150, hidden=(32,)).fit(on_a_line(seed=s)),
)
_NAMES = ("Gaussian", "mixture", "BIC", "kde", "independent", "gaps", "flow", "VAE")
HEALTHY: dict[str, Fit] = {
    f"{name} {s}": shape(s) for name, shape in zip(_NAMES, _SHAPES, strict=True) for s in range(5)
}


def verdict(fit: Fit) -> tuple[str, str]:
    """The status of a fit, and its verdict in words."""
    try:
        found = fit().verdict_
    except FitError as error:
        return "failed", str(error)
    return found.status, str(found)


def run(full: bool) -> list[dict[str, Any]]:
    """What was found of the faults, and which healthy fits were warned of."""
    faults = _some(FAULTS, full)
    missed = {}
    for name, fault in faults.items():
        status, words = verdict(fault.fit)
        if status == "ok" or not any(word in words for word in fault.words):
            missed[name] = words[:120]
    healthy = _some(HEALTHY, full)
    warned = {name: v[1][:160] for name, fit in healthy.items() if (v := verdict(fit))[0] != "ok"}
    least = len(faults) - (_FAULTS - _FOUND)
    return [
        {
            "what": "faults named",
            "figure": f"{len(faults) - len(missed)} of {len(faults)}",
            "target": f"at least {least}",
            "met": len(faults) - len(missed) >= least,
            "note": "; ".join(f"{name}: {words}" for name, words in missed.items()),
        },
        {
            "what": "healthy fits warned of",
            "figure": f"{len(warned)} of {len(healthy)}",
            "target": f"at most {_WARNED}",
            "met": len(warned) <= _WARNED,
            "note": "; ".join(f"{name}: {words}" for name, words in warned.items()),
        },
    ]


def _some(cases: dict[str, Any], full: bool) -> dict[str, Any]:
    names = list(cases) if full else list(cases)[:: max(1, len(cases) // _QUICK)]
    return {name: cases[name] for name in names}
