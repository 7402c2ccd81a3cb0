"""p(x) of a fit that is conditional on y: exact over classes, an estimate over a continuous y."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from ppgen import VAE, NormalizingFlow, scoring
from ppgen.conditioning import Context
from ppgen.errors import InputError

SMALL = {"hidden": (8,), "max_epochs": 2, "batch_size": 20, "random_state": 0}
FITS = {
    "flow": lambda: NormalizingFlow(kind="realnvp", n_transforms=1, **SMALL),
    "vae": lambda: VAE(1, conditional=True, n_importance=16, **SMALL),
}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2)) * np.array([1.0, 3.0])
Y = X[:, 0] + RNG.normal(size=60)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_error_over_a_continuous_y_is_that_of_a_sample(weighted):
    # y ~ N(0, 1) and x | y ~ N(y, 1): p(x) is N(0, 2), and each sample of y misses it by chance.
    rng, x = np.random.default_rng(1), np.array([-2.0, 0.5])
    truth = norm.logpdf(x, scale=np.sqrt(2))
    misses, stated = [], []
    for _ in range(150):
        y = rng.normal(size=60)
        weights = rng.integers(1, 3, 60).astype(float) if weighted else None
        fitted = Context.fit(y, 60, weights)
        values, log_shares = fitted.table()
        at = values * fitted.codec.warps[0].scale + fitted.codec.warps[0].shift
        logs = norm.logpdf(x, at)
        total = logsumexp(logs + log_shares[:, None], axis=0)
        misses.append(total - truth)
        stated.append(fitted.stderr(logs, total))
    spread, error = np.std(misses, axis=0), np.mean(stated, axis=0)
    np.testing.assert_allclose(error, spread, rtol=0.2)  # 150 draws tell a spread to 6%
    assert np.mean(np.abs(np.array(misses) / stated) > 2) < 0.1


@pytest.mark.parametrize("name", FITS)
def test_a_density_without_y_says_what_was_summed(name):
    held = X[:5]
    over_values = FITS[name]().fit(X, Y).log_density(held)
    assert over_values.kind == ("estimate" if name == "flow" else "lower_bound")
    assert "mean over 60 fitted values of y" in over_values.method
    assert (over_values.stderr > 0).all()
    fit = FITS[name]().fit(X, np.where(Y > 0, "high", "low"))
    over_classes = fit.log_density(held)
    assert over_classes.kind == ("exact" if name == "flow" else "lower_bound")
    assert over_classes.method.endswith("summed over y")
    assert "y" not in fit.log_density(held, np.full(5, "low")).method.split()


def test_of_one_column_the_shape_says_nothing() -> None:
    for y in (np.arange(60) % 5, np.arange(60) / 7, np.array(["a", "b"] * 30)):
        one, other = Context.fit(y, 60), Context.fit(y[:, None], 60)
        assert one.to_json() == other.to_json()
        np.testing.assert_array_equal(one.encode(y[:4, None]), one.encode(y[:4]))


def test_a_datatree_without_y_claims_no_more():
    fit = FITS["flow"]().fit(X, Y)
    assert fit.to_datatree(X[:5]).attrs["kind"] == "estimate"
    assert fit.to_datatree(X[:5], Y[:5]).attrs["kind"] == "exact"


def test_more_values_than_can_be_summed_are_refused():
    x = RNG.normal(size=(100, 2))
    fit = FITS["flow"]().fit(x, x[:, 0] + RNG.normal(size=100))
    with pytest.raises(InputError, match="give y"):
        fit.log_density(x)


def test_a_saved_fit_keeps_how_many_rows_its_y_came_from():
    fitted = Context.fit(np.repeat(Y, 2), 120)
    assert Context.from_json(fitted.to_json()).rows == fitted.rows == 120


def test_rows_are_summed_over_y_in_blocks(monkeypatch):
    fit = FITS["flow"]().fit(X, np.where(Y > 0, "high", "low"))
    whole, sizes = fit.score_samples(X[:9]), []
    log_prob = fit._log_prob
    monkeypatch.setattr(scoring, "_BLOCK", 8)
    monkeypatch.setattr(fit, "_log_prob", lambda rows: sizes.append(len(rows)) or log_prob(rows))
    np.testing.assert_allclose(fit.score_samples(X[:9]), whole, rtol=1e-6)
    assert max(sizes) == 4  # of 8, for two values of y


def test_a_class_is_named_as_it_was_given():
    context = Context.fit(np.array([0, 1, 2] * 50), 150)
    with pytest.raises(InputError, match=r"y has 11, a class .* it saw 0, 1, 2"):
        context.encode([11])
