"""GANs of tables: margins, dependence, columns that are told."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import ppgen
from ppgen import GAN, InputError
from ppgen.cli import app
from ppgen.cli.options import settings
from ppgen.models.gan import looked as at_samples
from ppgen.models.nets.told import Told
from ppgen.models.nets.values import Values

from .zoo import mixed

SMALL: dict[str, Any] = {"hidden": (32, 32), "random_state": 0}


@pytest.fixture(scope="module")
def told() -> GAN:
    """Told species and visits of 300 birds; one species is rare."""
    birds = pd.DataFrame(mixed(300))
    birds.loc[birds.species == "Gentoo", "shift"] += 30.0
    kept = (birds.species != "Gentoo") | (birds.index % 8 == 0)
    model = GAN(
        **SMALL, condition_on=("species", "visits"), max_epochs=60, learning_rate=3e-3, latent_dim=8
    )
    return model.fit(birds[kept].reset_index(drop=True))


@pytest.fixture(scope="module")
def plain() -> GAN:
    return GAN(**SMALL, max_epochs=5).fit(mixed(400))


def test_samples_have_the_margins_of_the_rows(plain: GAN) -> None:
    rows, drawn = mixed(400), plain.sample(4000)
    for name in ("species", "ringed"):
        levels, counts = np.unique(rows[name], return_counts=True)
        shares = [np.mean(drawn[name] == level) for level in levels]
        np.testing.assert_allclose(shares, counts / 400, atol=0.06)  # a tenth was held out
    for name in ("length", "shift", "visits"):
        wanted, found = (np.quantile(part[name], [0.1, 0.5, 0.9]) for part in (rows, drawn))
        np.testing.assert_allclose(found, wanted, atol=0.2 * np.std(rows[name]))
        assert rows[name].min() - 1e-9 <= drawn[name].min()
        assert drawn[name].max() <= rows[name].max() + 1e-9
        assert drawn[name].dtype == rows[name].dtype


def test_a_row_decoded_depends_on_its_code_alone(plain: GAN) -> None:
    z = plain.sample_latents(30)
    rows, other = (pd.DataFrame(plain.decode(part)) for part in (z, z[::-1][:7]))
    pd.testing.assert_frame_equal(rows[::-1][:7].reset_index(drop=True), other)
    assert rows["species"].nunique() > 1


def test_y_is_a_function_of_x_in_samples_if_it_is_in_the_rows() -> None:
    x = np.random.default_rng(0).normal(size=600)
    y = np.where(x > 0, x, -0.5 * x)
    model = GAN(
        hidden=(32, 32),
        latent_dim=2,
        batch_size=64,
        learning_rate=3e-3,
        max_epochs=60,
        random_state=0,
    ).fit({"x": x, "y": y})
    drawn = model.sample(1000)
    off = drawn["y"] - np.where(drawn["x"] > 0, drawn["x"], -0.5 * drawn["x"])
    assert np.median(np.abs(off)) < 0.2 * np.std(y)


@pytest.mark.parametrize("columns", [("species", "ringed"), ("length", "shift")])
def test_columns_may_be_all_of_one_kind(columns: tuple[str, ...]) -> None:
    rows = {name: mixed()[name] for name in columns}
    drawn = GAN(**SMALL, max_epochs=1).fit(rows).sample(10)
    assert list(drawn) == list(columns)
    if "species" in columns:
        assert set(drawn["species"]) <= set(rows["species"])
    else:
        assert np.std(drawn["length"]) > 0


def test_given_columns_are_held_and_the_rest_follows(told: GAN) -> None:
    far = told.sample(200, {"species": "Gentoo", "visits": 30})
    near = told.sample(200, {"species": "Adelie", "visits": 20})
    assert (far["species"] == "Gentoo").all()
    assert (far["visits"] == 30).all()
    assert (far["shift"] > 20).mean() > 0.7  # of 12 rows of 212 that were trained on
    assert (near["shift"] < 10).mean() > 0.9


def test_columns_that_are_not_given_are_those_of_rows_that_match(told: GAN) -> None:
    some = told.sample(300, {"species": "Adelie"})
    assert (some["species"] == "Adelie").all()
    assert some["visits"].nunique() > 5
    every = told.sample(1000)
    assert 0.02 < (every["species"] == "Gentoo").mean() < 0.12


def test_walks_through_the_noise_hold_what_is_given(told: GAN) -> None:
    a, b = told.sample_latents(2, random_state=1)
    given = {"species": "Gentoo", "visits": 30}
    walk = ppgen.interpolate(told, a, b, codes=True, steps=5, given=given).columns
    assert (walk["species"] == "Gentoo").all()
    assert (walk["visits"] == 30).all()
    assert len(np.unique(walk["shift"])) == 5
    z = told.sample_latents(4)
    sums = ppgen.arithmetic(told, a, b, z, codes=True, given={"species": "Adelie"}).columns
    assert (sums["species"] == "Adelie").all()
    for columns in (sums, ppgen.interpolate(told, a, b, codes=True).columns):
        assert len(np.unique(columns["visits"])) == 1  # of one row fitted
    other = told.decode(z, given={"species": "Gentoo", "visits": 30})
    assert (
        other["shift"] > told.decode(z, given={"species": "Adelie", "visits": 30})["shift"]
    ).all()


def test_one_column_may_be_named_alone() -> None:
    one, several = (
        GAN(**SMALL, max_epochs=1, condition_on=asked).fit(mixed(100))
        for asked in ("species", ["species"])
    )
    rows = one.sample(20, {"species": "Adelie"}, random_state=0)
    assert (rows["species"] == "Adelie").all()
    again = several.sample(20, {"species": "Adelie"}, random_state=0)
    assert all((rows[name] == again[name]).all() for name in rows)


def test_what_cannot_be_given_says_what_can(told: GAN, plain: GAN) -> None:
    with pytest.raises(InputError, match="given shift, and this fit is conditional on visits, sp"):
        told.sample(1, {"shift": 1.0})
    with pytest.raises(InputError, match="Did you mean 'species'"):
        told.sample(1, {"spices": "Adelie"})
    with pytest.raises(InputError, match="expected values by column"):
        told.sample(1, ["species"])
    with pytest.raises(InputError, match="never saw"):
        told.sample(1, {"species": "Emperor"})
    for gap in (np.nan, None):
        with pytest.raises(InputError, match="the value given of visits is missing"):
            told.sample(1, {"species": "Adelie", "visits": gap})
    with pytest.raises(InputError, match=r"hold columns fixed.*condition_on"):
        plain.decode(plain.sample_latents(1), given={"species": "Adelie"})
    with pytest.raises(InputError, match=r"hold columns fixed.*condition_on"):
        plain.sample(1, {"species": "Adelie"})


@pytest.mark.parametrize("more", [{}, {"species": "Gentoo"}])
def test_a_value_far_beyond_those_seen_is_held_with_a_warning(
    told: GAN, more: dict[str, str]
) -> None:
    with pytest.warns(UserWarning, match="visits = 400 is far beyond the values seen") as said:
        rows = told.sample(20, {"visits": 400, **more}, random_state=0)
    assert len(said) == 1
    assert (rows["visits"] == 400).all()
    assert set(rows["species"]) <= {"Adelie", "Chinstrap", "Gentoo"}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("spices",), "Did you mean 'species'"),
        (("site",), "site, of one value"),
        (("species", "length"), "nothing is left"),
        ("spices", "Did you mean 'species'"),
        (("species", "species"), "expected None, a column or several"),
    ],
)
def test_columns_that_nothing_can_be_conditional_on_are_refused(asked: Any, said: str) -> None:
    rows = mixed()
    rows = {"species": rows["species"], "length": rows["length"], "site": np.full(200, "north")}
    with pytest.raises(InputError, match=said):
        GAN(condition_on=asked).fit(rows)


def test_held_out_rows_have_their_places_within_ties_drawn_as_samples_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[Any] = []
    monkeypatch.setattr(at_samples, "repeated", lambda *rows: looked.extend(rows))
    x = np.random.default_rng(0).normal(size=(600, 2))
    GAN(**SMALL, max_epochs=1).fit({"rain": np.where(x[:, 0] < 1, 0.0, x[:, 0]), "wind": x[:, 1]})
    _, seen, unseen, _ = looked
    for rows in (seen, unseen):  # five of six are dry: a point mass of no sample, were it one place
        values, counts = np.unique(rows[:, 0], return_counts=True)
        assert len(values) > 50
        assert counts.max() < 3


def test_columns_that_the_fit_is_told_and_y_are_not_mixed() -> None:
    rows = mixed()
    with pytest.raises(InputError, match="Put y among the columns"):
        GAN(condition_on=("species",), conditional=True).fit(rows, rows["ringed"])


def test_gaps_are_refused_by_name() -> None:
    rows = mixed()
    rows["length"][3] = np.nan
    with pytest.raises(InputError, match=r"GAN models no gaps, .*: 1 of 'length'"):
        GAN().fit(rows)


def test_a_saved_run_draws_the_same_and_is_given_columns_on_the_command_line(
    told: GAN, tmp_path: Path
) -> None:
    told.save(tmp_path / "run")
    again = ppgen.load(tmp_path / "run")
    pd.testing.assert_frame_equal(again.sample(50, random_state=1), told.sample(50, random_state=1))
    words = ["sample", str(tmp_path / "run"), "-n", "5", "--given", "species=Gentoo"]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0, said.output
    assert said.output.count("Gentoo") == 5
    words += ["--seed", "0", "--set", "refine=true", "--set", "refine_steps=3"]
    refined = CliRunner().invoke(app, words)
    drawn = again.sample(5, {"species": "Gentoo"}, refine=True, refine_steps=3, random_state=0)
    assert pd.read_csv(io.StringIO(refined.output))["length"].tolist() == drawn["length"].tolist()
    wrong = CliRunner().invoke(app, [*words[:4], "--set", "refien=true"])
    assert isinstance(wrong.exception, InputError)
    assert "it has refine, refine_steps. Did you mean 'refine'?" in str(wrong.exception)


def test_names_of_columns_need_no_quotes_on_the_command_line() -> None:
    for text, names in [
        ("species", "species"),
        ("species, visits", ["species", "visits"]),
        ('["a,b"]', ["a,b"]),
    ]:
        assert settings([f"condition_on={text}"], ["gan"])["gan"]["condition_on"] == names


def test_rows_kept_while_training_have_what_they_were_told(told: GAN) -> None:
    step, kept = told.sheets()[-1]
    rows = next(iter(kept.values())).columns
    assert step > 0
    assert set(rows["species"]) <= set(mixed()["species"])
    assert np.std(rows["length"]) > 0


def test_codes_decode_to_the_same_rows_wherever_they_stand(told: GAN) -> None:
    z = told.sample_latents(40, random_state=0)
    rows, turned = told.decode(z), told.decode(z[::-1])
    pd.testing.assert_frame_equal(rows[::-1].reset_index(drop=True), turned)
    assert rows["species"].nunique() == rows["visits"].nunique() == 1


def test_what_is_usual_is_the_commonest_levels_and_the_row_in_their_middle() -> None:
    rows = np.array([[5.0, 0], [1.0, 1], [2.0, 1], [9.0, 1], [7.0, np.nan]])
    shares = np.array([0.3, 0.2, 0.2, 0.2, 0.1])
    told = Told(("size", "kind"), Values(1, (2,)), rows, shares)
    assert told.usual().tolist() == [2.0, 1.0]
