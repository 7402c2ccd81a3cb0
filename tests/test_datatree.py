"""DataTrees of fits: groups, names and units, and what ArviZ makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

import ppgen
from ppgen import GaussianMixture, to_datatree

SETTINGS: dict[str, dict[str, Any]] = {
    "svi": {"num_steps": 200, "num_draws": 200},
    "nuts": {"num_warmup": 300, "num_samples": 250, "num_chains": 4},
}


def table(n: int = 150) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    z = rng.random(n) < 0.4
    mass = np.exp(np.where(z, rng.normal(8.0, 0.1, n), rng.normal(8.5, 0.1, n)))
    depth = np.where(z, rng.normal(17, 1, n), rng.normal(14, 1, n))
    depth[::13] = np.nan
    kind = np.where(rng.random(n) < np.where(z, 0.9, 0.1), "gentoo", "adelie")
    return pd.DataFrame({"mass": mass, "depth": depth, "kind": kind})


@pytest.fixture(scope="module")
def fits() -> dict[str, GaussianMixture]:
    return {
        engine: GaussianMixture(
            2,
            covariance_type="diag",
            engine=engine,
            backend="pyro" if engine == "svi" else "numpyro",
            engine_settings=settings,
            random_state=0,
        ).fit(table())
        for engine, settings in SETTINGS.items()
    }


@pytest.mark.parametrize("engine", ["svi", "nuts"])
def test_a_posteriors_groups(fits: dict[str, GaussianMixture], engine: str) -> None:
    fit, data = fits[engine], table()
    tree = fit.to_datatree(data)
    shape = (1, 200) if engine == "svi" else (4, 250)
    mu = tree["posterior/mu"]
    assert mu.dims == ("chain", "draw", "mixture_component", "feature")
    assert mu.shape == (*shape, 2, 2)
    assert mu.coords["feature"].values.tolist() == ["mass", "depth"]
    assert tree["posterior/B_0"].dims[-1] == "level of kind"
    joint = tree["log_likelihood/joint"]
    assert joint.dims == ("chain", "draw", "row")
    assert joint.shape == (*shape, len(data))
    # The mean density over the draws, in the units of the data; `score_samples` takes 200 of them.
    flat = joint.values.reshape(-1, len(data))
    mean = logsumexp(flat, axis=0) - np.log(len(flat))
    np.testing.assert_allclose(mean, fit.score_samples(data), atol=1e-9 if engine == "svi" else 0.5)
    observed = tree["observed_data"]
    np.testing.assert_array_equal(observed["mass"].values, data["mass"])
    levels = json.loads(observed.attrs["levels"])["kind"]
    assert [levels[int(code)] for code in observed["kind"].values] == data["kind"].tolist()
    drawn = tree["posterior_predictive"]
    assert drawn["mass"].shape == (*shape, len(data))
    assert drawn["mass"].values.min() > 0
    of_draws = tree["sample_stats"]
    assert of_draws["loss"].dims == ("record",)
    assert of_draws["diverging" if engine == "nuts" else "log_q"].shape == shape
    assert tree.attrs["family"] == "gmm"
    assert tree.attrs["measure"] == "mixed"


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")  # a row or two of weight
@pytest.mark.filterwarnings("ignore:The inplace keyword")  # arviz-stats 0.8 under pandas 3.1
def test_arviz_compares_them(fits: dict[str, GaussianMixture]) -> None:
    from arviz_stats import compare, loo

    trees = {engine: fit.to_datatree(table()) for engine, fit in fits.items()}
    for engine, tree in trees.items():
        found = loo(tree, pointwise=True)
        held = fits[engine].score_samples(table()).sum()
        assert found.n_data_points == len(table())
        # Leaving a row out costs about as many nats as there are parameters, twelve.
        assert held - 30 < found.elpd < held
    ranked = compare(trees)
    assert set(ranked.index) == {"svi", "nuts"}
    assert abs(ranked["elpd"].iloc[0] - ranked["elpd"].iloc[1]) < 5


def test_arviz_draws_them(fits: dict[str, GaussianMixture]) -> None:
    import arviz_plots
    from matplotlib import pyplot

    tree = to_datatree(fits["nuts"], table(), num_replicates=20)
    # plot_trace_dist of arviz-plots 0.8 needs an older xarray, whatever the tree.
    arviz_plots.plot_trace(tree, var_names=["w"], backend="matplotlib")
    arviz_plots.plot_forest(tree, var_names=["mu"], backend="matplotlib")
    arviz_plots.plot_ppc_dist(tree, var_names=["mass"], num_samples=10, backend="matplotlib")
    assert len(pyplot.get_fignums()) == 3
    pyplot.close("all")


def test_draws_are_thinned_to_fit(
    fits: dict[str, GaussianMixture], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ppgen import datatree

    whole = to_datatree(fits["nuts"], table(), num_replicates=0)
    assert "posterior_predictive" not in whole.children
    monkeypatch.setattr(datatree, "MAX_VALUES", 4 * 50 * len(table()))
    few = to_datatree(fits["nuts"], table(), num_replicates=0)
    assert few["log_likelihood"].attrs["thinned"] == 5
    np.testing.assert_array_equal(
        few["log_likelihood/joint"].values, whole["log_likelihood/joint"].values[:, ::5]
    )
    assert few["posterior/w"].shape == (4, 50, 2)
    # With replicates, three columns of them are to fit: as many draws in both groups.
    fewer = to_datatree(fits["nuts"], table())
    assert fewer["log_likelihood"].attrs["thinned"] == 15
    assert fewer["posterior_predictive/mass"].shape == (4, 17, len(table()))
    assert fewer["log_likelihood/joint"].shape == (4, 17, len(table()))


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")  # a row or two of weight
@pytest.mark.parametrize("engine", ["svi", "nuts"])
def test_arviz_checks_predictions_of_a_column_by_one_name(
    fits: dict[str, GaussianMixture], engine: str
) -> None:
    import arviz_stats
    from arviz_plots import plot_loo_pit

    data = table()
    tree = fits[engine].to_datatree(data, column="mass", random_state=3)
    for group in ("log_likelihood", "posterior_predictive", "observed_data"):
        assert list(tree[group].data_vars) == ["mass"]
    whole = fits[engine].to_datatree(data, num_replicates=0)["log_likelihood/joint"].values
    np.testing.assert_array_equal(tree["log_likelihood/mass"].values, whole)
    # By hand: weights of the draws are those of leaving the row out, 1 / p(row | draw), smoothed.
    drawn = tree["posterior_predictive/mass"].values.reshape(-1, len(data))
    ratios = -whole.reshape(-1, len(data))
    weights = np.exp(ratios - logsumexp(ratios, axis=0))
    easy = weights.max(axis=0) < 0.02  # where smoothing changes little
    assert easy.mean() > 0.5
    pit = arviz_stats.loo_pit(tree, var_names="mass")["mass"].values
    by_hand = (weights * (drawn <= data["mass"].to_numpy())).sum(axis=0)
    np.testing.assert_allclose(pit[easy], by_hand[easy], atol=0.02)
    expected, _ = arviz_stats.loo_expectations(tree, var_name="mass")
    mean = (weights * drawn).sum(axis=0)
    np.testing.assert_allclose(expected.values[easy], mean[easy], rtol=0.01)
    found = arviz_stats.loo_metrics(tree, kind="mae", var_name="mass", round_to="none")
    assert found.mean == pytest.approx(np.abs(expected.values - data["mass"]).mean())
    assert arviz_stats.loo(tree).n_data_points == len(data)
    plot_loo_pit(tree, backend="none")


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")
@pytest.mark.parametrize("column", ["depth", "alone"])
def test_rows_without_the_column_have_no_place_among_replicates(
    fits: dict[str, GaussianMixture], column: str
) -> None:
    import arviz_stats

    fit, data = fits["svi"], table()
    there = data["depth"].notna().to_numpy()
    tree = fit.to_datatree(data, column="depth", random_state=3)
    if column == "alone":
        data = data[["depth"]].rename(columns={"depth": "alone"})
        tree = ppgen.Gaussian().fit(data[there]).to_datatree(data, num_replicates=50)
    assert tree.attrs["left_out"] == f"12 of 150 rows, in which '{column}' is missing"
    for group in ("log_likelihood", "posterior_predictive", "observed_data"):
        assert tree[group].sizes["row"] == 138
    np.testing.assert_array_equal(tree["observed_data"]["row"], np.flatnonzero(there))
    np.testing.assert_array_equal(tree["observed_data"][column], data[column][there])
    if column == "alone":
        return
    whole = fit.to_datatree(data)["log_likelihood/joint"].values[..., there]
    np.testing.assert_array_equal(tree["log_likelihood/depth"], whole)
    pit = arviz_stats.loo_pit(tree)["depth"].values
    assert pit.shape == (138,)
    assert stats.kstest(pit, "uniform").pvalue > 0.01
    with pytest.raises(ppgen.InputError, match="'depth' has no value in these rows"):
        fit.to_datatree(data[~there], column="depth")


def test_without_rows_a_posterior_is_shown_and_others_say_what_to_give(
    fits: dict[str, GaussianMixture],
) -> None:
    tree = fits["nuts"].to_datatree()
    assert set(tree.children) == {"posterior", "prior", "log_prior", "sample_stats"}
    whole = fits["nuts"].to_datatree(table(), num_replicates=0)
    np.testing.assert_array_equal(tree["log_prior/mu"], whole["log_prior/mu"])
    assert "missing" not in tree.attrs
    with pytest.raises(ppgen.InputError, match="column given without the rows; give X, those"):
        fits["nuts"].to_datatree(column="mass")
    fit = GaussianMixture(1).fit(table())
    with pytest.raises(ppgen.InputError, match=r"no draws .* engine='svi' or .* Give the rows"):
        fit.to_datatree()
    with pytest.raises(ppgen.InputError, match=r"this Gaussian has no draws .* Give the rows: X"):
        ppgen.Gaussian().fit(table()).to_datatree()


def test_a_run_saved_before_priors_were_kept_says_so() -> None:
    fit: Any = ppgen.load(Path(__file__).parent / "saved_runs" / "gmm-nuts")
    tree = fit.to_datatree()
    assert set(tree.children) == {"posterior", "sample_stats"}
    assert tree.attrs["missing"].startswith("prior and log_prior: the run was saved before")


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")
def test_priors_of_a_mixture_are_those_of_its_model(
    fits: dict[str, GaussianMixture], tmp_path: Any
) -> None:
    import arviz_stats
    from arviz_plots import plot_prior_posterior

    fit, data = fits["svi"], table()
    tree = ppgen.load(fit.save(tmp_path / "run")).to_datatree(data, num_replicates=0)
    prior, log_prior = tree["prior"].to_dataset(), tree["log_prior"].to_dataset()
    assert set(prior.data_vars) == set(log_prior.data_vars) == set(tree["posterior"].data_vars)
    assert prior["mu"].dims == tree["posterior/mu"].dims
    assert log_prior["mu"].dims == ("chain", "draw")
    # By hand, in the units of the codec: log mass, and depth as it is.
    x = np.log(data["mass"]), data["depth"].dropna()
    centre, spread = fit._units or ((), ())
    np.testing.assert_allclose(centre[1], x[1].mean(), atol=1e-4)
    np.testing.assert_allclose(spread[1], x[1].std(ddof=0), rtol=1e-4)
    posterior = tree["posterior"].to_dataset()
    by_hand = {
        "mu": stats.norm(centre, spread).logpdf(posterior["mu"]).sum((-2, -1)),
        "sigma": stats.lognorm(1, scale=0.5 * spread).logpdf(posterior["sigma"]).sum((-2, -1)),
        "w": np.zeros((1, 200)),  # Dirichlet(1, 1)
        "B_0": np.zeros((1, 200)),
    }
    for name, expected in by_hand.items():
        np.testing.assert_allclose(log_prior[name], expected, atol=1e-9)
    np.testing.assert_allclose(np.log(prior["sigma"]).std(("chain", "draw")), 1.0, atol=0.15)
    shown = arviz_stats.psense_summary(tree, var_names=["mu", "w"])
    assert (shown["likelihood"] > shown["prior"]).all()
    plot_prior_posterior(tree, var_names=["w"], backend="none")


@pytest.mark.parametrize("eta", [1.0, 2.5])
def test_priors_of_correlations_are_numpyros(eta: float) -> None:
    numpyro = pytest.importorskip("numpyro")
    from ppgen.models.priors import Gamma, LKJCholesky

    site = LKJCholesky((2, 3, 3), eta)
    L = site.draw(np.random.default_rng(0), 4000)
    np.testing.assert_allclose(np.square(L).sum(-1), 1.0)
    theirs = np.asarray(numpyro.distributions.LKJCholesky(3, eta).log_prob(L[:5])).sum(-1)
    np.testing.assert_allclose(site.log_prob(L[None, :5])[0], theirs, rtol=1e-4, atol=1e-4)
    # Each correlation is Beta(b, b) on (-1, 1) with b = eta + 1/2, of variance 1 / (2 b + 1).
    R = L @ np.swapaxes(L, -1, -2)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert np.var(R[..., i, j]) == pytest.approx(1 / (2 * eta + 2), rel=0.06)
    nu = np.array([[[3.0, 7.0]]])
    assert Gamma(2, 2.0, 0.1).log_prob(nu)[0, 0] == pytest.approx(
        stats.gamma(2, scale=10).logpdf([3.0, 7.0]).sum()
    )


def test_log_densities_of_rows_of_one_column_bear_its_name() -> None:
    for name in ("mass", "chain", "weighted", "row"):
        data = table()[["mass"]].rename(columns={"mass": name})
        tree = ppgen.Gaussian().fit(data).to_datatree(data, sample_weight=np.full(150, 2.0))
        group = tree["log_likelihood"].to_dataset()
        assert next(iter(group.data_vars)) == name
        np.testing.assert_allclose(2 * group[name].values, list(group.values())[1].values)


def test_a_column_that_there_is_not_is_refused_by_name(fits: dict[str, GaussianMixture]) -> None:
    with pytest.raises(ppgen.InputError, match=r"column is 'mas'; expected one of mass"):
        fits["svi"].to_datatree(table(), column="mas")


def test_replicates_of_a_draw_are_of_that_draw(fits: dict[str, GaussianMixture]) -> None:
    fit = fits["svi"]
    kept, rng = np.array([0, 7, 199]), np.random.default_rng(0)
    rows = fit._sample_draws(kept, 4000, rng)
    assert fit.posterior_ is not None
    for block, s in zip(rows.x.reshape(3, 4000, 2), kept, strict=True):
        w, mu, sigma = (fit.posterior_[name][0, s] for name in ("w", "mu", "sigma"))
        mean = w @ mu
        spread = np.sqrt(w @ (np.square(sigma) + np.square(mu - mean)))
        np.testing.assert_allclose(block.mean(axis=0), mean, atol=5 * spread.max() / 4000**0.5)
        np.testing.assert_allclose(block.std(axis=0), spread, rtol=0.08)


@pytest.mark.parametrize("name", ["Gaussian", "GaussianMixture"])
def test_a_fit_without_draws(name: str) -> None:
    data = table()[["mass", "depth"]].dropna()
    fit = getattr(ppgen, name)().fit(data)
    tree = to_datatree(fit, data)
    assert "posterior" not in tree.children
    np.testing.assert_array_equal(
        tree["log_likelihood/joint"].values[0, 0], fit.score_samples(data)
    )
    assert "no posterior" in tree["log_likelihood"].attrs["note"]


def test_rounded_columns_are_averaged_over_their_cells() -> None:
    data = table(80)[["depth", "kind"]].dropna()
    data["depth"] = data["depth"].round(1)
    settings = {"num_steps": 50, "num_draws": 200}
    fit = GaussianMixture(
        2,
        covariance_type="diag",
        engine="svi",
        backend="pyro",
        engine_settings=settings,
        random_state=0,
    ).fit(data)
    assert fit.codec_.dequantised == ("depth",)
    tree = fit.to_datatree(data)
    assert tree.attrs["kind"] == "lower_bound"
    flat = tree["log_likelihood/joint"].values.reshape(-1, len(data))
    mean = logsumexp(flat, axis=0) - np.log(len(flat))
    np.testing.assert_allclose(mean, fit.score_samples(data), atol=1e-6)
