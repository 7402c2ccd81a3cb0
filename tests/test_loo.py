"""Leave-one-out of posteriors, with and without weights, against refits in closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone

import ppgen
from ppgen.analysis.loo import loo, psis_loo
from ppgen.errors import InputError

SETTINGS: dict[str, Any] = {"num_steps": 150, "num_draws": 400}


def posterior_of_a_mean(x, w):
    """Of x ~ N(mu, 1), mu ~ N(0, 10^2), rows to the power w: mean and variance."""
    precision = w.sum() + 1 / 100
    return (w @ x) / precision, 1 / precision


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_what_a_refit_without_the_row_gives(weighted):
    rng = np.random.default_rng(0)
    x = rng.normal(size=40)
    x[0] = 3.0
    w = rng.choice([0.0, 0.5, 1.0, 3.0], size=40) if weighted else np.ones(40)
    w[0] = 3.0 if weighted else 1.0
    mean, variance = posterior_of_a_mean(x, w)
    mu = rng.normal(mean, math.sqrt(variance), size=40_000)
    values, khat = psis_loo(stats.norm.logpdf(x, mu[:, None]), w)
    for i in range(40):
        kept = np.arange(40) != i
        m, v = posterior_of_a_mean(x[kept], w[kept])
        refit = stats.norm.logpdf(x[i], m, math.sqrt(1 + v))
        # Effective draws are above 4,000 for each row; ratios err by less than 1 %.
        assert values[i] == pytest.approx(refit, abs=0.01)
    assert (khat < 0.7).all()
    assert np.isneginf(khat[w == 0]).all()
    if weighted:  # the weights matter by far more than that
        plain, _ = psis_loo(stats.norm.logpdf(x, mu[:, None]), np.ones(40))
        assert plain[0] - values[0] > 0.1


def rows(n=60):
    return np.random.default_rng(0).normal(size=(n, 2))


WEIGHTS = np.tile([1.0, 2.0, 0.5], 20)


@pytest.fixture(scope="module")
def fits():
    made = ppgen.GaussianMixture(
        1,
        covariance_type="diag",
        engine="svi",
        backend="pyro",
        engine_settings=SETTINGS,
        random_state=0,
    )
    weighted = clone(made)
    return {"plain": made.fit(rows()), "weighted": weighted.fit(rows(), sample_weight=WEIGHTS)}


def test_without_weights_it_is_arvizs(fits):
    import arviz_stats

    found = loo(fits["plain"], rows())
    theirs = arviz_stats.loo(fits["plain"].to_datatree(rows()), pointwise=True)
    # ArviZ takes as many draws for a tail as their effective number says.
    np.testing.assert_allclose(found.density.values, theirs.elpd_i.values, atol=0.02)
    assert found.elpd == pytest.approx(theirs.elpd, abs=0.1)
    assert found.stderr == pytest.approx(theirs.se, rel=0.02)
    assert found.p_loo == pytest.approx(theirs.p, abs=0.1)
    assert "60 rows of weight 60" in str(found)
    assert "PSIS-LOO over 400 posterior draws" in found.density.method


def test_weights_count_in_ratios_and_in_the_sum(fits):
    found = loo(fits["weighted"], rows(), WEIGHTS)
    log_p = fits["weighted"].to_datatree(rows(), sample_weight=WEIGHTS)["log_likelihood"]
    draws = log_p["joint"].values.reshape(400, 60)
    ratios = np.exp(-WEIGHTS * draws)
    raw = np.log((ratios * np.exp(draws)).sum(axis=0) / ratios.sum(axis=0))
    np.testing.assert_allclose(found.density.values, raw, atol=0.05)  # smoothed or not
    assert found.elpd == pytest.approx(WEIGHTS @ found.density.values)
    np.testing.assert_allclose(log_p["weighted"].values[0], WEIGHTS * draws)
    spread = WEIGHTS * (found.density.values - found.elpd / WEIGHTS.sum())
    assert found.stderr == pytest.approx(math.sqrt(60 / 59 * np.sum(spread**2)))
    assert len(ppgen.compare([("a", found.density), ("b", found.density)])) == 2


def test_weights_that_are_left_out_are_asked_for(fits, tmp_path):
    with pytest.raises(InputError, match=r"no sample_weight is given, but .* with weights"):
        loo(fits["weighted"], rows())
    with pytest.raises(InputError, match=r"a sample_weight is given, but .* without"):
        loo(fits["plain"], rows(), WEIGHTS)
    assert loo(fits["plain"], rows(), np.ones(60)).elpd == loo(fits["plain"], rows()).elpd
    with pytest.warns(UserWarning, match="fitted with weights"):
        tree = fits["weighted"].to_datatree(rows())
    assert "weights" in tree["log_likelihood"].attrs["note"]
    fits["weighted"].save(tmp_path / "run")
    with pytest.raises(InputError, match="with weights"):
        loo(ppgen.load(tmp_path / "run"), rows())


def test_other_weights_than_those_of_the_fit_are_refused(fits, tmp_path):
    fits["weighted"].save(tmp_path / "run")
    for model in (fits["weighted"], ppgen.load(tmp_path / "run")):
        with pytest.raises(InputError, match="not the weights"):
            loo(model, rows(), WEIGHTS[::-1])
        assert loo(model, rows(), WEIGHTS).weights.sum() == WEIGHTS.sum()


def test_what_has_no_leave_one_out_says_so(fits):
    point = ppgen.GaussianMixture(1, random_state=0).fit(rows())
    with pytest.raises(InputError, match=r"point fit.*ppgen\.cross_validate"):
        ppgen.loo(point, rows())
    with pytest.raises(InputError, match="not the rows that were fitted"):
        loo(fits["plain"], rows()[::-1])
