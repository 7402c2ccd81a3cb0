"""What a pair says of models, data and settings that are wrong, on both backends."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, lognorm, norm

from ppgen import InputError
from ppgen.inference.posterior.repeats import check_repeats
from ppgen.inference.posterior.result import Evidence
from ppgen.inference.posterior.sites import check_whole
from ppgen.models.pair import Pair
from ppgen.models.pair.arguments import Call
from ppgen.models.pair.notes import of_evidence

from .pair_models import SIGMA, Y, fitted, fitted_schools, library, line, schools


@pytest.fixture(scope="module", params=["numpyro", "pyro"])
def backend(request: pytest.FixtureRequest) -> Any:
    return str(request.param)


def refused(model: Any, backend: Any, *data: Any, match: str, **named: Any) -> InputError:
    with pytest.raises(InputError, match=match) as caught:
        Pair(model, backend=backend).target(*data, **named)
    return caught.value


def test_an_error_of_the_model_is_said_with_its_place_and_chained(backend: Any) -> None:
    p, dist = library(backend)

    def model(y: Any) -> None:
        mu = p.sample("mu", dist.Normal(0.0, 1.0))
        weight = {"a": mu}["b"]
        p.sample("y", dist.Normal(weight, 1.0), obs=y)

    error = refused(
        model, backend, Y, match=r'KeyError at line \d+ of .*test_pair_wrong.py \(weight = .*"b"'
    )
    assert isinstance(error.__cause__, KeyError)
    assert "y float64[4]" in str(error)


def test_gaps_in_what_a_model_is_given_are_said_where_it_raises(backend: Any) -> None:
    X = np.ones((4, 2))
    X[1, 0] = np.nan
    match = r"X float64\[4, 2\] \(1 of them NaN\).* Drop or fill what is NaN in X"
    refused(line(backend), backend, X, Y, match=match)


def test_shapes_that_do_not_go_together_are_said_with_both(backend: Any) -> None:
    refused(line(backend), backend, np.ones((4, 2)), np.ones(3), match=r"site 'y'|raised")
    p, dist = library(backend)

    def no_plate(X: Any, y: Any) -> None:
        slope = p.sample("slope", dist.Normal(0.0, 1.0).expand([2]).to_event(1))
        p.sample("y", dist.Normal(X @ slope, 1.0), obs=y)

    x = np.ones((4, 2))
    refused(no_plate, backend, x, np.ones(3), match=r"site 'y'.*\(3,\).*does not broadcast.*\(4,\)")
    refused(no_plate, backend, x, np.ones((4, 1)), match=r"\(4, 1\).*\(4,\).*broadcast to \(4, 4\)")


def test_an_observed_value_outside_the_support_is_said(backend: Any) -> None:
    p, dist = library(backend)

    def model(y: Any) -> None:
        rate = p.sample("rate", dist.Gamma(2.0, 1.0))
        p.sample("y", dist.Exponential(rate), obs=y)

    wrong = np.array([1.0, -2.0, 3.0])
    refused(model, backend, wrong, match=r"'y' \(Exponential.*positive.*1 of 3.*\[1\]: -2")
    refused(model, backend, np.array([1.0, np.nan]), match=r"'y'.*1 of 2 values are NaN")


def test_a_support_that_moves_with_a_latent_site_is_not_held_against_the_data(backend: Any) -> None:
    p, dist = library(backend)

    def model(y: Any, most: Any = 3) -> None:
        end = p.sample("end", dist.LogNormal(0.0, 1.0))
        p.sample("few", dist.Binomial(most, 0.5 * (0 * end + 1)), obs=y[0])
        p.sample("y", dist.Uniform(0.0 * end, end).expand([2]).to_event(1), obs=y)

    y = np.array([2.0, 1.0])
    target = Pair(model, backend=backend).target(y)  # the middle of the prior of the end is 1
    with target.precision():
        z = target.start(0)
        assert float(target.constrain(z)["end"]) > 2
    ends = np.array([1.5, 3.0])
    found = target.log_density({"end": ends})
    assert found[0] == -np.inf
    assert np.isclose(found[1], lognorm(1).logpdf(3.0) - 2 * np.log(3) + binom(3, 0.5).logpmf(2))
    refused(model, backend, y, 1, match=r"'few' \(Binomial.*1 of 1 values are outside")


def test_a_log_joint_that_is_nowhere_finite_names_the_site(backend: Any) -> None:
    p, dist = library(backend)

    def model(y: Any) -> None:
        mu = p.sample("mu", dist.Normal(0.0, 1.0))
        p.sample("y", dist.Normal(mu, 1e-300), obs=y)

    target = Pair(model, backend=backend).target(Y)
    with pytest.raises(InputError, match=r"not finite.*site 'y' \(Normal, shape \(4,\).*-inf"):
        target.start(0)


def test_models_without_latent_or_observed_sites_are_refused(backend: Any) -> None:
    p, dist = library(backend)

    def nothing_to_draw(y: Any) -> None:
        p.sample("y", dist.Normal(0.0, 1.0), obs=y)

    def nothing_observed(y: Any) -> None:
        p.sample("mu", dist.Normal(0.0, 1.0))

    refused(nothing_to_draw, backend, 1.0, match="no continuous latent site; its sites are y")
    refused(nothing_observed, backend, 1.0, match="observes nothing")


def test_sites_that_no_engine_can_draw_are_refused_by_name(backend: Any) -> None:
    p, dist = library(backend)

    def counts(y: Any) -> None:
        n = p.sample("n", dist.Poisson(3.0))
        mu = p.sample("mu", dist.Normal(0.0, 1.0))
        p.sample("y", dist.Normal(mu * n, 1.0), obs=y)

    refused(
        counts, backend, 1.0, match="'n' is drawn from Poisson, which takes more discrete values"
    )


def test_an_improper_prior_is_fitted_but_not_drawn(backend: Any) -> None:
    p, dist = library(backend)

    def model(y: Any) -> None:
        mu = p.sample("mu", dist.ImproperUniform(dist.constraints.real, (), ()))
        p.sample("y", dist.Normal(mu, 1.0), obs=y)

    pair = Pair(model, backend=backend)
    target = pair.target(1.5)
    with target.precision():
        z = target.start(0)
        assert float(target.log_joint(z)) == pytest.approx(
            -0.5 * (1.5 - float(z[0])) ** 2 - 0.5 * np.log(2 * np.pi)
        )
    with pytest.raises(InputError, match=r"'mu' \(ImproperUniform.*improper"):
        pair.prior(3, 1.5)
    with pytest.raises(InputError, match="'mu'"):
        target.draw_prior(0)


def test_a_subsampled_plate_is_refused_where_all_data_are_needed(backend: Any) -> None:
    p, dist = library(backend)

    def model(y: Any) -> None:
        mu = p.sample("mu", dist.Normal(0.0, 1.0))
        with p.plate("rows", 4, subsample_size=2) as at:
            p.sample("y", dist.Normal(mu, 1.0), obs=y[at])

    sites = Pair(model, backend=backend).target(Y).sites
    with pytest.raises(InputError, match=r"'rows' looks at 2 of its 4.*subsample_size"):
        check_whole(sites, "nuts")


def test_single_precision_is_said_and_not_changed() -> None:
    from ppgen.models.pair.notes import notes

    pair = Pair(schools("numpyro"))
    target = pair.target(SIGMA.astype(np.float32), Y)
    assert target.args[0].dtype == "float32"
    (note,) = notes(target)
    assert note.what.startswith("sigma is in single precision")
    with pytest.raises(InputError, match=r"single precision.*double precision.*astype"):
        Pair(line("pyro"), backend="pyro").target(np.ones((4, 2), np.float32), Y)


# Keywords, settings, data


def test_keywords_find_their_owner() -> None:
    pair = Pair(schools("numpyro"))
    with pytest.raises(InputError, match=r"'num_sample' is neither.*Did you mean 'num_samples'"):
        pair.fit(SIGMA, Y, num_sample=3)
    with pytest.raises(InputError, match="num_samples is 0; expected an integer >= 1"):
        pair.fit(SIGMA, Y, num_samples=0)
    with pytest.raises(InputError, match=r"method is 'nutts'.*Did you mean 'nuts'"):
        pair.fit(SIGMA, Y, method="nutts")
    with pytest.raises(InputError, match=r"cannot be called.*missing.*'y'"):
        pair.fit(SIGMA)

    def model(num_samples: Any, y: Any) -> None: ...

    with pytest.raises(InputError, match=r"both|functools\.partial\(model, num_samples="):
        Pair(model).fit(y=Y, num_samples=3)
    with pytest.raises(InputError, match="no continuous latent site"):
        Pair(partial(model, num_samples=3)).fit(y=Y, num_samples=3)


def test_a_model_may_not_need_what_fit_takes_itself() -> None:
    def model(y: Any, budget: Any) -> None: ...

    with pytest.raises(InputError, match=r"'budget' is one of fit's own.*functools\.partial"):
        Pair(model).fit(Y, budget=3)


def test_tuples_stay_tuples_and_are_told_apart() -> None:
    pair = Pair(schools("numpyro"))
    args, _ = pair.call((SIGMA, (Y, 2)), {})
    assert isinstance(args[1], tuple)
    assert (str(args[1][0].dtype), args[1][1]) == ("float64", 2)
    one, same, other = (
        Call.of(pair.model, pair.call((SIGMA, (Y, k)), {})[0], {}, {}) for k in (2, 2, 3)
    )
    assert one.same_rows(same)
    assert not one.same_rows(other)


def test_data_in_a_loop_are_not_given_back_as_predictions() -> None:
    from numpyro.contrib.control_flow import scan

    p, dist = library("numpyro")

    def model(y: Any) -> None:
        mu = p.sample("mu", dist.Normal(0.0, 1.0))

        def step(last: Any, value: Any) -> tuple[Any, None]:
            return p.sample("y", dist.Normal(mu + last, 1.0), obs=value), None

        scan(step, 0.0, y)

    pair = Pair(model)
    target = pair.target(Y)
    with target.precision():
        at = float(target.log_joint(target.unconstrain({"mu": 0.5})))
    previous = np.concatenate([[0.0], Y[:-1]])
    assert at == pytest.approx(norm.logpdf(0.5) + norm.logpdf(Y, 0.5 + previous).sum())
    with pytest.raises(InputError, match="'y' cannot be drawn anew, since it stands in a loop"):
        pair.prior(2, Y)


def test_what_is_no_pair_is_refused() -> None:
    with pytest.raises(InputError, match="backend is 'stan'"):
        Pair(line("numpyro"), backend="stan")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="model is a int"):
        Pair(3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="eight_school"):
        Pair("eight_school")


def test_lists_and_frames_become_arrays_and_texts_are_refused() -> None:
    import pandas as pd

    pair = Pair(schools("numpyro"))
    frame = pd.DataFrame({"sigma": SIGMA, "y": Y})
    of_frame, of_lists = pair.target(frame["sigma"], frame["y"]), pair.target(list(SIGMA), list(Y))
    z = of_lists.start(0)
    with of_lists.precision():
        assert float(of_frame.log_joint(z)) == float(of_lists.log_joint(z))
    with pytest.raises(InputError, match=r"y holds <U1 values.*whole\s+numbers"):
        pair.target(SIGMA, np.array(["a", "b", "c", "d"]))
    with pytest.raises(InputError, match="y has rows of different lengths"):
        pair.target(SIGMA, [[1.0, 2.0], [3.0]])


def test_a_param_has_no_log_joint(backend: Any) -> None:
    p, dist = library(backend)

    def model(y: Any) -> None:
        mu = p.sample("mu", dist.Normal(0.0, 1.0))
        shift = p.param("shift", mu * 0.0 + 1.0)
        p.sample("y", dist.Normal(mu + shift, 1.0), obs=y)

    fit = fitted(Pair(model, backend=backend), {"mu": np.zeros((1, 2))}, Y[0])
    with pytest.raises(InputError, match="'shift' is a param, which has no prior"):
        check_whole(fit.sites, "nuts")
    with pytest.raises(InputError, match="'shift' is a param, optimised with the guide"):
        fit.log_prob({"mu": 0.0})


def test_a_method_that_keeps_no_state_is_not_told_where(tmp_path: Any) -> None:
    pair = Pair(schools("numpyro"))
    with pytest.raises(InputError, match=r"'nuts' keeps no state.*checkpoint_dir"):
        pair.fit(SIGMA, Y, method="nuts", checkpoint_dir=tmp_path)
    assert not [*tmp_path.iterdir()]


def test_a_log_evidence_under_an_improper_prior_is_said_to_be_none(backend: Any) -> None:
    p, dist = library(backend)

    def model(y: Any, proper: bool = False) -> None:
        flat = dist.ImproperUniform(dist.constraints.real, (), ())
        mu = p.sample("mu", dist.Normal(0.0, 1.0) if proper else flat)
        p.sample("y", dist.Normal(mu, 1.0), obs=y[0])

    pair = Pair(model, backend=backend)
    (said,) = of_evidence(pair.target(Y), Evidence(-1.0))
    assert "the prior of mu is improper" in said.what
    assert not of_evidence(pair.target(Y), None)
    assert not of_evidence(pair.target(Y, proper=True), Evidence(-1.0))


def test_a_guide_that_raises_or_has_another_shape_or_support_is_refused(backend: Any) -> None:
    p, dist = library(backend)

    def guide(of_mu: Any, of_tau: Any) -> Any:
        def drawn(sigma: Any, y: Any) -> None:
            p.sample("mu", of_mu())
            p.sample("tau", of_tau())
            with p.plate("schools", 4):
                p.sample("theta", dist.Normal(0.0, 1.0))

        return drawn

    def fit(of_mu: Any, of_tau: Any) -> None:
        pair = Pair(schools(backend), guide(of_mu, of_tau), backend)
        pair.fit(SIGMA, Y, method="svi")

    normal, positive = partial(dist.Normal, 0.0, 1.0), partial(dist.LogNormal, 0.0, 1.0)
    with pytest.raises(InputError, match=r"guide raised KeyError.*'b'.*sigma float64.*Mend the"):
        fit(lambda: {}["b"], positive)
    with pytest.raises(InputError, match=r"'mu' \(Normal, shape \(\).*the guide in shape \(2,\)"):
        fit(lambda: normal().expand([2]).to_event(1), positive)
    with pytest.raises(InputError, match=r"'tau' \(HalfCauchy.*positive.*from Normal on all"):
        fit(normal, normal)


def test_an_if_on_a_latent_of_a_compiled_model_is_said_with_its_line_and_the_way_out() -> None:
    p, dist = library("numpyro")

    def branching(y: Any) -> None:
        mu = p.sample("mu", dist.Normal(0.0, 1.0))
        p.sample("y", dist.Normal(mu, 1.0 if mu > 0 else 2.0), obs=y)

    target = Pair(branching).target(Y)
    match = r"raised TracerBool.* at line .*if mu > 0 else.*jnp.where or jax.lax.cond in place of"
    with pytest.raises(InputError, match=match):
        target.start(0)


def test_a_model_of_the_other_backend_is_told_from_one_of_this(backend: Any) -> None:
    other = "pyro" if backend == "numpyro" else "numpyro"
    said = f"the model is written in {other}, and backend is '{backend}'. Give backend='{other}'"
    refused(schools(other), backend, SIGMA, Y, match=said)
    refused(partial(schools(other), scale=2.0), backend, SIGMA, Y, match=said)
    Pair(schools(backend), backend=backend).target(SIGMA, Y)


def test_a_model_that_draws_by_itself_is_told(backend: Any) -> None:
    p, dist = library(backend)
    rng = np.random.default_rng(0)

    def noisy(y: Any) -> None:
        mu = p.sample("mu", dist.Normal(0.0, 1.0))
        p.sample("y", dist.Normal(mu + rng.normal(), 1.0), obs=y[0])

    pair = Pair(noisy, backend=backend)
    with pytest.raises(InputError, match="draws random numbers that are no sites"):
        pair.fit(Y, method="nuts")
    check_repeats(Pair(schools(backend), backend=backend).target(SIGMA, Y))


def test_a_setting_of_another_method_is_said_to_be_one(backend: Any) -> None:
    with pytest.raises(InputError, match='Settings of this name has method "svi"'):
        Pair(schools(backend), backend=backend).fit(SIGMA, Y, method="nuts", batch_size=2)


def test_shapes_are_plain_and_each_value_outside_is_counted(backend: Any) -> None:
    p, dist = library(backend)

    def model(y: Any) -> None:
        rate = p.sample("rate", dist.Gamma(2.0, 1.0))
        p.sample("y", dist.Exponential(rate).expand([4]).to_event(1), obs=y)

    error = refused(model, backend, np.ones((3, 2)), match=r"a value of shape \(3, 2\)")
    assert "torch" not in str(error)
    wrong = np.array([1.0, -2.0, 3.0, -4.0])
    refused(model, backend, wrong, match=r"2 of 4 values are outside .* first at \[1\]: -2")


def test_more_draws_than_there_are_are_not_given_in_silence(backend: Any) -> None:
    fit = fitted_schools(backend)
    with pytest.raises(InputError, match="n_draws is 10,000,000, and each chain has 3"):
        fit.predictive(n_draws=10**7)


def test_draws_that_are_one_point_are_not_left_out_of(backend: Any) -> None:
    x = np.ones((4, 2))
    fit = fitted(Pair(line(backend), backend=backend), {"slope": np.zeros((1, 5, 2))}, x, Y)
    with pytest.raises(InputError, match="all draws by method 'nuts' are one point"):
        fit.loo()


def test_data_without_rows_are_refused(backend: Any) -> None:
    refused(
        line(backend), backend, np.ones((0, 2)), np.ones(0), match=r"X is empty \(shape \(0, 2\)"
    )


def test_a_run_of_a_pair_that_ships_is_not_loaded_as_another(tmp_path: Any) -> None:
    pair = Pair("eight_schools")
    target = pair.target(Y, sigma=SIGMA)
    draws = {name: np.ones((1, 4, *site.shape)) for name, site in target.sites.latents.items()}
    path = fitted(pair, draws, Y, sigma=SIGMA).save(tmp_path / "run")
    assert Pair.load(path, "eight_schools").shape == (1, 4)
    with pytest.raises(InputError, match="a fit of the pair 'eight_schools', and 'linear_reg"):
        Pair.load(path, "linear_regression")
