"""Every kind of model, small and quick, and tables to fit them to. A new model is a line in ZOO;
which tests it undergoes follows from the capabilities that its class declares."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from ppgen import (
    GAN,
    VAE,
    Autoencoder,
    BayesianNetwork,
    CycleGAN,
    DebiasingVAE,
    Diffusion,
    FactorAnalysis,
    Gaussian,
    GaussianMixture,
    IndependentColumns,
    KernelDensity,
    NormalizingFlow,
    PairedTranslation,
    ProgressiveGAN,
)
from ppgen.capabilities import Capabilities

Floats = NDArray[np.float64]
Make = Callable[[], Any]


def _mixture(**settings: Any) -> Make:
    return lambda: GaussianMixture(**{"n_components": 2, "n_init": 1, "random_state": 0} | settings)


def _flow(kind: str, **settings: Any) -> Make:
    small = {"n_transforms": 2, "hidden": (16,), "max_epochs": 10, "batch_size": 50}
    if kind.startswith("nsf"):
        small["bins"] = 4
    return lambda: NormalizingFlow(**{"kind": kind, "random_state": 0} | small | settings)


def _vae(**settings: Any) -> Make:
    small = {"latent_dim": 1, "hidden": (16,), "max_epochs": 15, "n_importance": 128}
    return lambda: VAE(
        **{"random_state": 0, "batch_size": 20, "learning_rate": 1e-2} | small | settings
    )


_PLAY: dict[str, Any] = {"max_epochs": 3, "batch_size": 20, "random_state": 0}

ZOO: dict[str, Make] = {
    "gaussian": lambda: Gaussian(random_state=0),
    "independent": lambda: IndependentColumns(random_state=0),
    "kde": lambda: KernelDensity(random_state=0),
    "gmm": _mixture(),
    "gmm-tied": _mixture(covariance_type="tied"),
    "gmm-diag": _mixture(covariance_type="diag"),
    "gmm-spherical": _mixture(covariance_type="spherical"),
    "gmm-student": _mixture(tails="student"),
    "gmm-bic": _mixture(n_components="bic", max_components=3),
    "gmm-svi": _mixture(engine="svi", engine_settings={"num_steps": 200, "num_draws": 50}),
    "gmm-svi-pyro": _mixture(
        engine="svi", backend="pyro", engine_settings={"num_steps": 100, "num_draws": 50}
    ),
    "gmm-nuts": _mixture(
        engine="nuts", engine_settings={"num_warmup": 100, "num_samples": 50, "num_chains": 2}
    ),
    "bayesnet": lambda: BayesianNetwork(random_state=0),
    "bayesnet-given": lambda: BayesianNetwork([("x0", "x1")], random_state=0),
    "factor": lambda: FactorAnalysis(1, random_state=0),
    "factor-bic": lambda: FactorAnalysis(noise="isotropic", random_state=0),
    "factor-svi": lambda: FactorAnalysis(
        1, engine="svi", engine_settings={"num_steps": 200, "num_draws": 50}, random_state=0
    ),
    "flow-nsf": _flow("nsf"),
    "flow-nsf-ar": _flow("nsf-ar"),
    "flow-maf": _flow("maf"),
    "flow-realnvp": _flow("realnvp"),
    "flow-numpyro": _flow("nsf", backend="numpyro"),
    "vae": _vae(),
    "vae-flow": _vae(prior="flow", posterior="flow", flow_layers=2),
    "vae-mixture": _vae(prior="mixture", components=5),
    "vae-vamp": _vae(prior="vamp", components=5),
    "vae-two": _vae(latent_dim=(2, 1), objective="dreg", n_samples=4, max_epochs=30),
    "vae-iwae": _vae(objective="iwae", noise="row"),
    "autoencoder": lambda: Autoencoder(1, hidden=(8,), max_epochs=10, random_state=0),
    "autoencoder-linear": lambda: Autoencoder(1, kind="linear", random_state=0),
    "gan": lambda: GAN(1, hidden=(16,), max_epochs=10, batch_size=20, random_state=0),
    "progressive-gan": lambda: ProgressiveGAN(1, start=4, channels=(4, 4), hidden=(8,), **_PLAY),
    "diffusion": lambda: Diffusion(width=16, depth=1, max_epochs=20, batch_size=20, random_state=0),
    "debias": lambda: DebiasingVAE(1, hidden=(8,), max_epochs=10, batch_size=50, random_state=0),
    "pix2pix": lambda: PairedTranslation(width=4, both_ways=True, **_PLAY),
    "cyclegan": lambda: CycleGAN(width=2, blocks=1, pool=10, **_PLAY),
}

# Fits that take seconds, mostly to compile: what needs fits of its own is marked slow for them.
SLOW = ("gmm-svi", "gmm-svi-pyro", "gmm-nuts", "factor-svi", "flow-nsf-ar", "flow-numpyro")


def named(*needs: str, per: Literal["model", "class"] = "model") -> tuple[str, ...]:
    """The models of the zoo that declare all of these capabilities.

    Args:
        needs: names of fields of `Capabilities` that are neither None, False nor empty.
        per: "model", or "class" for one model of each class: enough for what no setting changes.
    """
    able = [name for name in ZOO if declares(ZOO[name]().capabilities, *needs)]
    if per == "model":
        return tuple(able)
    return tuple({ZOO[name]().name: name for name in reversed(able)}.values())[::-1]


def declares(can: Capabilities, *needs: str) -> bool:
    """Whether a family can do all of this."""
    return all(getattr(can, need) for need in needs)


def each(
    *needs: str, per: Literal["model", "class"] = "model", refits: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test, as `name`, for each model of the zoo that declares all of these capabilities.

    Args:
        needs, per: see `named`.
        refits: whether the test fits anew, which is left to the slow tests where it takes long.
    """
    names = [
        pytest.param(name, marks=[pytest.mark.slow] * (refits and name in SLOW))
        for name in named(*needs, per=per)
    ]

    def marked(test: Callable[..., None]) -> Callable[..., None]:
        test.needs = needs  # type: ignore[attr-defined]
        return pytest.mark.parametrize("name", names)(test)

    return marked


