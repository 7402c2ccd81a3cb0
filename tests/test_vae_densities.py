"""Densities of single values, their parts of a row, and what the encoder sees: in closed form."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from ppgen.models.nets.features import Features
from ppgen.models.vae import densities
from ppgen.models.vae.observation import Observation, Torch
from ppgen.models.vae.parts import KINDS, Part

Bernoulli, Categorical, ContinuousBernoulli, DiscretisedLogistic, Gaussian = (
    getattr(densities, name)(Torch)
    for name in (
        "Bernoulli",
        "Categorical",
        "ContinuousBernoulli",
        "DiscretisedLogistic",
        "Gaussian",
    )
)
FLOOR = -7.0
LOGITS = (-80.0, -20.0, -3.0, -0.3, -0.19, -1e-3, 0.0, 1e-6, 0.0101, 0.2, 1.0, 15.0, 80.0)
SCALES = (FLOOR, -3.0, -1.0, 0.0, 5.0)
N = 10_000
ALARM = 1e-4  # false alarms of each test of drawn values


def t(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


# Real values


@pytest.mark.parametrize("log_s", SCALES)
def test_the_gaussian_is_the_normal_density(log_s):
    x = torch.linspace(-4, 4, 9, dtype=torch.float64)
    found = Gaussian.log_prob(x, t(0.7), t(log_s))
    np.testing.assert_allclose(found, stats.norm.logpdf(x, 0.7, math.exp(log_s)), rtol=1e-12)
    assert Gaussian.mean(t(0.7), t(log_s)) == 0.7


def test_gaussian_draws_follow_it():
    drawn = Gaussian.sample(torch.full((N,), 0.7), torch.full((N,), -1.0))
    assert stats.kstest(drawn.numpy(), stats.norm(0.7, math.exp(-1)).cdf).pvalue > ALARM


# Values in [0, 1]


def continuous(l):
    """Density at x, with the constant by another formula than ours."""
    size = abs(l)
    log_c = -math.log(-math.expm1(-size) / size) if size > 1e-5 else 0.0

    def density(x):
        return math.exp(log_c - size * ((1 - x) if l > 0 else x))

    return density


@pytest.mark.parametrize("l", LOGITS)
def test_the_continuous_bernoulli_integrates_to_one(l):
    def density(x, power=0):
        return x**power * math.exp(ContinuousBernoulli.log_prob(t(x), t(l)).item())

    points = sorted({0.0, 1.0, min(1.0, 5 / max(abs(l), 5)), max(0.0, 1 - 5 / max(abs(l), 5))})
    areas = [
        [integrate.quad(density, a, b, (power,), epsabs=1e-10)[0] for power in (0, 1)]
        for a, b in pairwise(points)
    ]
    whole, mean = np.sum(areas, 0)
    assert whole == pytest.approx(1, abs=1e-7)
    assert ContinuousBernoulli.mean(t(l)).item() == pytest.approx(mean, abs=1e-7)
    other = continuous(l)
    for x in (0.0, 0.4, 1.0):
        assert density(x) == pytest.approx(other(x), rel=1e-6, abs=1e-30)


@pytest.mark.parametrize("l", [-40.0, -2.0, -1e-3, 0.0, 3e-4, 0.5, 6.0])
def test_continuous_bernoulli_draws_follow_it(l):
    # In single precision too: near l = 0 nothing may cancel.
    def cdf(x):
        return x if abs(l) < 1e-9 else np.expm1(l * x) / np.expm1(l)

    drawn = ContinuousBernoulli.sample(torch.full((N,), l)).numpy()
    assert stats.kstest(drawn, cdf).pvalue > ALARM
    assert len(np.unique(drawn)) > 0.99 * N


def test_continuous_bernoulli_logits_give_the_means_asked_for():
    wanted = t(0.01, 0.1, 0.4999, 0.5, 0.9, 0.99)
    found = ContinuousBernoulli.mean(ContinuousBernoulli.logit_of(wanted))
    np.testing.assert_allclose(found, wanted, atol=1e-8)
    ends = ContinuousBernoulli.logit_of(t(0.0, 1.0))
    np.testing.assert_allclose(ends, [-100, 100], rtol=1e-6)


# Levels


@pytest.mark.parametrize("l", LOGITS)
def test_bernoulli_masses_sum_to_one(l):
    log_p = Bernoulli.log_prob(t(0, 1), t(l))
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert log_p[0].item() == pytest.approx(-np.logaddexp(0, l), rel=1e-9)
    assert Bernoulli.mean(t(l)).item() == pytest.approx(log_p[1].exp().item(), rel=1e-12)


def levels_of(count):
    return torch.linspace(-1, 1, count, dtype=torch.float64)


LOGISTICS = [(l, log_s) for l in (-80.0, -1.2, -0.99, 0.0, 0.31, 1.0, 80.0) for log_s in SCALES]


@pytest.mark.parametrize("count", [2, 3, 16, 256])
@pytest.mark.parametrize(("l", "log_s"), LOGISTICS)
def test_logistic_masses_sum_to_one_and_have_the_mean(l, log_s, count):
    x, h = levels_of(count), 1 / (count - 1)
    log_p = DiscretisedLogistic.log_prob(x, t(l), t(log_s), h)
    assert torch.isfinite(log_p).all()
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-9)
    mean = (log_p.exp() * x).sum().item()
    found = DiscretisedLogistic.mean(t(l), t(log_s)).item()
    assert abs(found - mean) <= h + 1e-12
    if math.exp(log_s) > h:  # the cells are finer than the logistic
        assert found == pytest.approx(mean, abs=0.05 * h)


def test_inner_logistic_masses_are_differences_of_the_cumulative_one():
    x, h, s = levels_of(16)[1:-1], 1 / 15, math.exp(-1.5)
    found = DiscretisedLogistic.log_prob(x, t(0.2), t(-1.5), h)
    upper, lower = (stats.logistic.cdf(x.numpy() + d, 0.2, s) for d in (h, -h))
    np.testing.assert_allclose(found, np.log(upper - lower), rtol=1e-9)


@pytest.mark.parametrize(("l", "log_s"), [(0.1, -2.0), (-0.95, -1.0), (0.0, 2.0), (0.4, FLOOR)])
@pytest.mark.parametrize("count", [2, 9])
def test_logistic_draws_are_levels_and_follow_it(l, log_s, count):
    h = 1 / (count - 1)
    shape = (N,)
    drawn = DiscretisedLogistic.sample(
        torch.full(shape, l, dtype=torch.float64), torch.full(shape, log_s, dtype=torch.float64), h
    )
    code = (drawn + 1) / (2 * h)
    assert (code - code.round()).abs().max() < 1e-9
    p = DiscretisedLogistic.log_prob(levels_of(count), t(l), t(log_s), h).exp().numpy()
    check_shares(code.round().long().numpy(), p)


def check_shares(codes, p):
    """Chi-square of the counts; levels that are hardly expected count together."""
    counts = np.bincount(codes, minlength=len(p))
    assert len(counts) == len(p)
    rare = len(codes) * p < 5
    expected = np.append(len(codes) * p[~rare], len(codes) * p[rare].sum())
    seen = np.append(counts[~rare], counts[rare].sum())
    if expected[-1] < 5:
        assert seen[-1] < stats.poisson(max(expected[-1], 1e-9)).isf(ALARM) + 1
        seen, expected = seen[:-1], expected[:-1]
    if len(seen) > 1:
        expected = expected * seen.sum() / expected.sum()
        assert stats.chisquare(seen, expected).pvalue > ALARM


LEVELS = torch.tensor([[1.0, -2.0, 0.3, -torch.inf], [80.0, -80.0, 79.0, 0.0]]).double()


def test_categorical_masses_are_shares_of_the_logits():
    x = torch.tensor([[0.0, 0], [1, 1], [2, 2], [3, 3]]).double()
    p = Categorical.log_prob(x, LEVELS.expand(4, 2, 4)).exp()
    np.testing.assert_allclose(p.sum(0), 1, atol=1e-12)
    np.testing.assert_allclose(p[:, 0], torch.softmax(LEVELS[0], 0), rtol=1e-12)
    assert p[3, 0] == 0
    assert Categorical.mean(LEVELS).tolist() == [0, 0]


def test_drawn_levels_follow_their_masses():
    for l in LEVELS:
        codes = Categorical.sample(l.expand(N, 4)).long().numpy()
        check_shares(codes, torch.softmax(l, -1).numpy())
    codes = Bernoulli.sample(torch.full((N,), -1.3)).long().numpy()
    p = 1 / (1 + math.exp(1.3))
    check_shares(codes, np.array([1 - p, p]))


# Parts of a row

PARTS = (
    Part("gaussian", 0, 2),
    Part("bernoulli", 2, 3),
    Part("categorical", 3, 5, (2, 4)),
    Part("continuous_bernoulli", 5, 6),
    Part("discretised_logistic", 6, 8, (5,)),
)
ROWS = torch.tensor(
    [[0.5, -1.0, 1.0, 1.0, 3.0, 0.2, -1.0, 0.5], [2.0, 0.1, 0.0, 0.0, 2.0, 1.0, 1.0, -0.5]]
).double()


def observation(parts=PARTS, **changes):
    return Observation(parts, **changes).double()


@pytest.mark.parametrize("noise", ["column", "shared", "row", 0.3])
def test_a_row_is_the_sum_of_its_values(noise):
    seen = observation(noise=noise)
    for i, p in seen.log_scales.items():
        p.data += 0.1 * torch.arange(len(p)) + int(i) / 7
    raw = torch.randn(3, 2, seen.n_outputs, dtype=torch.float64)
    pieces = raw.split(seen.outputs, -1)
    first, last = pieces[0], pieces[4]
    if noise == "row":
        (m, log_s), (l, log_r) = (p.unflatten(-1, (-1, 2)).unbind(-1) for p in (first, last))
    elif noise == 0.3:
        # A logistic of scale s has the standard deviation s pi / sqrt(3).
        log_r = t(math.log(0.3 * math.sqrt(3) / math.pi))
        (m, log_s), (l, log_r) = (first, t(math.log(0.3))), (last, log_r)
    else:
        (m, log_s), (l, log_r) = ((p, seen.log_scales[i]) for p, i in ((first, "0"), (last, "4")))
        assert log_s.numel() == (2 if noise == "column" else 1)
    none = torch.full((3, 2, 2), -torch.inf, dtype=torch.float64)
    levels = torch.stack([torch.cat([pieces[2][..., :2], none], -1), pieces[2][..., 2:]], -2)
    expected = torch.cat(
        [
            Gaussian.log_prob(ROWS[:, :2], m, log_s),
            Bernoulli.log_prob(ROWS[:, 2:3], pieces[1]),
            Categorical.log_prob(ROWS[:, 3:5], levels),
            ContinuousBernoulli.log_prob(ROWS[:, 5:6], pieces[3]),
            DiscretisedLogistic.log_prob(ROWS[:, 6:], l, log_r, 0.25),
        ],
        -1,
    )
    torch.testing.assert_close(seen.values(raw, ROWS), expected)
    torch.testing.assert_close(seen.log_prob(raw, ROWS), expected.sum(-1))
    assert seen.mean(raw).shape == (3, 2, 8)
    drawn = seen.sample(raw)
    assert torch.isfinite(seen.log_prob(raw, drawn)).all()
    torch.testing.assert_close(seen.mean(raw)[..., 5:6], ContinuousBernoulli.mean(pieces[3]))


def test_the_quick_way_of_bernoulli_rows_is_the_same():
    x = (torch.rand(4, 6) < 0.5).double()
    raw = 5 * torch.randn(3, 4, 6).double()
    part = Part("bernoulli", 0, 6)
    quick, general = observation((part,)), observation((part,), missing=True)
    torch.testing.assert_close(quick.log_prob(raw, x), general.log_prob(raw, x))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_drops_out(kind):
    levels = {"categorical": (3,), "discretised_logistic": (3,)}.get(kind, ())
    seen = observation((Part(kind, 0, 3, levels),), missing=True)
    raw = torch.randn(1, seen.n_outputs, dtype=torch.float64, requires_grad=True)
    whole = seen.values(raw, t(1, 0, 1)[None])
    gaps = seen.log_prob(raw, t(1, math.nan, 1)[None])
    assert gaps.item() == pytest.approx((whole[0, 0] + whole[0, 2]).item(), rel=1e-12)
    assert seen.log_prob(raw, torch.full((1, 3), torch.nan).double()).item() == 0
    (slope,) = torch.autograd.grad(gaps.sum(), raw)
    assert torch.isfinite(slope).all()
    slope = slope.reshape(3, -1)
    assert (slope[1] == 0).all()
    assert (slope[[0, 2]] != 0).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("noise", ["column", "row"])
def test_densities_and_slopes_are_finite_at_the_extremes(dtype, noise):
    seen = Observation(PARTS, noise=noise).to(dtype)
    x = torch.cat([ROWS, ROWS[:1], ROWS[1:]]).to(dtype)
    for size in (80.0, -80.0, 0.0):
        for scale in (-1e3, 1e3):  # kept between the floor and the widest
            raw = torch.full((4, seen.n_outputs), size, dtype=dtype)
            if noise == "row":
                raw[:, 1:4:2] = raw[:, -3::2] = scale
            for p in seen.log_scales.values():
                p.data.fill_(scale)
            raw.requires_grad_()
            value = seen.log_prob(raw, x)
            assert torch.isfinite(value).all()
            value.sum().backward()
            assert torch.isfinite(raw.grad).all()
            assert torch.isfinite(seen.mean(raw)).all()
            assert torch.isfinite(seen.sample(raw)).all()


@pytest.mark.parametrize("noise", ["column", "row"])
def test_a_fit_begins_at_the_means_and_shares(noise):
    gen = np.random.default_rng(0)
    rows = np.stack(
        [
            gen.normal(3, 2, 500),
            gen.normal(-1, 1, 500),
            gen.random(500) < 0.2,
            gen.integers(2, size=500),
            gen.choice(4, size=500, p=[0.6, 0.3, 0.1, 0]),
            gen.beta(1, 9, 500),
            gen.choice([-1, -0.5, 0, 0.5, 1], 500),
            gen.choice([-1, -0.5], 500),
        ],
        1,
    )
    rows[gen.random(rows.shape) < 0.1] = np.nan
    seen = observation(noise=noise, missing=True)
    start = torch.from_numpy(seen.start(rows))
    assert start.shape == (seen.n_outputs,)
    mean = seen.mean(start).detach()
    expected = np.nanmean(rows, 0)
    np.testing.assert_allclose(mean[[0, 1, 2, 5]], expected[[0, 1, 2, 5]], rtol=1e-6)
    # A logistic is cut off at the ends: its location is the mean, which the ends pull inwards.
    scaled = start.split(seen.outputs, -1)
    at = scaled[4][::2] if noise == "row" else scaled[4]
    np.testing.assert_allclose(at, expected[6:], rtol=1e-9)
    if noise == "row":  # scales begin where those of columns do
        others = observation(missing=True).log_scales
        np.testing.assert_array_equal(scaled[0][1::2], others["0"].detach())
        np.testing.assert_array_equal(scaled[4][1::2], others["4"].detach())
    shares = scaled[2].exp()
    for j, part in ((3, shares[:2]), (4, shares[2:])):
        codes = rows[~np.isnan(rows[:, j]), j].astype(int)
        counts = np.bincount(codes, minlength=len(part)) + 1  # none is impossible
        np.testing.assert_allclose(part, counts / counts.sum(), rtol=1e-9)


def test_a_column_without_values_begins_in_the_middle():
    seen = observation(missing=True)
    mean = seen.mean(torch.from_numpy(seen.start(np.full((3, 8), np.nan)))).detach()
    np.testing.assert_allclose(mean[[0, 1, 2, 5]], [0, 0, 0.5, 0.5], atol=1e-9)


# What the encoder sees


def test_features_are_centred_numbers_indicators_and_a_mask():
    rows = torch.tensor([[1.0, 10, 2, 60], [3.0, 30, 0, 0], [math.nan, 20, math.nan, 3]]).double()
    made = Features(4, [(2, 3)], missing=True).double()
    made.fit(rows)
    found = made(rows).numpy()
    assert found.shape == (3, made.size) == (3, 3 + 3 + 4)
    centre = np.array([2, 20, 21])
    plain = rows.numpy()[:, [0, 1, 3]]
    gain = 1 / math.sqrt(np.nanmean((plain - centre) ** 2))
    np.testing.assert_allclose(found[:, :3], np.nan_to_num((plain - centre) * gain), rtol=1e-12)
    np.testing.assert_array_equal(found[:, 3:6], [[0, 0, 1], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(found[:, 6:], ~np.isnan(rows.numpy()))


def test_features_of_whole_numbers_are_only_centred_and_scaled():
    rows = torch.randn(50, 4).double() * 3 + 2
    made = Features(4).double()
    assert made.size == 4
    torch.testing.assert_close(made(rows), rows)
    made.fit(rows)
    found = made(rows)
    assert found.mean(0).abs().max() < 1e-12
    assert found.square().mean().item() == pytest.approx(1, rel=1e-9)
    made.fit(torch.full((5, 4), 7.0).double())  # constant: no division by nothing
    assert torch.isfinite(made(rows)).all()
