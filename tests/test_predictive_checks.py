"""Predictive checks of pairs, and figures of posteriors by ArviZ."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy.stats import kstest, norm

import ppgen
from ppgen.errors import InputError
from ppgen.inference.calibration import Calibration
from ppgen.inference.predictive_checks import check, loo_pit
from ppgen.plotting import (
    plot_calibration,
    plot_check,
    plot_energy,
    plot_khat,
    plot_loo_pit,
    plot_posterior,
    plot_ppc_pit,
    plot_prior_posterior,
    plot_rank,
)
from ppgen.plotting.places import _places
from ppgen.plotting.style import png


def test_p_values_are_those_of_counting() -> None:
    reps = np.arange(10.0)[:, None] + np.zeros(3)
    found = check("posterior", {"y": np.full(3, 7.0)}, {"y": reps}, ["mean", "q50"])
    assert found.p_values == {"y": {"mean": 0.25, "q50": 0.25}}  # 8 and 9, and half of 7
    assert found.verdict_.ok
    assert "0.250" in str(found)


def test_data_unlike_replicates_are_named_with_the_statistic() -> None:
    rng = np.random.default_rng(0)
    y, reps = np.append(rng.normal(size=50), 9.0), rng.normal(size=(400, 51))
    found = check("posterior", {"y": y}, {"y": reps})
    assert found.p_values["y"]["max"] == 0.0
    assert "max (9, replicates" in str(found.verdict_)
    assert "median" not in str(found.verdict_)
    prior = check("prior", {"y": y}, {"y": reps})
    assert "Look whether the priors" in str(prior.verdict_)


def test_missing_data_are_left_out_of_replicates() -> None:
    reps = np.tile([1.0, 50.0, 3.0], (4, 1))
    found = check("prior", {"y": [1.0, np.nan, 3.0]}, {"y": reps}, {"largest": np.max})
    assert found.sites["y"]["largest"].replicated.tolist() == [3.0] * 4


def test_leaving_out_is_by_weights() -> None:
    # One parameter, y_i ~ Normal(theta, 1) and a flat prior: y_rep_i given the others is
    # Normal(mean of the others, 1 + 1 / (n - 1)).
    rng = np.random.default_rng(0)
    n, draws = 12, 40_000
    y = rng.normal(size=n)
    theta = y.mean() + rng.normal(size=draws) / n**0.5
    reps = theta[:, None] + rng.normal(size=(draws, n))
    log_p = -0.5 * (y - theta[:, None]) ** 2
    others = (y.sum() - y) / (n - 1)
    expected = norm.cdf((y - others) / (1 + 1 / (n - 1)) ** 0.5)
    np.testing.assert_allclose(loo_pit(y, reps, log_p, None, rng), expected, atol=0.02)
    # The same by draws of an approximation that is too wide, weighted.
    wide = y.mean() + 1.5 * rng.normal(size=draws) / n**0.5
    ratio = -0.5 * n * (wide - y.mean()) ** 2 * (1 - 1 / 1.5**2)
    reps, log_p = wide[:, None] + rng.normal(size=(draws, n)), -0.5 * (y - wide[:, None]) ** 2
    np.testing.assert_allclose(loo_pit(y, reps, log_p, ratio, rng), expected, atol=0.02)
    gap = np.where(np.arange(len(y)) == 1, np.nan, y)
    assert np.isnan(loo_pit(gap, reps, log_p, None, rng)).nonzero()[0].tolist() == [1]


def test_statistics_are_known_or_functions_that_give_a_number() -> None:
    y, reps = np.zeros(3), np.zeros((5, 3))

    def zeros(data: Any) -> int:
        return int((data == 0).sum())

    assert check("prior", {"y": y}, {"y": reps}, [zeros]).p_values == {"y": {"zeros": 0.5}}
    with pytest.raises(InputError, match="Did you mean 'median'"):
        check("prior", {"y": y}, {"y": reps}, ["medain"])
    with pytest.raises(InputError, match=r"shape \(3,\)"):
        check("prior", {"y": y}, {"y": reps}, [np.sort])


def counts(x: Any, y: Any = None) -> None:
    rate = numpyro.sample("rate", dist.Gamma(2.0, 1.0))
    with numpyro.plate("rows", len(x)):
        numpyro.sample("y", dist.Poisson(rate * x), obs=y)


def test_priors_and_fits_of_pairs_are_checked() -> None:
    x = np.ones(30)
    y = np.where(np.arange(30) < 15, 0, 8)  # half of the counts are 0: no Poisson
    pair = ppgen.Pair(counts)
    assert pair.check_prior(x, y // 3, n=200, statistics="mean").verdict_.ok
    assert not pair.check_prior(x, 100 * y, n=200, statistics="mean").verdict_.ok
    fit = pair.fit(x, y, method="laplace", num_draws=300)
    assert len(png(plot_khat(fit))) > 5000
    u = fit.loo_pit()["y"]  # a Poisson with mean 4 has few zeros, and few eights
    assert (u[:15] < 0.1).all()
    assert (u[15:] > 0.9).all()
    for given in (fit, fit.loo_pit()):  # by the weights of an approximation
        assert len(png(plot_loo_pit(given))) > 5000
    found = fit.check_predictive(statistics=["mean", "sd"])
    assert len(png(plot_check(found))) > 5000
    assert 0.05 < found.p_values["y"]["mean"] < 0.95
    assert found.p_values["y"]["sd"] == 0.0
    assert "data of 'y' are unlike those drawn from the posterior: sd" in str(found.verdict_)


@pytest.fixture(scope="module")
def tree() -> Any:
    """What a fit of four chains to 30 rows is handed to ArviZ as."""
    from arviz_base import dict_to_dataset
    from xarray import DataTree

    rng = np.random.default_rng(0)
    y, mu = rng.normal(size=30), rng.normal(0, 30**-0.5, size=(4, 250))
    groups = {
        "posterior": {"mu": mu},
        "sample_stats": {"energy": rng.gamma(2.0, size=(4, 250))},
        "posterior_predictive": {"y": mu[..., None] + rng.normal(size=(4, 250, 30))},
        "log_likelihood": {"y": -0.5 * (y - mu[..., None]) ** 2},
    }
    made = {name: dict_to_dataset(each, dims={"y": ["row"]}) for name, each in groups.items()}
    observed = dict_to_dataset({"y": y}, dims={"y": ["row"]}, sample_dims=[])
    return DataTree.from_dict({**made, "observed_data": observed})


def test_each_figure_is_drawn_and_pyplot_is_left_alone(tree: Any) -> None:
    from matplotlib import pyplot, rcParams

    before = dict(rcParams)
    rng = np.random.default_rng(0)
    ranks = {name: rng.integers(0, 64, 100) for name in ("mu", *(f"z[{i}]" for i in range(30)))}
    ranks["log_joint"] = np.zeros(100, int)
    found = plot_calibration(Calibration(ranks, 63, 100))
    titles = [title for axes in found.axes if (title := axes.get_title("left"))]
    assert len(titles) == 16  # the least uniform
    assert "log_joint\ndraws too narrow" in titles
    figures = [
        plot_rank(tree),
        plot_energy(tree),
        plot_ppc_pit(tree),
        plot_loo_pit(tree),
    ]
    assert all(len(png(figure)) > 5000 for figure in figures)
    assert pyplot.get_fignums() == []
    assert dict(rcParams) == before


def test_values_that_are_missing_have_no_place(tree: Any) -> None:
    gaps = tree.copy()
    observed = gaps["observed_data"].to_dataset()
    gaps["observed_data"] = observed.where(observed["row"] > 2)
    reps, y = tree["posterior_predictive/y"].values, observed["y"].values
    for left_out in (False, True):
        found, whole = (_places(t, 0, left_out=left_out)["y"] for t in (gaps, tree))
        assert np.isnan(found).nonzero()[0].tolist() == [0, 1, 2]
        np.testing.assert_array_equal(found[3:], whole[3:])
    seen = _places(tree, 0, left_out=False)["y"]
    np.testing.assert_allclose(seen, (reps < y).mean((0, 1)))
    for draw in (plot_ppc_pit, plot_loo_pit):
        assert len(png(draw(gaps))) > 5000


def test_a_column_of_levels_is_placed_with_its_ties() -> None:
    from xarray import Dataset, DataTree

    rng = np.random.default_rng(0)
    y, reps = (rng.random(500) < 0.3).astype(float), (rng.random((1, 400, 500)) < 0.3).astype(float)
    groups = {
        "posterior": Dataset({"p": (("chain", "draw"), np.zeros((1, 400)))}),
        "posterior_predictive": Dataset({"y": (("chain", "draw", "row"), reps)}),
        "observed_data": Dataset({"y": ("row", y)}),
    }
    tree = DataTree.from_dict(groups)
    assert kstest(_places(tree, 0, left_out=False)["y"], "uniform").pvalue > 0.01
    with pytest.raises(InputError, match="ranks compare chains"):
        plot_rank(tree)


def test_a_prior_is_shown_where_the_posterior_is() -> None:
    from xarray import Dataset, DataTree

    rng = np.random.default_rng(0)
    prior, posterior = rng.normal(0, 1e6, (1, 500, 2)), rng.normal(3, 0.1, (1, 400, 2))
    made = {
        name: Dataset({"b": (("chain", "draw", "column"), a)}, {"column": ["age", "mass"]})
        for name, a in (("prior", prior), ("posterior", posterior))
    }
    figure = plot_posterior(DataTree.from_dict(made), "prior_posterior")
    assert [axes.get_title("left") for axes in figure.axes] == ["b[age]", "b[mass]"]
    low, high = figure.axes[0].get_xlim()
    assert 1.5 < low < 2.7
    assert 3.3 < high < 4.5
    with pytest.raises(InputError, match=r"no variable 'c' .* there are b"):
        plot_prior_posterior(DataTree.from_dict(made), "c")


def test_what_cannot_be_drawn_is_said(tree: Any) -> None:
    with pytest.raises(InputError, match="no group 'log_likelihood'"):
        plot_posterior(tree.filter(lambda node: node.name != "log_likelihood"), "loo_pit")
    with pytest.raises(InputError, match="Did you mean 'rank'"):
        plot_posterior(tree, "ranks")
    bare = tree.copy()
    bare["sample_stats"] = bare["sample_stats"].to_dataset().rename(energy="lp")
    with pytest.raises(InputError, match="has no 'energy'"):
        plot_energy(bare)


def test_values_that_are_missing_have_no_place_whatever_their_density_is() -> None:
    y, reps = np.array([1.0, np.nan]), np.tile([[0.0, 0.0], [2.0, 2.0]], (20, 1))
    log_p = np.column_stack([np.zeros(40), np.full(40, np.nan)])
    found = loo_pit(y, reps, log_p, None, np.random.default_rng(0))
    np.testing.assert_allclose(found, [0.5, np.nan])
