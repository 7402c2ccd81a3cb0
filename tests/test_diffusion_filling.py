"""Diffusion: gaps, columns held, pixels painted, and models as priors."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer.reparam import TransformReparam

import ppgen
from ppgen import InputError
from ppgen.inference.diffusion.exact import exact_gaussian
from ppgen.inference.diffusion.process import PROCESSES
from ppgen.models.diffusion.conditionals import Answers, Asked
from ppgen.models.diffusion.conditioning import _warn
from ppgen.models.diffusion.gauge import Gauge
from ppgen.models.diffusion.linear_units import LinearUnits
from ppgen.models.diffusion.pixel_mask import pixel_mask

SLOPE, SPREAD = 0.8, 0.6  # of the second column given the first
QUICK: dict[str, Any] = {"particles": 100, "steps": 20}


def rows(n: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    a = rng.normal(10.0, 2.0, n)
    kind = np.where(rng.random(n) < 1 / (1 + np.exp(-2 * (a - 10))), "high", "low")
    b = 3.0 + SLOPE * a + SPREAD * rng.normal(size=n)
    return pd.DataFrame({"a": a, "b": b, "kind": kind})


@cache
def fitted() -> ppgen.Diffusion:
    return ppgen.Diffusion(
        width=32, depth=1, max_epochs=25, learning_rate=1e-2, random_state=0, margins="none"
    ).fit(rows(400))


@cache
def numbers() -> ppgen.Diffusion:
    """Two real columns, whose net is replaced by what is exact for a Gaussian."""
    x = rows(400)[["a", "b"]]
    model = ppgen.Diffusion(width=8, depth=1, max_epochs=1, random_state=0, margins="none").fit(x)
    z = (x - x.mean()) / x.std(ddof=0)
    exact = exact_gaussian(
        PROCESSES["linear"], torch.zeros(2).double(), torch.tensor(np.cov(z.T, ddof=0))
    )
    model.nets_.denoise = lambda x_t, t, context=None: exact(x_t, t)  # type: ignore[method-assign]
    return model


@cache
def images() -> tuple[ppgen.Diffusion, Any]:
    rng = np.random.default_rng(0)
    x = (np.arange(6)[:, None] * rng.integers(1, 40, (60, 1, 1)) + np.zeros(5)).astype(np.uint8)
    return ppgen.Diffusion(width=32, depth=1, max_epochs=3, random_state=0, net="mlp").fit(x), x


def gaussian(x: pd.DataFrame) -> tuple[Any, Any]:
    """Mean and covariance of the rows of `numbers`."""
    return x.mean().to_numpy(), np.cov(x.T, ddof=0)


# Gaps


def test_gaps_are_filled_by_what_the_rest_of_a_row_says_and_all_else_stays() -> None:
    x = rows(12, seed=1)
    gappy = x.copy()
    gappy.loc[0:3, "b"] = np.nan
    gappy.loc[4:7, "kind"] = None
    gappy.loc[8, ["a", "b"]] = np.nan
    filled = fitted().impute(gappy, particles=150, steps=20)
    assert not filled.isna().any().any()
    same = gappy.notna()
    assert (filled[same] == gappy[same]).to_numpy()[same.to_numpy()].all()
    assert np.abs(filled["b"][:4] - (3.0 + SLOPE * x["a"][:4])).max() < 1.2
    sure = np.abs(x["a"][4:8] - 10) > 1
    assert (filled["kind"][4:8] == np.where(x["a"][4:8] > 10, "high", "low"))[sure].all()


def test_what_is_expected_of_gaps_goes_by_the_row_and_draws_vary() -> None:
    gappy = rows(6, seed=2)[["a", "b"]]
    gappy.loc[:, "b"] = np.nan
    model = numbers()
    every = model.impute(gappy, **QUICK)
    pd.testing.assert_frame_equal(model.impute(gappy[3:], **QUICK), every[3:], atol=1e-4)
    drawn = [model.impute(gappy, draw=True, random_state=s, **QUICK)["b"] for s in (0, 0, 1)]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).all()
    twins = pd.concat([gappy[:1]] * 3, ignore_index=True)
    assert model.impute(twins, draw=True, **QUICK)["b"].nunique() == 3


@pytest.mark.parametrize("method", ["smc", "mmps", "repaint"])
def test_each_method_fills_gaps_of_normal_rows_with_the_conditional_mean(method: str) -> None:
    model, x = numbers(), rows(400)[["a", "b"]]
    mean, covariance = gaussian(x)
    gappy = rows(5, seed=3)[["a", "b"]]
    gappy["b"] = np.nan
    filled = model.impute(gappy, method=method, particles=400, steps=30)
    right = mean[1] + covariance[0, 1] / covariance[0, 0] * (gappy["a"] - mean[0])
    spread = np.sqrt(covariance[1, 1] - covariance[0, 1] ** 2 / covariance[0, 0])
    within = 0.6 if method == "repaint" else 0.25  # RePaint's are not those of the conditional
    assert np.abs(filled["b"] - right).max() < within * spread


def test_rows_without_gaps_come_back_and_options_are_checked() -> None:
    x = rows(3)
    pd.testing.assert_frame_equal(fitted().impute(x), x)
    with pytest.raises(InputError, match="method"):
        fitted().impute(x, method="exact")
    with pytest.raises(InputError, match="missing"):
        fitted().score_samples(x.mask(x["a"] > 0))


# Columns held


def test_rows_with_a_column_held_are_those_of_the_conditional() -> None:
    model, x = numbers(), rows(400)[["a", "b"]]
    mean, covariance = gaussian(x)
    held = model.condition({"a": 12.0}, particles=800)
    drawn = held.sample(800)
    assert (drawn["a"] == 12.0).all()
    right = mean[1] + covariance[0, 1] / covariance[0, 0] * (12.0 - mean[0])
    spread = np.sqrt(covariance[1, 1] - covariance[0, 1] ** 2 / covariance[0, 0])
    assert abs(drawn["b"].mean() - right) < 0.2 * spread
    assert drawn["b"].std() == pytest.approx(spread, rel=0.12)
    assert 100 < held.least_ess <= 800
    assert "of which" in repr(held)
    with pytest.raises(InputError, match="particles=801"):
        held.sample(801)


@pytest.mark.parametrize("given", [{"a": 12.0}, {"b": 9.0}, {"kind": "high"}], ids=str)
def test_moments_matched_by_a_trained_net_spread_as_particles_do(given: Any) -> None:
    right, drawn = (
        fitted().condition(given, method=method, particles=400).sample(400)
        for method in ("smc", "mmps")
    )
    for name in {"a", "b"} - set(given):
        assert drawn[name].std() == pytest.approx(right[name].std(), rel=0.3)
        assert abs(drawn[name].mean() - right[name].mean()) < 0.6 * right[name].std()
        assert np.abs(drawn[name] - right[name].mean()).max() < 6 * right[name].std()


def test_what_the_context_says_is_no_part_of_the_law_that_moments_are_matched_by() -> None:
    rng = np.random.default_rng(0)
    c = torch.tensor(rng.normal(size=(500, 1)))
    x = 3 * c + 0.5 * torch.tensor(rng.normal(size=(500, 2)))

    def nothing(x_t: torch.Tensor, t: torch.Tensor, told: Any = None) -> torch.Tensor:
        return 0 * x_t

    gauge = Gauge.fit(nothing, PROCESSES["linear"], x, 2, c)
    np.testing.assert_allclose(gauge.law.variances, [0.25, 0.25], rtol=0.2)
    assert gauge.frame.variances.max() > 10
    again = Gauge.load(gauge.arrays(), PROCESSES["linear"])
    assert torch.equal(again.law.variances, gauge.law.variances)
    assert torch.equal(again.frame.variances, gauge.frame.variances)
    plain = Gauge.fit(nothing, PROCESSES["linear"], x, 2)
    assert plain.law is plain.frame
    assert Gauge.fit(nothing, PROCESSES["linear"], x, 1).law.variances.shape == (2,)


def test_samples_with_a_level_held_go_with_it() -> None:
    low, high = (fitted().sample(50, given={"kind": kind}) for kind in ("low", "high"))
    assert (low["kind"] == "low").all()
    assert high["a"].mean() - low["a"].mean() > 1
    with pytest.raises(InputError, match="method"):
        fitted().sample(2, given={"kind": "low"}, method="ddim")
    with pytest.raises(InputError, match="none is left"):
        fitted().condition({"a": 1.0, "b": 2.0, "kind": "low"})


def test_few_effective_particles_are_warned_of() -> None:
    with (
        pytest.warns(UserWarning, match="a = 25 is far beyond the values seen"),
        pytest.warns(UserWarning, match="effective particles"),
    ):
        fitted().condition({"a": 25.0, "b": 3.0}, particles=30, steps=10)


def test_particles_that_were_few_before_they_were_resampled_are_warned_of() -> None:
    ess, least = np.array([90.0, 80.0, 70.0]), np.array([5.0, 60.0, 50.0])
    answers = Answers(np.zeros((3, 1)), np.zeros((3, 1, 1)), ess, least)
    with pytest.warns(UserWarning, match="of 3 rows 1 have fewer than 20 .* at the least 5.0"):
        _warn(answers, Asked.of(particles=100))
    _warn(Answers(answers.mean, answers.drawn, ess, ess), Asked.of(particles=100))


def test_a_coupled_fit_is_refused_with_the_way_out() -> None:
    model = ppgen.Diffusion(width=8, depth=1, max_epochs=1, coupling="optimal", random_state=0).fit(
        rows(60)
    )
    with pytest.raises(InputError, match='coupling="independent"'):
        model.condition({"a": 10.0})


# Pixels


@pytest.mark.parametrize("method", ["smc", "mmps", "repaint"])
@pytest.mark.filterwarnings("ignore:of 3 rows")
def test_pixels_outside_the_mask_stay_and_those_within_are_drawn(method: Any) -> None:
    model, x = images()
    mask = np.zeros((6, 5), bool)
    mask[3:] = True
    made = model.inpaint(x[:3], mask, method=method, draws=2, particles=8, steps=6)
    assert len(made) == 2
    for each in made:
        assert each.dtype == np.uint8
        assert (each[:, :3] == x[:3, :3]).all()
    assert (made[0] != made[1]).any() or method == "smc"  # of which one may weigh all


def test_a_mask_may_have_any_shape_that_is_the_images_and_no_other() -> None:
    one = np.zeros((4, 5), bool)
    one[1, 2] = True
    assert pixel_mask(one, 3, (2, 4, 5)).sum() == 6
    assert pixel_mask(np.stack([one, ~one, one]), 3, (2, 4, 5)).sum(1).tolist() == [2, 38, 2]
    channels = np.stack([one, ~one])
    first = pixel_mask(channels, 3, (2, 4, 5))
    assert (first == pixel_mask(np.moveaxis(channels, 0, 2), 3, (2, 4, 5))).all()
    assert (first == pixel_mask(np.stack([channels] * 3), 3, (2, 4, 5))).all()
    with pytest.raises(InputError, match=r"shape \(5, 4\) given, for 3 images of 4 x 5"):
        pixel_mask(one.T, 3, (2, 4, 5))
    with pytest.raises(InputError, match="other values than 0 and 1"):
        pixel_mask(one * 255, 3, (2, 4, 5))
    with pytest.raises(InputError, match="impute"):
        fitted().inpaint(rows(2), one)


# A prior


def test_posterior_draws_are_those_of_a_linear_gaussian_model() -> None:
    model, x = numbers(), rows(400)[["a", "b"]]
    mean, covariance = gaussian(x)
    matrix, sigma, y = np.array([[1.0, 0.5]]), 0.7, np.array([18.0])
    gain = covariance @ matrix.T / (matrix @ covariance @ matrix.T + sigma**2)
    right = mean + (gain @ (y - matrix @ mean))
    spread = covariance - gain @ matrix @ covariance
    a = torch.tensor(matrix).float()

    def log_likelihood(rows: Any) -> Any:
        return -((rows @ a.T)[:, 0] - 18.0).square() / (2 * sigma**2)

    for measured, method in (
        ((matrix, y, sigma), "mmps"),
        ((lambda rows: rows @ a.T, y, sigma), "mmps"),
        (log_likelihood, "mmps"),
        ((matrix, y, sigma), "smc"),
        (log_likelihood, "smc"),
    ):
        drawn = model.posterior_sample(measured, 600, method=method, particles=1500, steps=30)
        z = (drawn.mean(0) - right) / np.sqrt(spread.diagonal() / 600)
        assert np.abs(z).max() < (3.5 if method == "mmps" else 6.0)  # particles are related
        np.testing.assert_allclose(np.cov(drawn.T), spread, atol=0.2 * spread.diagonal().max())


def test_what_was_measured_is_read_or_refused() -> None:
    model = numbers()
    with pytest.raises(InputError, match="tuple"):
        model.posterior_sample(3.0)
    with pytest.raises(InputError, match="rows have 2 values"):
        model.posterior_sample((np.ones((1, 3)), [1.0], 1.0))
    with pytest.raises(InputError, match="1 numbers"):
        model.posterior_sample((np.ones((1, 2)), [1.0, 2.0], 1.0))
    with pytest.raises(InputError, match="not linear"):
        model.posterior_sample((lambda rows: rows + 1, [1.0, 2.0], 1.0))
    with pytest.raises(InputError, match="kind"):
        fitted().posterior_sample((np.ones((1, 3)), [1.0], 1.0))


def test_pixels_are_linear_units_of_what_the_net_sees() -> None:
    model, x = images()
    units, view = LinearUnits.of(model.codec_, model.nets_), model.nets_.view
    features = (x[:2].reshape(2, -1) + 0.5 - view.values.shift) / view.values.scale
    np.testing.assert_allclose(
        units.offset + units.slope * features, x[:2].reshape(2, -1), atol=1e-9
    )


def test_a_site_of_pyro_draws_scores_and_inverts() -> None:
    model, x = numbers(), rows(400)[["a", "b"]]
    mean, covariance = gaussian(x)
    prior = model.as_distribution("pyro")
    z = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    flow = prior.transforms[0]
    drawn = flow(z)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, rtol=0.2)
    exact = torch.distributions.MultivariateNormal(torch.tensor(mean), torch.tensor(covariance))
    torch.testing.assert_close(
        prior.log_prob(drawn[:5]).double(), exact.log_prob(drawn[:5].double()), atol=2e-2, rtol=0
    )
    torch.testing.assert_close(flow._inverse(drawn[:50]), z[:50], atol=0.05, rtol=0)
    with pytest.raises(InputError, match="TransformReparam"):
        prior.log_prob(drawn[:1].clone().requires_grad_())


def test_noise_takes_the_place_of_a_site_and_gradients_reach_it() -> None:
    prior = numbers().as_distribution("pyro", steps=6)

    def model() -> Any:
        x = pyro.sample("x", prior)
        pyro.sample("y", dist.Normal(x[0], 1.0), obs=torch.tensor(12.0))
        return x

    moved = pyro.poutine.reparam(model, {"x": TransformReparam()})
    z = torch.zeros(2, requires_grad=True)
    trace = pyro.poutine.trace(pyro.poutine.condition(moved, {"x_base": z})).get_trace()
    (slope,) = torch.autograd.grad(trace.log_prob_sum(), z)
    assert slope.abs().min() > 0.1


def test_numpyro_has_the_same_rows_densities_and_slopes() -> None:
    import jax

    model = numbers()
    pyro_rows, rows = (model.as_distribution(b, steps=6) for b in ("pyro", "numpyro"))
    z = np.array([[0.3, -1.0], [1.2, 0.4]], np.float32)
    noise = torch.tensor(z, requires_grad=True)
    drawn = pyro_rows.transforms[0](noise)
    (slope,) = torch.autograd.grad(drawn[:, 0].sum(), noise)
    flow = rows.transforms[0]
    np.testing.assert_allclose(flow(z), drawn.detach(), rtol=1e-5)
    found = jax.grad(lambda z: flow(z)[:, 0].sum())(jax.numpy.asarray(z))
    np.testing.assert_allclose(found, slope, rtol=1e-4, atol=1e-5)
    values = drawn.detach()
    np.testing.assert_allclose(rows.log_prob(values.numpy()), pyro_rows.log_prob(values), rtol=1e-5)
    with pytest.raises(TypeError, match="TransformReparam"):
        jax.grad(lambda x: rows.log_prob(x).sum())(jax.numpy.asarray(values.numpy()))


def test_columns_that_a_fit_is_told_of_are_held_beside_those_that_it_makes() -> None:
    model = ppgen.Diffusion(
        width=8, depth=1, max_epochs=2, random_state=0, condition_on=["kind"]
    ).fit(rows(80))
    drawn = model.sample(4, given={"kind": "low", "a": 9.0})
    assert (drawn["a"] == 9.0).all()
    assert (drawn["kind"] == "low").all()
    assert drawn["b"].nunique() == 4
    with pytest.raises(InputError, match="no value of kind"):
        model.sample(4, given={"a": 9.0})
