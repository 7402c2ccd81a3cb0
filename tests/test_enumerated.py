"""Discrete sites summed out of models of both backends, against listing all states."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ppgen.errors import InputError
from ppgen.inference import enumerated
from ppgen.inference.discrete_posterior import discrete_posterior
from ppgen.inference.enumerated_groups import Factor, Variable, groups_of
from ppgen.inference.pointwise import pointwise

from . import discrete_models as models

BACKENDS = {name: models.backend(name) for name in ("numpyro", "pyro")}
both = pytest.mark.parametrize("b", BACKENDS.values(), ids=BACKENDS)
EXACT = {"rtol": 0, "atol": 1e-10}
S = 2  # draws


def rng():
    return np.random.default_rng(0)


def commons():
    return models.draws_of(rng(), S, **models.COMMON)


def columns():
    y1, y2 = rng().normal(size=(2, 3))
    return (y1, y2, np.array([True, False, True])), models.draws_of(rng(), S, **models.TWO_COLUMNS)


@both
def test_columns_of_a_row_share_its_states(b):
    args, draws = columns()
    got = pointwise(b.read(models.two_columns, args, draws), draws)
    assert got.sites == {"joint": ("y1", "y2")}
    assert got.plates == {"joint": ("rows",)}
    assert got.conditional == ()
    for s in range(S):
        draw = {k: v[s] for k, v in draws.items()}
        want = [models.two_columns_listed(draw, *args, i).log_p([True]) for i in range(3)]
        np.testing.assert_allclose(got.values["joint"][s], want, **EXACT)


@both
def test_states_of_cells_are_summed_within_their_row(b):
    y, draws = rng().normal(size=(3, 2)), models.draws_of(rng(), S, **models.CELLS)
    model = b.read(models.cells, (y,), draws)
    got = pointwise(model, draws)
    found = discrete_posterior(model, draws, rng(), by_draw=True)
    assert got.plates == {"y": ("rows",)}
    assert found.plates == {"z": ("rows",), "w": ("rows", "columns")}
    for s in range(S):
        for i in range(3):
            listed = models.cells_listed({k: v[s] for k, v in draws.items()}, y, i)
            np.testing.assert_allclose(got.values["y"][s, i], listed.log_p([True] * 2), **EXACT)
            p = listed.posterior().reshape(2, 2, 2)  # of z, w_1, w_2
            np.testing.assert_allclose(found.by_draw["z"][s, i], p.sum((1, 2)), **EXACT)
            np.testing.assert_allclose(found.by_draw["w"][s, i, 1], p.sum((0, 1)), **EXACT)


@both
def test_a_sequence_is_a_unit_and_what_lies_beyond_its_end_is_not_there(b):
    y, draws = rng().normal(size=(4, 2)), models.draws_of(rng(), S, **models.CHAIN)
    there = np.arange(4)[:, None] < [4, 2]
    got = pointwise(b.read(models.sequences, (y, there), draws), draws)
    assert got.plates == {"joint": ("sequences",)}
    for s in range(S):
        draw = {k: v[s] for k, v in draws.items()}
        want = [
            models.chain_listed(draw, y[:length, i]).log_p([True] * length)
            for i, length in enumerate((4, 2))
        ]
        np.testing.assert_allclose(got.values["joint"][s], want, **EXACT)


def chains():
    """A model, whose sites it has, and what lists its states."""
    numpyro, pyro = BACKENDS["numpyro"], BACKENDS["pyro"]
    first = (models.chain_listed, models.CHAIN)
    yield pytest.param(numpyro, models.chain, *first, id="numpyro")
    yield pytest.param(pyro, models.chain, *first, id="pyro")
    yield pytest.param(numpyro, models.scanned, *first, id="scan")
    second = (models.second_order_listed, models.SECOND_ORDER)
    yield pytest.param(numpyro, models.second_order, *second, id="scan-of-two")


@pytest.mark.parametrize(("b", "model", "lists", "shapes"), list(chains()))
def test_steps_of_a_sequence_are_conditional_on_others(b, model, lists, shapes):
    n = 5
    y, draws = rng().normal(size=n), models.draws_of(rng(), S, **shapes)
    read = b.read(model, (y,), draws)
    listed = [lists({k: v[s] for k, v in draws.items()}, y) for s in range(S)]
    for given in ("others", "previous"):
        got = pointwise(read, draws, given)
        want = np.array([one.conditionals(given) for one in listed])
        found = [got.values[f"y{i}"] for i in range(n)] if "y0" in got.values else got.values["y"].T
        np.testing.assert_allclose(np.transpose(found), want, **EXACT)
        assert set(got.conditional) == set(got.values)
    whole = [one.log_p([True] * n) for one in listed]
    np.testing.assert_allclose(np.sum(found, axis=0), whole, **EXACT)  # of the ones before


@pytest.mark.parametrize(("b", "model", "lists", "shapes"), list(chains()))
def test_states_of_a_sequence_have_their_posterior(b, model, lists, shapes):
    n = 5
    y, draws = rng().normal(size=n), models.draws_of(rng(), S, **shapes)
    read = b.read(model, (y,), draws)
    found = discrete_posterior(read, draws, rng(), most_probable=True)
    in_steps = "x" in found.probabilities
    p = found.probabilities["x"] if in_steps else [found.probabilities[f"x{i}"] for i in range(n)]
    each = [lists({k: v[s] for k, v in draws.items()}, y) for s in range(S)]
    states = np.array(each[0].states)
    weights = np.array([one.posterior() for one in each])
    np.testing.assert_allclose(np.asarray(p)[:, 1], weights.mean(0) @ states, **EXACT)
    x = found.draws["x"] if in_steps else np.stack([found.draws[f"x{i}"] for i in range(n)], 1)
    np.testing.assert_array_equal(x, states[weights.argmax(1)])


def test_draws_of_states_have_their_joint_distribution():
    b, n = BACKENDS["pyro"], 3
    y, one = rng().normal(size=n), models.draws_of(rng(), 1, **models.CHAIN)
    many = 4000
    draws = {k: np.repeat(v, many, 0) for k, v in one.items()}
    found = discrete_posterior(b.read(models.chain, (y,), draws), draws, rng())
    x = np.stack([found.draws[f"x{i}"] for i in range(n)], 1)
    counts = np.bincount(x @ [4, 2, 1], minlength=8)
    p = models.chain_listed({k: v[0] for k, v in one.items()}, y).posterior()
    # Fails once in a million seeds.
    assert stats.chisquare(counts, many * p).pvalue > 1e-6


@both
@pytest.mark.parametrize("name", ["shared", "common"])
def test_rows_under_a_state_that_they_share_are_conditional_on_others(b, name):
    model, listed = getattr(models, name), getattr(models, f"{name}_listed")
    y, draws = rng().normal(size=4), models.draws_of(rng(), S, **getattr(models, name.upper()))
    read = b.read(model, (y,), draws)
    for given in ("others", "previous"):
        got = pointwise(read, draws, given)
        assert got.plates == {"y": ("rows",)}
        assert got.conditional == ("y",)
        for s in range(S):
            want = listed({k: v[s] for k, v in draws.items()}, y).conditionals(given)
            np.testing.assert_allclose(got.values["y"][s], want, **EXACT)
    p = discrete_posterior(read, draws, rng(), by_draw=True).by_draw["g"]
    for s in range(S):
        one = listed({k: v[s] for k, v in draws.items()}, y)
        want = one.posterior() @ (np.array(one.states)[:, 0] == 1)
        np.testing.assert_allclose(p[s, 1], want, **EXACT)


@both
def test_what_is_impossible_counts_as_such(b):
    def model(b, y):
        m = b.sample("m", b.dist.Normal(0.0, 1.0))
        g = b.sample("g", b.dist.Bernoulli(0.25))
        with b.plate("rows", len(y)):
            # Uniform from m - 10 to m + 10 in state 0, to m in state 1.
            high = m + 10.0 * (1 - g)
            inside = (y > m - 10.0) & (y < high)
            log_p = b.where(inside, -math.log(20.0) + math.log(2.0) * g, -math.inf)
            b.sample("y", b.dist.Unit(log_p), obs=y[:, None][:, :0])

    draws = {"m": np.zeros(1)}
    (got,) = pointwise(b.read(model, (np.array([-1.0, -1.0, 5.0]),), draws), draws).values["y"]
    within_1 = 0.75 / 20**2 + 0.25 / 10**2  # of the two rows that say nothing
    np.testing.assert_allclose(got[2], math.log(0.75 / 20**3 / within_1), **EXACT)
    np.testing.assert_allclose(got[:2], math.log(1 / 20), **EXACT)
    far = pointwise(b.read(model, (np.array([-1.0, 25.0]),), draws), draws)
    assert np.isneginf(far.values["y"]).all()


@both
@pytest.mark.parametrize("whole", [True, False])
def test_a_plate_that_subsamples_takes_all_rows_that_it_is_given(b, whole):
    y, draws = rng().normal(size=6), models.draws_of(rng(), S, p=(2,), m=(2,))

    def model(b, y):
        t = models.given_draws(b, {"p": (2,), "m": (2,)})
        with b.plate("rows", 6, subsample_size=3) as rows:
            z = b.sample("z", b.dist.Categorical(t["p"]))
            b.sample("y", b.dist.Normal(t["m"][z], 1.0), obs=y[rows] if whole else y)

    given = y if whole else y[:3]
    got = pointwise(b.read(model, (given,), draws), draws).values["y"]
    p = draws["p"][:, None] * stats.norm.pdf(given[:, None], draws["m"][:, None])
    np.testing.assert_allclose(got, np.log(p.sum(-1)), **EXACT)


@both
def test_a_model_without_discrete_sites_has_the_densities_of_its_values(b):
    x, y = rng().normal(size=(2, 4))

    def model(b, x, y):
        m = b.sample("m", b.dist.Normal(0.0, 1.0))
        b.sample("free", b.dist.Normal(m, 1.0), obs=y)
        with b.plate("rows", 4):
            b.sample("y", b.dist.Normal(m * x, 1.0), obs=y)

    draws = {"m": rng().normal(size=S)}
    got = pointwise(b.read(model, (x, y), draws), draws)
    m = draws["m"][:, None]
    np.testing.assert_allclose(got.values["y"], stats.norm.logpdf(y, m * x), **EXACT)
    np.testing.assert_allclose(got.values["free"], stats.norm.logpdf(y, m), **EXACT)
    assert got.plates["y"] == ("rows",)
    assert got.conditional == ()


def test_a_model_of_pyro_that_branches_on_a_value_is_run_draw_by_draw():
    import pyro

    b, y = BACKENDS["pyro"], rng().normal(size=3)

    def model(b, y):
        m = b.sample("m", b.dist.Normal(0.0, 1.0))
        scale = 1.0 if m > 0 else 2.0
        with b.plate("rows", 3):
            z = b.sample("z", b.dist.Bernoulli(0.5), infer={"enumerate": "sequential"})
            mean = pyro.deterministic("mean", m * z)
            b.sample("y", b.dist.Normal(mean, scale), obs=y)

    draws = {"m": np.array([-1.0, 1.0])}
    values = pointwise(b.read(model, (y,), draws), draws).values
    assert set(values) == {"y"}
    got = values["y"]
    m, scale = draws["m"][:, None], [[2.0], [1.0]]
    want = (stats.norm.pdf(y, 0, scale) + stats.norm.pdf(y, m, scale)) / 2
    np.testing.assert_allclose(got, np.log(want), **EXACT)


def test_draws_are_taken_in_blocks(monkeypatch):
    b, (args, draws) = BACKENDS["pyro"], columns()
    read = b.read(models.two_columns, args, draws)
    whole = pointwise(read, draws).values["joint"]
    monkeypatch.setattr(enumerated, "_BLOCK", read.bytes_of_a_draw)
    assert len(list(read.blocks(draws))) == S
    np.testing.assert_array_equal(pointwise(read, draws).values["joint"], whole)
    found = discrete_posterior(read, draws, rng(), by_draw=True)
    np.testing.assert_allclose(found.by_draw["z"].mean(0), found.probabilities["z"], **EXACT)


@both
def test_tables_that_do_not_fit_are_refused_before_they_are_made(b):
    def model(b, y):
        m = b.sample("m", b.dist.Normal(0.0, 1.0))
        with b.plate("rows", len(y)):
            p = b.array(np.full(64, 1 / 64))
            total = sum(b.sample(f"z{i}", b.dist.Categorical(p)) for i in range(3))
            b.sample("y", b.dist.Normal(m + 1.0 * total, 1.0), obs=y)

    draws = {"m": np.zeros(1)}
    read = b.read(model, (np.zeros(500_000),), draws)  # 1 TB of doubles
    with pytest.raises(InputError, match=r"262,144 states .*z0 \(64\).* of 500,000 entries.*parts"):
        pointwise(read, draws)


@both
def test_latents_that_cannot_be_listed_are_named(b):
    def counts(b, y):
        k = b.sample("k", b.dist.Poisson(2.0))
        b.sample("y", b.dist.Normal(1.0 * k, 1.0), obs=y)

    with pytest.raises(InputError, match=r"site 'k' .*Poisson.*finite"):
        b.read(counts, (np.zeros(()),), {})


@both
@pytest.mark.parametrize("in_rows", [True, False])
def test_continuous_sites_that_depend_on_states_say_something_of_them(b, in_rows):
    shapes = {"p": (2,), "m": (2,)}
    y, draws = rng().normal(size=3), models.draws_of(rng(), S, **shapes)
    draws["x"] = rng().normal(size=(S, 3) if in_rows else S)

    def model(b, y):
        t = models.given_draws(b, shapes)

        def states():
            z = b.sample("z", b.dist.Categorical(t["p"]))
            return z, b.sample("x", b.dist.Normal(t["m"][z], 1.0))

        z, x = (None, None) if in_rows else states()
        with b.plate("rows", len(y)):
            z, x = states() if in_rows else (z, x)
            b.sample("y", b.dist.Normal(x + t["m"][z], 1.0), obs=y)

    read = b.read(model, (y,), draws)
    got = pointwise(read, draws)
    found = discrete_posterior(read, draws, rng(), by_draw=True).by_draw["z"]
    for s in range(S):
        p, m = draws["p"][s], draws["m"][s]
        x = draws["x"][s] * np.ones(3)
        of_x, of_y = stats.norm.pdf(x[:, None], m), stats.norm.pdf(y[:, None], x[:, None] + m)
        if in_rows:
            want = (p * of_x * of_y).sum(1) / (p * of_x).sum(1)
            states = p * of_x * of_y
        else:
            all_of = np.prod(of_y, axis=0)
            want = [(p * of_x[0] * all_of).sum() / (p * of_x[0] * all_of / v).sum() for v in of_y]
            states = p * of_x[0] * all_of
        np.testing.assert_allclose(got.values["y"][s], np.log(want), **EXACT)
        np.testing.assert_allclose(found[s], states / states.sum(-1, keepdims=True), **EXACT)
    if not in_rows:
        with pytest.raises(InputError, match="'x' depends on discrete sites"):
            pointwise(read, draws, "previous")


def test_states_that_numpyro_cannot_number_are_named():
    b = BACKENDS["numpyro"]

    def model(b, y):
        k = b.sample("k", b.dist.DiscreteUniform(2, 4))
        b.sample("y", b.dist.Normal(1.0 * k, 1.0), obs=y)

    with pytest.raises(InputError, match=r"'k' takes the values \[2, 3, 4\]"):
        b.read(model, (np.zeros(()),), {})


def test_what_is_given_is_one_of_two():
    model = BACKENDS["pyro"].read(models.common, (np.zeros(2),), common := commons())
    with pytest.raises(InputError, match="given is 'all'"):
        pointwise(model, common, "all")


def test_states_of_a_plate_are_not_depended_on_from_outside():
    factors = [
        Factor("z", None, "discrete", (Variable("z"),), ("rows",), (2, 3)),
        Factor("y", None, "observed", (Variable("z"),), (), (2,)),
    ]
    with pytest.raises(InputError, match=r"'y' depends on every entry of .*'z'.* in plate 'rows'"):
        groups_of(factors)


def test_nothing_global_is_left_behind():
    import torch
    from pyro.poutine.subsample_messenger import SubsampleMessenger

    b, (args, draws) = BACKENDS["pyro"], columns()
    usual, state = SubsampleMessenger._subsample, torch.random.get_rng_state()
    pointwise(b.read(models.two_columns, args, draws), draws)
    assert SubsampleMessenger._subsample is usual
    assert torch.get_default_dtype() is torch.float32
    assert torch.equal(torch.random.get_rng_state(), state)
