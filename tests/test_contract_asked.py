"""Nothing that was asked for is ignored: what a fit cannot do with an argument is refused, and how
to have it is said."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

import ppgen
from ppgen.capabilities import TRAINED
from ppgen.errors import InputError

from .zoo import ZOO, beside, each, fit, fitted, given, numbers

ROWS = numbers(60, seed=3)
Y = np.where(ROWS[:, 0] > 10, "right", "left")


@cache
def without_density() -> Any:
    return ppgen.Autoencoder(1, kind="linear", random_state=0).fit(numbers())


# Method -> what it is called with, y among it.
OF_DENSITIES: dict[str, Callable[[Any], Any]] = {
    "log_density": lambda m: m.log_density(ROWS, Y),
    "score_samples": lambda m: m.score_samples(ROWS, Y),
    "sample": lambda m: m.sample(2, y="left"),
    "to_datatree": lambda m: m.to_datatree(ROWS, Y),
}
OF_LATENTS: dict[str, Callable[[Any], Any]] = {
    "encode": lambda m: m.encode(ROWS, Y),
    "encode nonsense": lambda m: m.encode(ROWS[:2], ["nonsense"]),
    "decode": lambda m: m.decode(m.encode(ROWS), y="left"),
    "reconstruct": lambda m: m.reconstruct(ROWS, Y),
    "traverse": lambda m: ppgen.traverse(m, ROWS[:1], y="left"),
    "continuity": lambda m: ppgen.continuity(m, ROWS, y="left"),
    "to_datatree": lambda m: m.to_datatree(ROWS, Y),
}
OF_VAE: dict[str, Callable[[Any], Any]] = {
    "bound": lambda m: m.bound(ROWS, Y),
    "amortisation_gap": lambda m: m.amortisation_gap(ROWS, Y),
    "sample_posterior": lambda m: m.sample_posterior(ROWS, Y),
    "elbo": lambda m: m.log_density(ROWS, Y, method="elbo"),
}


@each("density", per="class")
@pytest.mark.parametrize("method", OF_DENSITIES)
def test_a_y_for_a_density_of_x_alone_is_refused(name: str, method: str) -> None:
    with pytest.raises(InputError, match=r"conditional=True|NormalizingFlow\(\)\.fit\(X, y\)"):
        OF_DENSITIES[method](fitted(name))


@pytest.mark.parametrize("method", OF_LATENTS | OF_VAE)
def test_a_y_for_codes_of_x_alone_is_refused_with_the_way_out(method: str) -> None:
    with pytest.raises(InputError, match=r"VAE\(conditional=True\)\.fit\(X, y\)"):
        (OF_LATENTS | OF_VAE)[method](fitted("vae"))
    if method in OF_LATENTS:
        with pytest.raises(InputError, match="conditional=True"):
            OF_LATENTS[method](without_density())


def test_a_y_for_reconstruction_errors_is_refused() -> None:
    with pytest.raises(InputError, match="y would be ignored"):
        without_density().reconstruction_error(ROWS, Y)


@pytest.mark.parametrize("name", ["gmm", "kde", "independent"])
def test_labels_that_scikit_learn_hands_on_are_no_question(name: str) -> None:
    # A search over a density's settings is given y, or None, and scores with it.
    scores = cross_val_score(ZOO[name](), ROWS, Y, cv=3)
    np.testing.assert_array_equal(scores, cross_val_score(ZOO[name](), ROWS, cv=3))
    setting = {"kde": ("random_state", [0, 1])}.get(name, ("random_state", [0]))
    found = GridSearchCV(ZOO[name](), {setting[0]: setting[1]}, cv=2).fit(ROWS, Y)
    assert np.isfinite(found.best_score_)
    assert np.isfinite(fitted(name).score(ROWS, Y))


@each("samples", per="class")
def test_columns_that_cannot_be_held_are_refused(name: str) -> None:
    if fitted(name).capabilities.conditions or fitted(name).capabilities.holds:
        return
    with pytest.raises(InputError, match="GaussianMixture"):
        fitted(name).sample(2, given={"x0": 1.0})


@each(per="class")
def test_what_plays_no_part_in_a_fit_is_named(name: str, tmp_path: Path) -> None:
    made = ZOO[name]()
    if made._uses() == TRAINED:
        made.set_params(max_epochs=2)
    held: Any = given(name, len(ROWS), seed=1)
    if more := beside(made, held):
        held = held, more["y"]
    asked: dict[str, Any] = {"validation": held, "budget": "20s", "checkpoint_dir": tmp_path}
    model = fit(made, given(name), **asked)
    said = " ".join(reason.what for reason in model.verdict_.reasons)
    for argument in asked:
        assert (f"{argument} plays no part" in said) == (argument not in made._uses())
    plain = fitted(name).verdict_.reasons
    assert not any("plays no part" in reason.what for reason in plain)


def test_what_a_fit_is_told_is_what_it_looks_at() -> None:
    # The declaration, held to the fit: of what it says to use, something changes.
    model = ppgen.VAE(1, hidden=(4,), max_epochs=4, random_state=0)
    other = clone(model).fit(numbers(), validation=ROWS)
    assert other.trace_[0]["validation"] != model.fit(numbers()).trace_[0]["validation"]
    assert ppgen.GaussianMixture(engine="svi")._uses() == ("budget", "checkpoint_dir")
    assert ppgen.GaussianMixture()._uses() == ("budget",)


PICTURES = np.random.default_rng(0).integers(0, 256, (30, 6, 6)).astype(np.uint8)
# Settings that would play no part, and what they are refused to be fitted to.
WITHOUT_PART: dict[str, tuple[Any, Any]] = {
    "bins": (ppgen.NormalizingFlow(kind="maf", bins=8), ROWS),
    "tail_bound": (ppgen.NormalizingFlow(kind="realnvp", tail_bound=3.0), ROWS),
    "hidden": (ppgen.Autoencoder(1, kind="linear", hidden=(8,)), ROWS),
    "channels": (ppgen.Autoencoder(1, channels=(8,)), ROWS),
    "channels ": (ppgen.VAE(1, net="mlp", channels=(8,)), PICTURES),
    "channels  ": (ppgen.DebiasingVAE(1, channels=(8,)), ROWS),
    "noise": (ppgen.VAE(1, noise=0.3), PICTURES > 127),
}


@pytest.mark.parametrize("setting", WITHOUT_PART)
def test_a_setting_that_would_play_no_part_is_refused(setting: str) -> None:
    model, rows = WITHOUT_PART[setting]
    with pytest.raises(InputError, match=rf"{setting.strip()}.*Leave {setting.strip()} out"):
        model.fit(rows, Y if model.capabilities.supervised else None)
