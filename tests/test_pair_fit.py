"""What can be asked of a fitted pair, on both backends, with draws that are made up."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import halfcauchy, norm

from ppgen import InputError
from ppgen.models.pair import Pair, PairFit

from .pair_models import SIGMA, Y, fitted, fitted_schools, library, line, schools


@pytest.fixture(scope="module", params=["numpyro", "pyro"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def fit(backend: str) -> PairFit:
    return fitted_schools(backend)


def test_the_rows_fitted_are_predicted_by_their_own_sites(fit: PairFit) -> None:
    found = fit.predictive()
    assert found["y"].shape == (2, 3, 4)
    assert (found["y"] > 900).all()
    np.testing.assert_array_equal(found["twice"], 2 * fit.draws["mu"])


def test_other_rows_have_sites_of_their_own_drawn_anew(fit: PairFit) -> None:
    assert fit.predictive(SIGMA[:2])["y"].shape == (2, 3, 2)
    assert (np.abs(fit.predictive(SIGMA[:2])["y"]) < 900).all()
    assert (np.abs(fit.predictive(SIGMA + 1)["y"]) < 900).all()  # as many rows, but others
    assert (fit.predictive(SIGMA)["y"] > 900).all()  # the same, what is observed left out


def test_predictions_are_those_of_their_seed_and_leave_the_global_ones(fit: PairFit) -> None:
    first, again = fit.predictive(SIGMA, random_state=1), fit.predictive(SIGMA, random_state=1)
    np.testing.assert_array_equal(first["y"], again["y"])
    assert (first["y"] != fit.predictive(SIGMA, random_state=2)["y"]).all()
    assert fit.predictive(n_draws=2)["y"].shape == (2, 2, 4)


def test_predictions_have_the_mean_and_spread_of_the_model(backend: str) -> None:
    x = np.column_stack([np.arange(4.0), np.ones(4)])
    draws = {"slope": np.tile([2.0, -1.0], (1, 400, 1))}
    found = fitted(Pair(line(backend), backend=backend), draws, x, x[:, 0]).predictive(x[1:])["y"]  # type: ignore[arg-type]
    assert found.shape == (1, 400, 3)
    np.testing.assert_allclose(found.mean((0, 1)), [1, 3, 5], atol=0.03)
    np.testing.assert_allclose(found.std((0, 1)), 0.1, atol=0.015)


def test_other_columns_are_refused_with_shapes(backend: str) -> None:
    draws = {"slope": np.zeros((1, 2, 2))}
    fit = fitted(Pair(line(backend), backend=backend), draws, np.ones((4, 2)), np.ones(4))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"'slope' \(Normal, shape \(2,\).*shape \(3,\)"):
        fit.predictive(np.ones((4, 3)))


def test_the_log_joint_is_that_by_hand(fit: PairFit) -> None:
    theta = np.array([1.0, -2.0, 0.5, 3.0])
    found = fit.log_prob({"mu": 1.0, "tau": 2.0, "theta": theta})
    by_hand = (
        norm(0, 5).logpdf(1)
        + halfcauchy(scale=5).logpdf(2)
        + norm(1, 2).logpdf(theta).sum()
        + norm(theta, SIGMA).logpdf(Y).sum()
    )
    assert found.values == pytest.approx([by_hand])
    assert "unnormalised" in found.method
    many = {"mu": np.ones(2), "tau": np.array([2.0, -1.0]), "theta": np.tile(theta, (2, 1))}
    assert fit.log_prob(many).values == pytest.approx([by_hand, -np.inf])
    with pytest.raises(InputError, match=r"no latent site 'thet'.*Did you mean 'theta'"):
        fit.log_prob({"thet": 1.0})
    with pytest.raises(InputError, match=r"'theta'.*shape \(3,\).*'n', 4"):
        fit.log_prob({"mu": 1.0, "tau": 2.0, "theta": np.zeros(3)})


def test_a_tree_has_plates_as_dimensions_and_one_name_for_what_is_observed(fit: PairFit) -> None:
    tree = fit.to_datatree(num_prior=5)
    assert tree["posterior"]["theta"].dims == ("chain", "draw", "schools")
    assert tree["prior"]["theta"].shape == (1, 5, 4)
    assert tree["observed_data"]["y"].dims == ("schools",)
    assert tree["posterior_predictive"]["y"].dims == ("chain", "draw", "schools")
    assert tree["constant_data"]["sigma"].dims == ("schools",)
    log_prior = tree["log_prior"]["theta"].values
    mu, tau, theta = (fit.draws[name] for name in ("mu", "tau", "theta"))
    by_hand = norm(mu[..., None], tau[..., None]).logpdf(theta).sum(-1)
    np.testing.assert_allclose(log_prior, by_hand)
    assert fit.summary().loc["mu", "mean"] == pytest.approx(fit.draws["mu"].mean(), abs=0.01)


def test_a_tree_of_very_many_values_has_fewer_draws(
    fit: PairFit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ppgen.models.pair.trees.MAX_VALUES", 16)
    tree = fit.to_datatree(groups=("posterior", "posterior_predictive", "sample_stats"))
    assert (tree.attrs["thinned"], tree["posterior"].sizes["draw"]) == (2, 2)
    np.testing.assert_array_equal(tree["posterior"]["mu"], fit.draws["mu"][:, ::2])
    assert tree["posterior_predictive"]["y"].shape == (2, 2, 4)


def test_the_prior_is_drawn_without_data(backend: str) -> None:
    pair = Pair(schools(backend), backend=backend)  # type: ignore[arg-type]
    found = pair.prior(400, SIGMA, None)
    assert {name: a.shape[1:] for name, a in found.items()} == {
        "mu": (),
        "tau": (),
        "theta": (4,),
        "y": (4,),
        "twice": (),
    }
    assert found["mu"].std() == pytest.approx(5, abs=0.6)


def test_a_saved_fit_predicts_without_its_data(fit: PairFit, backend: str, tmp_path: Path) -> None:
    fit.save(tmp_path / "run")
    again = Pair.load(tmp_path / "run", schools(backend))
    assert (str(again.verdict_), again.seed) == (str(fit.verdict_), fit.seed)
    for name, draws in fit.draws.items():
        np.testing.assert_array_equal(again.draws[name], draws)
    np.testing.assert_array_equal(again.predictive(SIGMA)["y"], fit.predictive(SIGMA)["y"])
    tree = again.to_datatree()
    assert set(tree.children) == {"posterior", "sample_stats"}
    assert tree.attrs["missing"].startswith("prior, log_likelihood, log_prior, ")
    assert "give the data that it was fitted to" in tree.attrs["missing"]
    assert "missing" not in again.to_datatree(SIGMA, Y, num_prior=3).attrs
    theta = np.ones(4)
    assert again.log_prob({"mu": 1.0, "tau": 2.0, "theta": theta}, SIGMA, Y).values == (
        pytest.approx(fit.log_prob({"mu": 1.0, "tau": 2.0, "theta": theta}).values)
    )
    with pytest.raises(InputError, match="loaded, and a saved run holds no data"):
        again.predictive()


def test_another_model_is_refused_when_a_run_is_loaded(
    fit: PairFit, backend: str, tmp_path: Path
) -> None:
    p, dist = library(backend)
    fit.save(tmp_path / "run")

    def without(sigma: Any, y: Any) -> None:
        p.sample("mu", dist.Normal(0.0, 1.0))
        p.sample("y", dist.Normal(0.0, sigma), obs=y)

    def positive(sigma: Any, y: Any, scale: float = 5.0) -> None:
        mu = p.sample("mu", dist.Gamma(2.0, scale))
        p.sample("y", dist.Normal(mu, sigma), obs=y)

    with pytest.raises(InputError, match=r"site 'tau'.*does not draw here"):
        Pair.load(tmp_path / "run", without)
    with pytest.raises(InputError, match=r"'mu'.*real.*Gamma"):
        Pair.load(tmp_path / "run", positive)
    (tmp_path / "run" / "posterior.nc").write_bytes(b"")
    with pytest.raises(InputError, match="damaged"):
        Pair.load(tmp_path / "run", schools(backend))


def test_an_autoguide_draws_the_latents_of_a_plate_and_not_the_plate(backend: str) -> None:

    from ppgen.inference.posterior.guides import build
    from ppgen.inference.posterior.minibatch import call_of

    target = Pair(schools(backend), backend=backend).target(SIGMA, Y)  # type: ignore[arg-type]
    module = import_module(f"ppgen.inference.posterior.variational_{backend}")
    with module.precision(True):
        call = call_of(target, None)
        found = module.drawn_sites(target, build("normal", target, 0, []), call)
    assert {*found} == {"mu", "tau", "theta"}
