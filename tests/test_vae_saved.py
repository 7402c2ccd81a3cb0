"""A saved `VAE` is the same one: scores, codes, draws, and what it can go on to be asked."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ppgen
from ppgen import VAE, InputError

from .vae_linear import low_rank
from .vae_rows import moons, of_all_kinds

SMALL = {"latent_dim": 2, "hidden": (8,), "max_epochs": 2, "random_state": 0, "n_importance": 32}


def pictures():
    return np.random.default_rng(0).integers(0, 256, (60, 6, 6)).astype(np.uint8)


KINDS = {
    "plain": (lambda: low_rank(80), {}),
    "two layers": (lambda: low_rank(80), {"latent_dim": (2, 1), "noise": "row"}),
    "flows": (lambda: low_rank(80), {"prior": "flow", "posterior": "flow", "flow_layers": 2}),
    "mixture": (lambda: low_rank(80), {"prior": "mixture", "components": 3, "noise": 0.4}),
    "vamp": (lambda: low_rank(80), {"prior": "vamp", "components": 3}),
    "all kinds": (of_all_kinds, {"activation": "gelu", "dropout": 0.1}),
    "gaps": (lambda: np.where(low_rank(80) > 1.8, np.nan, low_rank(80)), {"noise": "shared"}),
    "conditional": (lambda: low_rank(80), {"conditional": True}),
    "convolutions": (pictures, {"net": "conv", "channels": (3, 4)}),
    "filled": (pictures, {"likelihood": "continuous_bernoulli"}),
    "categories": (lambda: pictures() > 99, {"likelihood": "categorical"}),
    "numpyro": (of_all_kinds, {"backend": "numpyro", "prior": "mixture", "components": 3}),
}
SLOW = ("numpyro",)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in KINDS]
)
def test_a_saved_fit_is_the_same(name, tmp_path):
    rows, settings = KINDS[name]
    x = rows()
    y = np.arange(80) % 2 if name == "conditional" else None
    fit = VAE(**{**SMALL, **settings}).fit(x, y)
    fit.save(tmp_path / "run")
    again = ppgen.load(tmp_path / "run")
    # Sizes come back as lists.
    params = (json.dumps(f.get_params(), sort_keys=True) for f in (fit, again))
    assert next(params) == next(params)
    some = x[:9]
    labels = None if y is None else y[:9]
    one, two = (f.log_density(some, labels) for f in (fit, again))
    np.testing.assert_array_equal(one.values, two.values)
    np.testing.assert_array_equal(one.stderr, two.stderr)
    np.testing.assert_array_equal(one.diagnostics["khat"], two.diagnostics["khat"])
    assert one.describe() == two.describe()
    np.testing.assert_array_equal(fit.encode(some, labels), again.encode(some, labels))
    parts, same = (f.bound(some, labels) for f in (fit, again))
    np.testing.assert_array_equal(parts.elbo, same.elbo)
    np.testing.assert_array_equal(parts.kl_per_latent, same.kl_per_latent)
    z = fit.sample_latents(4, random_state=1)
    np.testing.assert_array_equal(z, again.sample_latents(4, random_state=1))
    label = None if y is None else [1]
    first, second = (np.asarray(f.decode(z, label), dtype=object) for f in (fit, again))
    assert (first == second).all()
    first, second = (
        np.asarray(f.sample(5, y=label, random_state=1), dtype=object) for f in (fit, again)
    )
    assert (first == second).all()
    np.testing.assert_array_equal(fit.kl_per_latent_, again.kl_per_latent_)
    assert str(fit.verdict_) == str(again.verdict_)
    assert (fit.n_steps_, fit.n_epochs_, fit.latent_dim_) == (
        again.n_steps_,
        again.n_epochs_,
        again.latent_dim_,
    )
    if name == "gaps":
        np.testing.assert_array_equal(fit.impute(x), again.impute(x))
    arrays = again.net_.arrays()
    for key, value in fit.net_.arrays().items():
        np.testing.assert_array_equal(arrays[key], value)


def test_a_change_of_the_weights_is_seen(tmp_path):
    """What the test above compares is not equal by chance."""
    x = moons(80)
    fit = VAE(**SMALL).fit(x)
    fit.save(tmp_path / "run")
    again = ppgen.load(tmp_path / "run")
    again.net_.nets.decoder[-1].bias.data += 1e-3
    assert not np.array_equal(fit.score_samples(x), again.score_samples(x))
    assert not np.array_equal(fit.bound(x).elbo, again.bound(x).elbo)


def test_a_conditional_run_of_before_is_refused_in_a_line():
    """Its first layers had the context beside their inputs, its others none."""
    fit = VAE(**SMALL, conditional=True).fit(low_rank(80), np.arange(80) % 2)
    of_before = {k: v for k, v in fit.net_.arrays().items() if ".told." not in k}
    of_before = {k.replace(".layers", ""): v for k, v in of_before.items()}
    for net in ("encoder", "decoder"):
        weight = of_before[f"{net}.0.weight"]
        of_before[f"{net}.0.weight"] = np.column_stack([weight, np.zeros((len(weight), 2))])
    with pytest.raises(InputError, match="saved by another version of ppgen"):
        fit.net_.load(of_before)
