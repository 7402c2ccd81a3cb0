"""Walks through latent spaces that are known, and what continuity and completeness say of them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from ppgen.analysis.codes import codes_by
from ppgen.analysis.completeness import Acceptance, completeness
from ppgen.analysis.continuity import continuity, jump_ratios, nearer_than_random
from ppgen.analysis.latent_map import latent_map, manifold
from ppgen.analysis.latents import arithmetic, interpolate, path, traverse
from ppgen.errors import InputError
from ppgen.study.latent_text import spread_text, unless_blank

from .linear_latents import Generator, Linear, WithPrior


def table(n=300, seed=0, d=4, k=3):
    rng = np.random.default_rng(seed)
    axes = np.random.default_rng(99).normal(size=(k, d)) * np.array([4.0, 2.0, 1.0])[:k, None]
    return rng.normal(size=(n, k)) @ axes + 10


def images(n=200, seed=0):
    return table(n, seed, d=12).reshape(n, 3, 2, 2)


def frame(n=100):
    return pd.DataFrame(table(n), columns=list("abcd"))


def test_traversal_moves_one_latent_at_a_time():
    model = WithPrior(images(), k=3)
    found = traverse(model, dims=[2, 0], span=(-1, 2), steps=4)
    assert found.shape == (2, 4)
    assert found.images.shape == (2, 4, 3, 2, 2)
    assert found.values.tolist() == [[-1, 0, 1, 2]] * 2
    assert found.codes[0].tolist() == [[0, 0, v] for v in (-1, 0, 1, 2)]
    flat = found.images.reshape(2, 4, -1)
    # A linear decoder moves by its own axis at each step.
    steps = np.diff(flat, axis=1)
    assert steps[0] == pytest.approx(np.tile(model.axes[2], (3, 1)))
    assert steps[1] == pytest.approx(np.tile(model.axes[0], (3, 1)))
    assert np.isnan(found.activity).all()


def test_traversal_starts_from_a_row():
    X = table()
    model = WithPrior(X, k=3)
    for row in (X[5], X[5:6], X[5].tolist()):
        found = traverse(model, row, steps=3)
        held = model.encode(X[5:6])[0]
        assert found.codes[1, :, [0, 2]] == pytest.approx(held[[0, 2], None] * np.ones(3))
    image = images()
    found = traverse(WithPrior(image, k=2), image[3], steps=3)
    assert found.shape == (2, 3)


def test_the_most_active_latent_comes_first():
    X = table()
    model = WithPrior(X, k=3)
    model.axes = model.axes * np.array([1.0, 0.1, 0.5])[:, None]  # codes vary 1, 10 and 2
    found = traverse(model, X=X, steps=3)
    assert found.dims == (1, 2, 0)
    assert np.sqrt(found.activity) == pytest.approx([10, 2, 1], rel=1e-6)
    assert traverse(model, X=X, dims=2).dims == (1, 2)
    assert traverse(model, X=X, dims=[0, 1]).dims == (0, 1)
    spread = traverse(model, X=X, unit="std", span=(-2, 2), steps=5)
    assert spread.values[0] == pytest.approx(10 * np.linspace(-2, 2, 5), abs=1e-6)


def test_without_a_prior_the_mean_code_is_the_middle():
    X = table()
    model = Linear(X, k=2)
    model.mean = model.mean + 3 * model.axes[0]  # the mean code is (-3, 0)
    found = traverse(model, X=X, dims=[1], steps=3)
    assert found.codes[0, :, 0] == pytest.approx(-3 * np.ones(3))
    with pytest.raises(InputError, match="give `at`, a row, or X"):
        traverse(model)


def test_tables_come_back_in_their_container():
    X = frame()
    model = WithPrior(X, k=2)
    found = traverse(model, X.iloc[[0]], steps=5)
    assert list(found.rows.columns) == list("abcd")
    assert len(found.rows) == 10
    assert found.columns["c"].shape == (2, 5)
    assert found.columns["c"][1] == pytest.approx(found.rows["c"].to_numpy()[5:])
    with pytest.raises(InputError, match=r"use `\.columns`"):
        _ = found.images
    with pytest.raises(InputError, match=r"use `\.images`"):
        _ = traverse(WithPrior(images())).columns


def test_interpolation_ends_at_the_rows_codes():
    X = table()
    model = WithPrior(X, k=3)
    for how in ("linear", "spherical"):
        found = interpolate(model, X[0], X[1], steps=5, how=how)
        assert found.codes[[0, -1]] == pytest.approx(model.encode(X[:2]))
        assert found.rows.shape == (5, 4)
    a, b = model.encode(X[:2])
    same = interpolate(model, a, b, steps=5, codes=True)
    assert same.codes == pytest.approx(np.linspace(a, b, 5))


def test_the_spherical_path_turns_evenly_and_keeps_its_length():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6))
    a, b = 2 * a / np.linalg.norm(a), 2 * b / np.linalg.norm(b)
    found = path(a, b, steps=7, how="spherical")
    assert np.linalg.norm(found, axis=1) == pytest.approx(2 * np.ones(7))
    turns = np.einsum("ij,ij->i", found[1:], found[:-1]) / 4
    assert np.arccos(turns) == pytest.approx(np.arccos(a @ b / 4) / 6 * np.ones(6))
    longer = path(a, 3 * b, steps=5, how="spherical")
    assert np.linalg.norm(longer, axis=1) == pytest.approx([2, 3, 4, 5, 6])
    quarter = path([1.0, 0.0], [0.0, 1.0], steps=3, how="spherical")
    assert quarter[1] == pytest.approx([np.sqrt(0.5)] * 2)


@pytest.mark.parametrize("b", [[2.0, 4.0], [-1.0, -2.0], [0.0, 0.0], [1.0, 2.0 + 1e-9]], ids=str)
def test_codes_on_one_line_are_joined_straight(b):
    a = np.array([1.0, 2.0])
    assert path(a, b, steps=4, how="spherical") == pytest.approx(np.linspace(a, b, 4))


def test_arithmetic_adds_the_difference_of_group_means():
    rng = np.random.default_rng(0)
    X = table(200)
    direction = np.array([1.0, -2.0, 0.5, 1.0])
    model = WithPrior(np.concatenate([X, X + direction]), k=4)
    to = rng.normal(size=(7, 4)) + 10
    found = arithmetic(model, X + direction, X, to, scale=1.5)
    assert found.shape == (7,)
    assert found.rows == pytest.approx(to + 1.5 * direction)
    assert arithmetic(model, X, X + direction, to).rows == pytest.approx(to - direction)


def test_what_only_decodes_walks_among_codes():
    model = Generator(table(), k=3)
    a, b = model.sample_latents(2, 0)
    found = interpolate(model, a, b, steps=5, how="spherical", codes=True)
    assert found.codes == pytest.approx(path(a, b, steps=5, how="spherical"))
    assert found.rows == pytest.approx(found.codes @ model.axes + model.mean)
    several = model.sample_latents(6, 1)
    mean = interpolate(model, several[:3], several[3:], steps=2, codes=True)
    assert mean.codes == pytest.approx(np.stack([several[:3].mean(0), several[3:].mean(0)]))
    moved = arithmetic(model, several[:3], several[3], several[4:], scale=2.0, codes=True)
    expected = several[4:] + 2 * (several[:3].mean(0) - several[3])
    assert moved.codes == pytest.approx(expected)
    walk = traverse(model, a, dims=[1], span=(-1, 1), steps=3, codes=True)
    assert walk.codes[0].tolist() == [[a[0], v, a[2]] for v in (-1.0, 0.0, 1.0)]
    assert traverse(model, steps=3).codes[0, :, 1:].tolist() == [[0, 0]] * 3
    ordered = traverse(model, X=several * [1, 3, 2], steps=2, dims=1, codes=True)
    assert ordered.dims == (int(np.argmax(np.var(several * [1, 3, 2], axis=0))),)


def test_codes_are_drawn_in_groups_by_what_is_said_of_their_rows():
    model = Generator(table(), k=3)
    groups = codes_by(model, lambda rows: np.where(rows[:, 0] > 10, "high", "low"), n=40)
    assert list(groups) == ["high", "low"]
    assert sum(map(len, groups.values())) == 40
    assert (model.decode(groups["high"])[:, 0] > 10).all()
    again = codes_by(model, lambda rows: rows[:, 0] > 10, n=40)
    assert again[True].tolist() == groups["high"].tolist()
    moved = arithmetic(model, groups["high"], groups["low"], groups["low"], codes=True)
    assert moved.rows[:, 0].mean() == pytest.approx(model.decode(groups["high"])[:, 0].mean())


def test_a_map_of_two_latents_is_the_codes():
    X = table()
    model = Linear(X, k=2)
    found = latent_map(model, X)
    assert found.exact
    assert found.points == pytest.approx(model.encode(X))
    assert found.explained.sum() == pytest.approx(1)
    assert found.codes(found.points) == pytest.approx(found.points)


def test_a_map_of_more_latents_is_their_principal_plane():
    X = table()
    model = Linear(X, k=3)
    model.axes = model.axes * np.array([1.0, 0.1, 0.5])[:, None]
    found = latent_map(model, X)
    assert not found.exact
    assert found.explained == pytest.approx([100 / 105, 4 / 105], rel=1e-6)
    assert found.points.var(axis=0) == pytest.approx([100, 4], rel=1e-6)
    assert found.codes([[0, 0]])[0] == pytest.approx(model.encode(X).mean(axis=0))
    assert found.axes.max(axis=1) == pytest.approx(np.abs(found.axes).max(axis=1))


def test_the_manifold_stands_at_quantiles_upwards_and_to_the_right():
    from scipy.stats import norm

    found = manifold(WithPrior(images(), k=2), side=5)
    assert found.images.shape == (5, 5, 3, 2, 2)
    expected = norm.ppf((np.arange(5) + 0.5) / 5)
    assert found.codes[0, :, 0] == pytest.approx(expected, abs=0.05)
    assert found.codes[:, 0, 1] == pytest.approx(expected[::-1], abs=0.05)
    X = table()
    grid = manifold(Linear(X, k=2), X=X, side=3)
    assert grid.codes[1, 1] == pytest.approx(np.median(Linear(X, k=2).encode(X), axis=0))


def test_labels_are_repeated_for_every_row():
    X = table()
    model = WithPrior(X, k=2)
    traverse(model, X[0], X=X[:20], y=7, steps=3)
    assert {len(y) for _, y in model.calls} == {1, 20, 6}
    assert all((np.asarray(y) == 7).all() for _, y in model.calls)
    model.calls.clear()
    interpolate(model, X[0], X[1], y={"kind": ["a"], "size": [1.0]}, steps=4)
    assert model.calls[-1][1]["kind"].tolist() == ["a"] * 4
    with pytest.raises(InputError, match="y has 3 rows; expected one for all, or 20"):
        latent_map(model, X[:20], [1, 2, 3])


X = table()
MODEL = WithPrior(X, k=3)
GENERATOR = Generator(X, k=3)
WRONG = {
    "dims": (lambda: traverse(MODEL, dims=[0, 3]), "among 0 to 2"),
    "negative dims": (lambda: traverse(MODEL, dims=[-1]), "among 0 to 2"),
    "fractions of dims": (lambda: traverse(MODEL, dims=[0.5]), "among 0 to 2"),
    "no dims": (lambda: traverse(MODEL, dims=0), "dims is 0"),
    "span": (lambda: traverse(MODEL, span=(1, 1)), "two different numbers"),
    "steps": (lambda: traverse(MODEL, steps=1), "steps is 1; expected an integer >= 2"),
    "unit": (lambda: traverse(MODEL, unit="sd"), "unit is 'sd'; expected one of latent, std"),
    "std of nothing": (lambda: traverse(MODEL, unit="std"), "give X"),
    "two rows": (lambda: traverse(MODEL, X[:2]), "at has 2 rows; give one"),
    "no latents": (lambda: latent_map(object(), X), "no latent space"),
    "how": (lambda: interpolate(MODEL, X[0], X[1], how="round"), "one of linear, spherical"),
    "short code": (lambda: interpolate(MODEL, [1.0], [2.0], codes=True), "the model has 3"),
    "rows of what only decodes": (lambda: interpolate(GENERATOR, X[0], X[1]), "codes=True"),
    "map of what only decodes": (lambda: latent_map(GENERATOR, X), "gives rows no codes"),
    "told of nothing": (
        lambda: interpolate(MODEL, X[0], X[1], given={"size": 1.0}),
        "told no columns",
    ),
    "no codes": (lambda: interpolate(object(), [1.0], [2.0], codes=True), "no latent space"),
    "codes of others": (
        lambda: arithmetic(GENERATOR, [1.0], [1.0], [2.0], codes=True),
        "plus is codes of 1 latents; the model has 3",
    ),
    "codes of two": (
        lambda: arithmetic(Linear(X), [1.0], [1.0, 2.0], [2.0], codes=True),
        "codes of 1 and 2 latents",
    ),
    "no prior to group": (lambda: codes_by(Linear(X), len), "no prior to draw codes from"),
    "no labels": (lambda: codes_by(GENERATOR, len), r"shape \(\) for 500 rows"),
    "codes apart": (lambda: path([1.0], [1.0, 2.0], steps=3), "a has 1 latents, b has 2"),
    "nan": (lambda: path([np.nan], [1.0], steps=3), "finite"),
    "no group": (lambda: arithmetic(MODEL, X[:0], X, X), "plus has no rows"),
    "scale": (lambda: arithmetic(MODEL, X, X, X, scale=np.nan), "scale is nan"),
    "map of one": (lambda: latent_map(Linear(X, k=1), X), "2 latents"),
    "manifold of three": (lambda: manifold(MODEL), "3 latents"),
    "manifold of no prior": (lambda: manifold(Linear(X, k=2)), "give X"),
    "side": (lambda: manifold(MODEL, side=1), "side is 1; expected an integer >= 2"),
    "draws": (lambda: continuity(MODEL, X, draws="any"), "one of prior, gaussian, codes"),
    "no prior": (lambda: continuity(Linear(X), X, draws="prior"), "has no prior"),
    "no step": (lambda: continuity(MODEL, X, step=0), "positive step"),
    "alpha": (lambda: completeness(MODEL, X, X, accept=Acceptance(alpha=0)), "above 0"),
    "few rows": (lambda: completeness(MODEL, X, X[:30]), "at least 40"),
    "no sample": (lambda: completeness(Linear(X), X, X, draws="sampled"), "no `sample`"),
}


@pytest.mark.parametrize(("call", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(call, says):
    with pytest.raises(InputError, match=says):
        call()


def test_a_smooth_decoder_is_continuous_and_moves_evenly():
    found = continuity(WithPrior(table(), k=3), table())
    assert found.draws == "prior"
    assert found.value > 0.99
    assert 0 < found.stderr < 0.01
    assert found.jump == pytest.approx(1)
    assert found.largest_jump == pytest.approx(1)
    assert "continuity 0.99" in str(found) or "continuity 1.0" in str(found)
    assert json.loads(json.dumps(found.to_json()))["chance"] == 0.5


class Scrambled(WithPrior):
    """Decodes a code to a row that has nothing to do with it, the same one each time."""

    def decode(self, Z, y=None):
        grain = np.abs(np.sin(1e7 * np.asarray(Z).sum(axis=1)))
        random = (1e6 * grain[:, None] * np.arange(1, 1 + len(self.axes))) % 1
        return super().decode(6 * random - 3)


class Constant(WithPrior):
    def decode(self, Z, y=None):
        return super().decode(np.zeros_like(Z))


class Jump(WithPrior):
    def decode(self, Z, y=None):
        return super().decode(5 * np.sign(Z))


def test_a_scrambled_and_a_constant_decoder_are_at_chance():
    found = continuity(Scrambled(table(), k=3), table())
    assert abs(found.value - 0.5) < 5 * found.stderr
    assert found.jump > 1.5
    still = continuity(Constant(table(), k=3), table(), n=50)
    assert still.value == 0.5
    assert still.jump == 1.0


class Blank(WithPrior):
    """Decodes all codes to nearly the same row, and smoothly."""

    def decode(self, Z, y=None):
        return super().decode(1e-3 * np.asarray(Z))


@pytest.mark.parametrize("rows", [table, images])
def test_what_a_blank_decoder_reaches_is_no_success(rows):
    model = Blank(rows(), k=3)
    near, whole = continuity(model, rows(), n=50), completeness(model, rows(), rows(seed=1))
    assert near.value > 0.95
    assert whole.value == 1.0
    for found in (near, whole):
        assert found.spread == pytest.approx(1e-6, rel=0.5)
        assert "says nothing; blank: draws decode to one and the same row" in str(found)
        assert "1.0" not in str(found)
        assert unless_blank(found.to_json(), "value") == "blank"
    good = continuity(WithPrior(rows(), k=3), rows(), n=200)
    assert good.spread == pytest.approx(1.0, abs=0.2)
    assert unless_blank(good.to_json(), "value").startswith(("0.99", "1.0"))


def test_scores_of_an_earlier_version_have_no_spread():
    assert unless_blank({"value": 1.0, "stderr": 0.0}, "value") == "1.000"
    assert spread_text({"value": 1.0, "stderr": 0.0}) == ""


def test_jumps_are_found():
    found = continuity(Jump(table(), k=1), table(), paths=(30, 16), seed=3)
    # A path either stays on its side, or crosses in one of sixteen steps.
    assert found.largest_jump == pytest.approx(16)
    assert 1 < found.jump < 16
    paths = np.array([[[0.0], [1], [2], [3]], [[0], [0], [3], [3]], [[2], [2], [2], [2]]])
    assert jump_ratios(paths).tolist() == [1, 3, 1]


def test_the_standard_error_of_continuity_is_its_spread():
    rng = np.random.default_rng(0)

    def once():
        here = rng.normal(size=(60, 2))
        return nearer_than_random(here, here + 0.7 * rng.normal(size=(60, 2)))

    found = np.array([once() for _ in range(300)])
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.2)


@pytest.mark.parametrize("draws", [None, "sampled"])
def test_draws_of_the_right_law_are_accepted_as_real_rows_are(draws):
    found = completeness(WithPrior(table(), k=3), table(), table(300, 1), draws=draws)
    assert found.control == pytest.approx(0.95, abs=4 * 0.05)
    assert abs(found.control - 0.95) < 0.04
    assert abs(found.value - 0.95) < 4 * found.stderr + 0.01
    assert 0.005 < found.stderr < 0.05
    assert found.n_held_out == 300
    assert "real rows 0.9" in str(found)
    assert json.loads(json.dumps(found.to_json()))["draws"] == (draws or "prior")


def test_draws_that_no_row_is_like_are_turned_away():
    class Wide(WithPrior):
        def sample_latents(self, n, random_state=None):
            return 10 * super().sample_latents(n, random_state)

    found = completeness(Wide(table(), k=3), table(), table(300, 1))
    assert found.value < 0.1
    assert found.control > 0.9


def test_the_space_between_two_groups_is_found_empty():
    """A Gaussian of the codes of two far groups decodes mostly to neither."""
    rng = np.random.default_rng(0)

    def groups(n):
        return rng.normal(size=(n, 2)) + np.where(rng.random(n) < 0.5, 40.0, -40.0)[:, None]

    train, other = groups(400), groups(200)
    model = Linear(train, k=2)
    between = completeness(model, train, other)
    onto = completeness(model, train, other, draws="codes")
    assert between.draws == "gaussian"
    assert between.value < 0.4
    assert onto.value > 0.9


def test_the_standard_error_of_completeness_is_its_spread():
    model = WithPrior(table(1000), k=3)
    found = [
        completeness(model, table(1000), table(100, s + 1), n=100, accept=Acceptance(0.2), seed=s)
        for s in range(60)
    ]
    values, errors = (np.array([getattr(f, a) for f in found]) for a in ("value", "stderr"))
    assert errors.mean() == pytest.approx(values.std(), rel=0.35)
    controls = np.array([f.control for f in found])
    assert abs(controls.mean() - 0.8) < 4 * controls.std() / np.sqrt(60) + 1 / 51


@pytest.mark.parametrize("whole", [False, True])
def test_images_are_judged_too(whole):
    train, other = images(), images(200, 1)
    if whole:  # decoded pixels lie between the levels
        train, other = (np.clip(20 * x, 0, 255).astype(np.uint8) for x in (train, other))
    model = WithPrior(train, k=3)
    assert completeness(model, train, other).value > 0.85
    assert continuity(model, train, n=100, paths=(5, 32)).value > 0.95
    assert traverse(model, X=train).images.shape == (3, 9, 3, 2, 2)


def test_same_seed_same_scores():
    model = WithPrior(table(), k=3)
    one, two, other = (continuity(model, table(), n=50, paths=(5, 32), seed=s) for s in (1, 1, 2))
    assert one == two
    assert one != other
    a, b, c = (completeness(model, table(), table(100, 1), n=50, seed=s) for s in (1, 1, 2))
    assert a == b
    assert a != c
