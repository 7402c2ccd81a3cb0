"""Translations between two domains: fits, rows there and back, what is refused and what is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import ppgen
from ppgen import InputError, PairedTranslation
from ppgen.fitting import Fit
from ppgen.inference.learner import Outcome
from ppgen.models.translation import fitting, verdicts
from ppgen.models.translation.parted import Parted, joined
from ppgen.progress import Clock
from ppgen.rows import Rows, Target

from .interrupts import killed
from .zoo import ZOO, fitted, negatives, pictures

NAMES = "pix2pix", "cyclegan"


def colour(rows: Any) -> Any:
    """(n, 8, 8, 3) pictures in colour."""
    return np.stack([rows, 255 - rows, rows // 2], -1)


@pytest.mark.parametrize("name", NAMES)
def test_rows_come_back_as_the_domain_that_they_go_to_was_given(name: str, tmp_path: Path) -> None:
    x, y = pictures(40) / 255.0, colour(pictures(40, seed=1))
    model = ZOO[name]().fit(x[:, None].astype(np.float32), y)
    there, back = model.translate(x[:3, None]), model.translate_back(y[:5])
    assert (there.shape, there.dtype) == ((3, 8, 8, 3), np.uint8)
    assert (back.shape, back.dtype) == ((5, 1, 8, 8), np.float32)
    assert np.all((back >= 0) & (back <= 1))
    loaded = ppgen.load(model.save(tmp_path / "run"))
    np.testing.assert_array_equal(loaded.translate(x[:3, None]), there)
    np.testing.assert_array_equal(loaded.translate_back(y[:5]), back)
    data = ppgen.as_dataset(y[:5], model.target_.schema_)
    np.testing.assert_array_equal(loaded.translate_back(data), back)


def test_a_single_validation_row_of_a_domain_is_too_few_to_score_by() -> None:
    x, y = pictures(24), negatives(pictures(24, seed=1))
    model = ZOO["cyclegan"]().fit(x, y, validation=(x[:1] // 2, y[:1] // 2))
    assert all(record["validation"] is None for record in model.trace_)


@pytest.mark.parametrize("name", NAMES)
def test_a_translation_depends_on_its_row_alone(name: str) -> None:
    model, rows = fitted(name), pictures(6, seed=2)
    np.testing.assert_array_equal(model.translate(rows)[4:5], model.translate(rows[4:5]))


@pytest.mark.parametrize(("name", "killed_after"), [("pix2pix", 4), ("cyclegan", 2)])
def test_a_killed_fit_goes_on_bit_for_bit(
    name: str, killed_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = pictures(40), negatives(pictures(50 if name == "cyclegan" else 40, seed=1))
    model = ZOO[name]().set_params(max_epochs=5, batch_size=10, r1=0.1)
    make = fitting.schedule_for

    def each_epoch(*of: Any, **how: Any) -> Any:
        return replace(make(*of, **how), evaluate_every=1)

    monkeypatch.setattr(fitting, "schedule_for", each_epoch)
    whole = clone(model).fit(x, y)
    with killed(killed_after):
        clone(model).fit(x, y, checkpoint_dir=tmp_path)
    resumed = clone(model).fit(x, y, checkpoint_dir=tmp_path)
    assert len(resumed.trace_) < len(whole.trace_)
    expected = whole.nets_.arrays()
    for key, value in resumed.nets_.arrays().items():
        np.testing.assert_array_equal(value, expected[key])


def test_pairs_teach_which_picture_becomes_which() -> None:
    x = pictures(300)
    model = PairedTranslation(width=8, max_epochs=10, learning_rate=5e-3, random_state=0)
    model.fit(x, negatives(x))
    held = pictures(50, seed=5)
    wanted = negatives(held).astype(float)
    error = np.abs(model.translate(held) - wanted).mean()
    assert error < 0.6 * np.abs(wanted - negatives(x).mean(0)).mean()
    assert any("held-out pairs" in r.what for r in model.verdict_.reasons)


def test_each_evaluation_records_what_the_discriminators_say() -> None:
    for name, sides in (("pix2pix", "yx"), ("cyclegan", "xy")):
        last = fitted(name).trace_[-1]["measures"]
        for side in sides:
            assert {f"real {side}", f"fake {side}", f"told apart {side}"} <= set(last)
        assert {"discriminator gradient norm", "generator gradient norm"} <= set(last)


# Which rows are held out --------------------------------------------------------------------------


def parted(units: Any, others: Any, *, paired: bool) -> Parted:
    def rows(hashes: Any) -> Any:
        n = len(hashes)
        data = ppgen.data.Encoded(np.zeros((n, 1)), np.empty((n, 0)), np.zeros(n))
        return data, lambda: np.asarray(hashes, np.uint64)

    (x, of_x), (y, of_y) = rows(units), rows(others)
    fit = Fit(0, None, Clock(), units=of_x)  # type: ignore[arg-type]
    return Parted.of(Rows(x, target=Target(y, of_y)), fit, paired=paired)


def test_pairs_are_held_out_together_with_those_that_share_a_row() -> None:
    x, y = np.arange(100) // 2, np.arange(100) // 4 * 4 // 3
    both = parted(x, y, paired=True)
    assert both.held is not None
    held = set(both.held[0])
    np.testing.assert_array_equal(*both.held)
    np.testing.assert_array_equal(*both.seen)
    assert held.isdisjoint(both.seen[0])
    assert len(held) + len(both.seen[0]) == 100
    units = joined(x.astype(np.uint64), y.astype(np.uint64))
    assert set(units[list(held)]).isdisjoint(units[both.seen[0]])


def test_units_of_pairs_are_what_either_row_joins() -> None:
    first, second = [1, 1, 2, 3, 4], [7, 8, 8, 9, 9]
    found = joined(np.array(first, np.uint64), np.array(second, np.uint64))
    assert found[0] == found[1] == found[2] != found[3] == found[4]


def test_domains_without_pairs_are_held_out_by_their_own_units() -> None:
    both = parted(np.arange(60), np.arange(200) // 4, paired=False)
    assert both.held is not None
    assert [len(h) + len(s) for h, s in zip(both.held, both.seen, strict=True)] == [60, 200]
    assert set(both.held[1] // 4).isdisjoint(both.seen[1] // 4)
    assert both.longer == len(both.seen[1])
    assert len(both.units) == len(both.held[0]) + len(both.held[1])


# What is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_pair_of_domains_is_refused(name: str) -> None:
    x = pictures(40)
    y = negatives(x)
    model = ZOO[name]()
    wrong: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        (r"Call fit\(X, y\)", (x,), {}),
        (r"validation=\(X, y\)", (x, y), {"validation": x}),
        ("sample_weight", (x, y), {"sample_weight": np.ones(40)}),
        ("images and sequences; a table", (x, y.reshape(40, -1)), {}),
        ("images and sequences; a table", (x.reshape(40, -1), y), {}),
        (r"8 x 8 pixels, y of 8 x 6.*size", (x, y[:, :, :6]), {}),
        ("cannot be halved", (x[:, :7, :7], y[:, :7, :7]), {}),
        ("domains are the same", (x, x[::-1]), {}),
        ("rows of y are all alike", (x, np.zeros_like(y)), {}),
        ("y holds 40 single values, as labels are", (x, np.arange(40) % 10), {}),
    ]
    for match, rows, how in wrong:
        with pytest.raises(InputError, match=match):
            model.fit(*rows, **how)


def test_pairs_of_unequal_number_are_refused() -> None:
    x = pictures(40)
    with pytest.raises(InputError, match=r"X has 40 rows and y 30.*CycleGAN"):
        PairedTranslation().fit(x, negatives(x)[:30])


def test_a_way_back_that_was_not_learnt_is_refused_with_what_to_do() -> None:
    x = pictures(40)
    model = PairedTranslation(width=4, max_epochs=1, random_state=0).fit(x, negatives(x))
    with pytest.raises(InputError, match="both_ways=True"):
        model.translate_back(negatives(x))


def test_sizes_that_differ_are_brought_to_one() -> None:
    x, y = pictures(40), np.repeat(np.repeat(negatives(pictures(40, seed=1)), 2, 1), 2, 2)
    model = ZOO["cyclegan"]().set_params(size=8).fit(x, y)
    assert model.translate(x[:2]).shape == (2, 16, 16)
    assert model.translate_back(y[:2]).shape == (2, 8, 8)


# What is said -------------------------------------------------------------------------------------


def statuses(reasons: Any) -> list[str]:
    return [r.status for r in reasons]


def test_domains_with_rows_in_common_are_named_or_refused() -> None:
    x = {bytes([i]) for i in range(100)}
    assert verdicts.same(x, {bytes([i]) for i in range(100, 200)}) == []
    (reason,) = verdicts.same(x, {bytes([i]) for i in range(95, 195)})
    assert (reason.status, reason.what[:4]) == ("warn", "5.0%")
    with pytest.raises(InputError, match="100% of the different rows of X"):
        verdicts.same(x, x | {b"other"})


def test_errors_collapse_and_overfitting_are_said() -> None:
    assert statuses(verdicts.pairs(0.2, 0.8, 0.15, "y")) == ["ok"]
    assert "little" in verdicts.pairs(0.75, 0.8, 0.7, "y")[0].what
    assert "overfitting" in verdicts.pairs(0.3, 0.8, 0.1, "y")[0].what
    assert statuses(verdicts.cycle(0.2, 0.1)) == ["ok"]
    assert statuses(verdicts.cycle(0.2, 0.8)) == ["warn"]
    assert verdicts.unchanged([(0.5, 0.6), (50, 60)], "y", "") == []
    assert "by 0.01 deviations" in verdicts.unchanged([(0.01, 0.6), (50, 60)], "y", "")[0].what
    assert "by 1 units" in verdicts.unchanged([(0.5, 0.6), (1, 60)], "y", "")[0].what
    assert verdicts.varied(0.5, 0.8, "y") == []
    assert "mode collapse" in verdicts.varied(0.1, 0.8, "y")[0].what
    (early,) = verdicts.varied(0.1, 0.8, "y", steps=47)
    assert "little is learnt after 47 steps" in early.what


def records(*apart: float) -> list[dict[str, Any]]:
    start = {"step": 0, "measures": {"told apart y": 0.2}}
    return [start] + [{"step": 1 + i, "measures": {"told apart y": a}} for i, a in enumerate(apart)]


def test_a_discriminator_that_has_won_for_good_fails_the_fit() -> None:
    stuck, grown = Outcome(steps=100, best_step=4), Outcome(steps=100, best_step=90)
    won = records(0.6, 1.0, 1.0, 1.0)
    (reason,) = verdicts.won(stuck, won, 5e-4)
    assert reason.status == "failed"
    assert "r1" in reason.advice
    assert statuses(verdicts.won(grown, won, 5e-4)) == ["warn"]
    assert statuses(verdicts.won(grown, won, 5e-4, paired=True)) == ["ok"]
    assert verdicts.won(stuck, records(1.0, 1.0, 0.9, 1.0), 5e-4) == []
    assert verdicts.won(stuck, [], 5e-4) == []


def test_what_is_constant_is_a_mode_collapse_and_no_change_an_identity_collapse() -> None:
    from ppgen.models.translation.looked import Looked

    model, x = fitted("cyclegan"), pictures(30, seed=4)
    nets = model.nets_
    own = tuple(
        domain.encode(side._encode(side._dataset(rows, reset=False)))
        for domain, side, rows in zip(
            nets.domains, (model, model.target_), (x, negatives(pictures(30, seed=9))), strict=True
        )
    )
    flat = tuple(rows[:1].expand_as(rows) for rows in own[::-1])
    said = " ".join(r.what for r in Looked(nets, own, own, flat).of_domains())
    assert said.count("mode collapse") == 2
    said = " ".join(r.what for r in Looked(nets, own, own, own).of_domains())
    assert said.count("identity collapse") == 2
    # The same pictures by values, standardised by the statistics of where they go.
    x, y = (domain.statistics for domain in nets.domains)
    same = y.enter(x.leave(own[0])), x.enter(y.leave(own[1]))
    said = " ".join(r.what for r in Looked(nets, own, own, same).of_domains())
    assert said.count("units of the data") == 2


@pytest.mark.parametrize(("name", "last"), [("pix2pix", "wanted of X"), ("cyclegan", "X and back")])
def test_held_out_pictures_are_kept_as_they_were_translated(
    name: str, last: str, tmp_path: Path
) -> None:
    model = fitted(name)
    loaded = ppgen.load(model.save(tmp_path / "run"))
    assert loaded.sheets()[-1][0] == model.n_steps_
    strips, domains = loaded.strips(), loaded.nets_.domains
    given, made = strips["X"], strips[f"X to y, step {model.n_steps_}"]
    assert given.shape == made.shape == strips[last].shape == (12, 1, 8, 8)
    assert model.trace_[-1]["best"]
    low, high = domains[0].codec.pixels.ends
    rows = np.rint(low + (high - low) * given[:, 0])
    there = (model.translate(rows) - low) / (high - low)
    np.testing.assert_allclose(made[:, 0], there, atol=2 / (high - low))


def test_fewer_translations_that_a_budget_leaves_time_to_look_at_are_said() -> None:
    (said,) = verdicts.few_looked(24, 135)
    assert "the budget left time to look at translations of 24 rows" in said.what
    assert "not of 135" in said.what
    assert verdicts.few_looked(200, 135) == []
