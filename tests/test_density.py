"""`LogDensity` and `Verdict`: what they claim, and what they refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ppgen.density import LogDensity
from ppgen.errors import InputError
from ppgen.progress import Clock, duration
from ppgen.verdict import Reason, Verdict, nothing_learnt


def test_mean_and_its_error() -> None:
    values = np.array([-1.0, -2.0, -3.0, -6.0])
    density = LogDensity(values, "exact", "closed form")
    assert density.mean() == -3.0
    assert density.mean_stderr() == pytest.approx(np.std(values, ddof=1) / 2)
    np.testing.assert_array_equal(np.asarray(density), values)
    assert np.asarray(density, dtype=np.float32).dtype == np.float32


def test_an_infinite_row_leaves_no_standard_error() -> None:
    assert np.isnan(LogDensity(np.array([-1.0, -np.inf]), "exact", "closed form").mean_stderr())


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "exactly"},
        {"measure": "volume"},
        {"values": np.zeros((2, 2))},
        {"stderr": np.zeros(3)},
        {"gap": ("dequantisation",)},
    ],
)
def test_contradictions_are_refused(wrong: dict[str, object]) -> None:
    good = {"values": np.zeros(2), "kind": "exact", "method": "closed form"}
    with pytest.raises(InputError):
        LogDensity(**(good | wrong))  # type: ignore[arg-type]


def test_rows_of_a_density_keep_what_they_claim() -> None:
    density = LogDensity(
        np.array([-1.0, -2.0, -3.0]),
        "lower_bound",
        "IWAE-5",
        gap=("variational",),
        stderr=np.array([0.1, 0.2, 0.3]),
        diagnostics={"khat": np.array([0.1, 0.5, 0.9]), "good_khat": 0.7},
    )
    first = density[:2]
    assert (len(first), first.kind, first.gap) == (2, "lower_bound", ("variational",))
    np.testing.assert_array_equal(first.diagnostics["khat"], [0.1, 0.5])
    assert first.diagnostics["good_khat"] == 0.7
    np.testing.assert_array_equal(density[density.values < -1.5].stderr, [0.2, 0.3])
    assert density[-1] == -3.0
    assert [*density] == [-1.0, -2.0, -3.0]
    with pytest.raises(IndexError):
        density[3]


def test_what_was_not_checked_is_no_pass_and_is_said() -> None:
    fine, none = Reason("ok", "a."), Reason("ok", "Fit not checked: b.", checked=False)
    verdict = Verdict((fine, none))
    assert verdict.status == "ok"
    assert str(verdict) == "ok; Fit not checked: b."
    assert str(Verdict((fine, none, Reason("warn", "c.")))) == "warn: c. Fit not checked: b."
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict
    assert "not checked" in verdict._repr_html_()


def test_description_names_what_was_filled_in() -> None:
    density = LogDensity(
        np.zeros(2), "lower_bound", "closed form", dequantised=("a", "b"), gap=("dequantisation",)
    )
    assert "lower bound" in density.describe()
    assert "a, b" in density.describe()


def test_verdict_is_the_worst_of_its_reasons() -> None:
    fine, odd, bad = Reason("ok", "x"), Reason("warn", "y", "do z"), Reason("failed", "w")
    assert Verdict().status == "ok"
    assert Verdict((fine, odd)).status == "warn"
    assert Verdict((bad, odd)).status == "failed"
    assert not Verdict((odd,)).ok
    assert "y do z" in str(Verdict((fine, odd)))
    assert str(Verdict((Reason("warn", "y.", "Do z."), bad))) == "failed: y. Do z. w"
    both = Verdict((fine, odd))
    assert Verdict.from_json(json.loads(json.dumps(both.to_json()))) == both


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("5m", 300), ("1h30m", 5400), ("1.5 min", 90), (7, 7), ("250ms", 0.25)],
)
def test_durations(text: str | float, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "fast", "5", "-3s", 0, -1, float("nan"), "5m later"])
def test_no_durations(text: str | float) -> None:
    with pytest.raises(InputError, match="budget"):
        duration(text)


def test_clock_never_says_less_than_nothing() -> None:
    assert Clock().left() is None
    assert Clock(1e-9).left() == 0.0


def test_rows_of_probability_zero_are_counted_and_the_rest_is_meant() -> None:
    density = LogDensity(np.array([-1.0, -np.inf, -3.0]), "exact", "test")
    assert density.possible.tolist() == [True, False, True]
    assert density.mean() == -np.inf
    assert density.mean_of_possible() == pytest.approx((-2.0, 1.0))
    # Two rows of one unit are one draw, which has no error.
    mean, stderr = density.mean_of_possible([7, 8, 7])
    assert mean == -2.0
    assert np.isnan(stderr)
    assert "mean=−2.0 ± 1.0 nats of the others, 1 of probability 0" in repr(density)
    none = LogDensity(np.full(2, -np.inf), "exact", "test")
    assert np.isnan(none.mean_of_possible()).all()
    assert "mean=−∞ nats;" in repr(none)


def test_words_that_are_not_plain_are_explained() -> None:
    values = np.zeros(2)
    assert LogDensity(values, "exact", "test").explained() == ""
    said = LogDensity(values, "lower_bound", "test", "mixed").explained()
    assert said.startswith("lower bound: ")
    assert "mixed: a density in some columns" in said


def test_a_fit_that_learnt_nothing_says_so_after_it_was_saved() -> None:
    verdict = Verdict((Reason("ok", "fine."), *nothing_learnt("nothing.", "Do more.")))
    assert not verdict.learnt
    assert str(verdict) == "warn, nothing learnt: nothing. Do more."
    assert Verdict.from_json(verdict.to_json()) == verdict
    assert Verdict((Reason("warn", "odd."),)).learnt
    assert "learnt" not in Verdict((Reason("warn", "odd."),)).to_json()[0]