def rough(name: str) -> bool:
    """Whether fits are random draws or short runs of a net: their densities are right, if not
    good."""
    made = ZOO[name]()
    return "checkpoint_dir" in made._uses() or made.get_params().get("engine") == "nuts"


def numbers(n: int = 200, seed: int = 0) -> Floats:
    """(n, 2) floats: two clusters, far apart in the first column, correlated within."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]])
    x[:, 0] += np.where(np.arange(n) % 2, 3.0, -3.0)
    return x + np.array([10.0, -5.0])


def positives(n: int = 200, seed: int = 0) -> Floats:
    """(n,) lengths."""
    return np.exp(np.random.default_rng(seed).normal(0.5, 0.4, n))


def mixed(n: int = 200, seed: int = 0) -> dict[str, Any]:
    """Columns of every kind that a frame holds: lengths, counts, text, truth values."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(3, size=n)
    return {
        "length": np.exp(rng.normal(0.3 * kind, 0.2)),
        "shift": rng.normal(kind, 1.0),
        "visits": rng.poisson(20 + 5 * kind).astype(np.int64),
        "species": np.array(["Adelie", "Chinstrap", "Gentoo"])[kind],
        "ringed": rng.random(n) < 0.3 + 0.2 * kind,
    }


def pictures(n: int = 60, seed: int = 0) -> NDArray[np.uint8]:
    """(n, 8, 8) discs of different sizes at different places, bright on black."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:8, :8]
    at, radius = rng.uniform(2, 5, (2, n, 1, 1)), rng.uniform(1.2, 2.5, (n, 1, 1))
    away = np.hypot(y - at[0], x - at[1])
    return (255 * np.clip(radius + 0.5 - away, 0, 1)).astype(np.uint8)


def negatives(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, 8, 8) the same pictures in grey on white: another domain."""
    return 255 - np.clip(rows, 0, 255).astype(np.uint8) // 2


def given(name: str, n: int | None = None, seed: int = 0) -> Any:
    """n rows that the model of this name is for: `numbers`, or `pictures`."""
    make = numbers if ZOO[name]().capabilities.tables else pictures
    return make(seed=seed) if n is None else make(n, seed=seed)


def labels(n: int = 200) -> NDArray[np.str_]:
    """(n,) which of its two clusters each row of `numbers` is from; of other tables, any labels."""
    return np.where(np.arange(n) % 2, "right", "left")


def fit(model: Any, rows: Any, **how: Any) -> Any:
    """The model fitted to rows, with labels, or rows of a second domain, where it needs them."""
    return model.fit(rows, **how | beside(model, rows))


def beside(model: Any, rows: Any) -> dict[str, Any]:
    """What a model is fitted to beside rows."""
    if model.capabilities.supervised:
        return {"y": labels(getattr(rows, "num_rows", None) or len(rows))}
    return {"y": negatives(rows)} if model.capabilities.translates else {}


def answer(model: Any, rows: Any) -> Floats:
    """What a model says of each row, its log density or its code, or what it translates it to; else
    as many rows as it draws."""
    if model.capabilities.density:
        return model.score_samples(rows)
    if model.capabilities.translates:
        return model.translate(rows)
    return model.encode(rows) if model.capabilities.latents else model.sample(len(rows))


def of_one_column(name: str) -> Any:
    """The model of this name with no more latents than a row of one number can have, and no edges
    from it."""
    made = ZOO[name]()
    if isinstance(made.get_params().get("latent_dim"), tuple):
        made.set_params(latent_dim=(1, 1))
    if made.get_params().get("edges"):
        made.set_params(edges=[])
    return made


@cache
def fitted(name: str) -> Any:
    """The model of this name, fitted to what is `given`; shared, so not to be changed."""
    return fit(ZOO[name](), given(name))


@cache
def fitted_to_one_column(name: str) -> Any:
    """The same of the first column of `numbers()` alone."""
    return of_one_column(name).fit(numbers()[:, :1])
