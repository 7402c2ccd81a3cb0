"""Ranking: the rules about bounds, measures, NaN and ties; standard errors against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ppgen.analysis.compare import compare
from ppgen.analysis.finding import Ranked, deciding, finding
from ppgen.analysis.paired import Difference, Scored, decide, difference
from ppgen.density import LogDensity
from ppgen.errors import InputError

N = 400
NOISE = np.random.default_rng(0).normal(size=N)
JITTER = np.random.default_rng(1).normal(size=N)
NOISY = {"gap": ("dequantisation",), "dequantised": ("a",)}


def density(shift=0.0, kind="exact", scatter=0.1, **more):
    # The rows' own scatter is shared: only `scatter` is left in a paired difference.
    return LogDensity(5 * NOISE + scatter * JITTER + shift, kind, "test", **more)


RULES = {
    # name: (a, b, outcome for a)
    "exact above": (density(1), density(0, scatter=0), "better"),
    "exact below": (density(-1), density(0, scatter=0), "worse"),
    "exact close": (density(0.001), density(0, scatter=0), "close"),
    "estimate counts as exact": (density(1, "estimate"), density(0), "better"),
    "lower bound above exact": (density(1, "lower_bound"), density(0), "better"),
    "lower bound below exact": (density(-1, "lower_bound"), density(0), "bound"),
    "lower bound near exact": (density(0, "lower_bound"), density(0, scatter=0), "bound"),
    "exact below lower bound": (density(0), density(1, "lower_bound"), "worse"),
    "exact above lower bound": (density(1), density(0, "lower_bound"), "bound"),
    "upper bound below exact": (density(-1, "upper_bound"), density(0), "worse"),
    "upper bound above exact": (density(1, "upper_bound"), density(0), "bound"),
    "exact above upper bound": (density(1), density(0, "upper_bound"), "better"),
    "exact below upper bound": (density(-1), density(0, "upper_bound"), "bound"),
    "lower above upper": (density(1, "lower_bound"), density(0, "upper_bound"), "better"),
    "lower below upper": (density(-1, "lower_bound"), density(0, "upper_bound"), "bound"),
    "upper above lower": (density(1, "upper_bound"), density(0, "lower_bound"), "bound"),
    "two upper bounds": (density(1, "upper_bound"), density(0, "upper_bound"), "bound"),
    "same dequantisation": (
        density(1, "lower_bound", **NOISY),
        density(0, "lower_bound", **NOISY),
        "better",
    ),
    "other dequantised columns": (
        density(1, "lower_bound", **NOISY),
        density(0, "lower_bound", gap=("dequantisation",), dequantised=("b",)),
        "bound",
    ),
    "variational gap beside dequantisation": (
        density(1, "lower_bound", **NOISY),
        density(0, "lower_bound", gap=("dequantisation", "variational"), dequantised=("a",)),
        "bound",
    ),
    "dequantised bound above exact mass": (
        density(1, "lower_bound", measure="mass", **NOISY),
        density(0, measure="mass"),
        "better",
    ),
    "dequantised bound below exact mass": (
        density(-1, "lower_bound", measure="mass", **NOISY),
        density(0, measure="mass"),
        "bound",
    ),
    "other measure": (density(9, measure="mass"), density(0), "incomparable"),
}


@pytest.mark.parametrize(("a", "b", "outcome"), RULES.values(), ids=RULES)
def test_rule(a, b, outcome):
    found = difference([Scored("a", a)], [Scored("b", b)])
    assert found.outcome == outcome
    mirrored = {"better": "worse", "worse": "better"}.get(outcome, outcome)
    assert difference([Scored("b", b)], [Scored("a", a)]).outcome == mirrored


def test_ranks_differences_and_finding():
    result = compare(
        [("gmm", density(0)), ("flow", density(0.31, scatter=1)), ("kde", density(-2))]
    )
    assert [(m.name, m.rank) for m in result] == [("flow", 1), ("gmm", 2), ("kde", 3)]
    assert result["flow"].difference is None
    assert result["gmm"].difference.mean == pytest.approx(-0.31 - 0.9 * JITTER.mean())
    expected = 0.9 * np.std(JITTER, ddof=1) / math.sqrt(N)
    assert result["gmm"].difference.stderr == pytest.approx(expected)
    assert "flow is best" in result.finding
    assert "nats a row above gmm" in result.finding
    assert str(result).startswith(result.finding)


HEADLINES = {
    "a is best": [("a", density(1)), ("b", density())],
    "a and b tie": [("a", density(0.004 - 0.1 * JITTER.mean())), ("b", density(0, scatter=0))],
    "a stands highest, undecided": [("a", density(1)), ("b", density(0, "lower_bound"))],
    "a reaches 0.02 ± 0.25 nats a row": [("a", density(0.2, scatter=0))],
    "nothing can be ranked": [],
}


@pytest.mark.parametrize("words", HEADLINES)
def test_headline(words):
    assert compare(HEADLINES[words]).headline == words


def test_a_model_by_itself_is_not_said_to_win():
    found = compare([("a", density(-1023.1, scatter=0))]).finding
    assert found == ("a reaches −1023.28 ± 0.25 nats a row; nothing else was fitted to compare.")


def test_an_undecided_line_says_what_would_decide_it():
    close = compare([("a", density(0)), ("b", density(0.01, scatter=0.5))])
    words = deciding(close["a"] if close["a"].difference else close["b"])
    apart = next(m.difference for m in close if m.difference)
    assert words == (
        f"about {(apart.detectable / apart.mean) ** 2:.2g} times as many held-out rows decide."
    )
    assert words in str(close)
    bound = compare([("exact", density(1)), ("loose", density(0, "lower_bound"))])
    assert "a tighter bound decides" in deciding(bound["loose"])
    decided = compare([("a", density(1)), ("b", density(0, scatter=0))])
    assert [deciding(m) for m in decided] == ["", ""]


def test_paired_difference_sees_what_separate_means_do_not():
    result = compare([("a", density(0.1)), ("b", density(0))])
    assert result["a"].stderr > 0.1  # two means 0.1 apart, each known to 0.25
    assert result["b"].verdict == "behind"


def test_measures_are_not_ranked_together():
    result = compare([("a", density(0)), ("b", density(-1)), ("m", density(99, measure="mass"))])
    assert [(m.name, m.rank) for m in result] == [("a", 1), ("b", 2), ("m", 1)]
    assert result["m"].difference is None
    assert "a is best" in result.finding


def test_nan_never_ranks():
    bad = density(50)
    bad.values[3] = np.nan
    result = compare([("bad", bad), ("infinite", density(np.inf)), ("good", density(0))])
    assert result["bad"].rank is None
    assert result["bad"].nan_rows == 1
    assert result["infinite"].rank is None
    assert result.models[0].name == "good"
    assert compare([("bad", bad)]).finding == "No model could be ranked."


def test_zero_probability_is_counted_and_loses():
    zero = density(50)
    zero.values[:3] = -np.inf
    result = compare([("zero", zero), ("good", density(0)), ("zero too", zero)])
    assert result["zero"].zero_rows == 3
    assert result["zero"].mean == -math.inf
    assert result["zero"].verdict == "behind"
    assert "3 of them probability zero" in result.finding
    alone = compare([("zero", zero), ("other", zero)])
    assert alone["other"].verdict.startswith("undecided")


def test_a_loose_upper_bound_is_no_yardstick():
    result = compare([("loose", density(5, "upper_bound")), ("exact", density(0))])
    assert result["exact"].difference is None
    assert result["loose"].verdict == "undecided: bound"
    assert result.finding == "exact stands highest, but bounds leave loose undecided."


@pytest.mark.parametrize(
    "given",
    [[("a", np.zeros(3))], {"a": density()}, [density()], [("a",)], [("a", density(), 0, None, 1)]],
    ids=["values", "a mapping", "no name", "no density", "too much"],
)
def test_what_is_no_scored_model_is_refused_in_words(given):
    with pytest.raises(InputError, match="expected \\(name, LogDensity\\)"):
        compare(given)


def test_beside_bounds_all_that_is_undecided_is_named():
    def line(name, outcome):
        difference = None if outcome is None else Difference(-1.0, 0.1, 0.1, 0.1, outcome)
        body = {"verdict": "", "n_seeds": 2, "n_rows": N, "difference": difference}
        claims = {"kind": "lower_bound", "method": "", "measure": "density"}
        return Ranked(
            name, 1, 0.0, 0.1, 0.1, **claims, dequantised=(), zero_rows=0, nan_rows=0, **body
        )

    lines = [line("a", None), line("b", "bound"), line("c", "seeds"), line("d", "close")]
    assert finding(lines) == (
        "a stands highest, but bounds leave b undecided, 2 seeds are too few to decide c and d is "
        "too close to call (level 5% for all models at once)."
    )


def test_winning_lower_bound_is_said_to_be_one():
    result = compare([("vae", density(1, "lower_bound")), ("gmm", density(0))])
    assert "at least 1.0" in result.finding


def test_monte_carlo_noise_widens_the_error():
    noisy = density(0.03, "estimate", stderr=np.full(N, 1.0))
    plain = compare([("a", density(0.03)), ("b", density(0, scatter=0))])
    with_noise = compare([("a", noisy), ("b", density(0, scatter=0))])
    before, after = plain["b"].difference.stderr, with_noise["b"].difference.stderr
    assert after == pytest.approx(math.hypot(before, 1 / math.sqrt(N)))
    assert with_noise["b"].verdict == "too close to call"
    assert "too close" in with_noise.finding


def test_seeds_that_disagree_leave_it_open():
    scored = [("a", density(shift), seed) for seed, shift in enumerate((1.0, -0.9, 0.2))]
    scored += [("b", density(0, scatter=0), seed) for seed in range(3)]
    result = compare(scored)
    loser = result.models[1]
    assert loser.difference.between > 10 * loser.difference.within
    assert loser.difference.stderr == pytest.approx(loser.difference.between, rel=1e-3)
    # Student's limit with two degrees of freedom.
    assert loser.difference.margin == pytest.approx(4.3027 * loser.difference.between, rel=1e-3)
    assert loser.verdict == "undecided: these fits differ, 3 seeds are too few"
    assert "3 seeds are too few to decide b" in result.finding
    assert result.headline == "a and b tie"


def test_only_common_seeds_are_paired():
    scored = [
        ("a", density(1), 0),
        ("a", density(-50), 1),
        ("b", density(0), 0),
        ("c", density(0), 2),
    ]
    result = compare(scored)
    found = difference([Scored("a", density(1), 0)], [Scored("b", density(0), 0)])
    both = [Scored("a", density(1), 0), Scored("a", density(-50), 1)]
    assert difference(both, [Scored("b", density(0), 0)]).mean == found.mean
    assert result["c"].verdict == "undecided: no held-out rows in common"


def test_a_row_in_two_splits_is_one_draw():
    rows = np.arange(N)
    same = [Scored("a", density(1), seed, rows) for seed in range(4)]
    base = [Scored("b", density(0, scatter=0), seed, rows) for seed in range(4)]
    once = difference(same[:1], base[:1])
    four = difference(same, base)
    assert four.within == pytest.approx(once.within, rel=0.01)
    unnamed = [Scored("a", density(1), seed) for seed in range(4)]
    assert difference(unnamed, base).within == pytest.approx(once.within, rel=0.01)
    apart = [Scored("a", density(1), seed, rows + N * seed) for seed in range(4)]
    assert difference(apart, base).within == pytest.approx(once.within / 2, rel=0.01)


def test_stderr_matches_simulation():
    rng = np.random.default_rng(3)
    means, errors = [], []
    for _ in range(400):
        values = [rng.exponential(size=60) for _ in range(2)]
        a = [
            Scored("a", LogDensity(v, "exact", "t"), s, np.arange(60) + 60 * s)
            for s, v in enumerate(values)
        ]
        b = [Scored("b", LogDensity(np.zeros(60), "exact", "t"), s) for s in range(2)]
        found = difference(a, b)
        means.append(found.mean)
        errors.append(found.within)
    # The deviation of 400 draws is known to 3.5 %: a false alarm beyond 5 sigma, 1 in a million.
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(means), rel=0.18)


def test_wrong_input_is_named():
    with pytest.raises(InputError, match="400 rows and b 3 for seed 0"):
        compare([("a", density()), ("b", LogDensity(np.zeros(3), "exact", "t"))])
    with pytest.raises(InputError, match="twice"):
        compare([("a", density()), ("a", density())])
    few = LogDensity(np.zeros(3), "exact", "t")
    with pytest.raises(InputError, match="seeds have 3, 400 rows and no names"):
        compare([("a", density(), 0), ("a", few, 1)])
    with pytest.raises(InputError, match="none for seed 1"):
        compare([("a", few, 0, np.arange(3)), ("a", few, 1)])
    with pytest.raises(InputError, match="other names for b"):
        compare([("a", few, 0, np.arange(3)), ("b", few, 0, np.arange(3)[::-1])])
    with pytest.raises(InputError, match="one name a row"):
        compare([("a", few, 0, np.arange(4))])


def test_one_row_decides_nothing():
    one = [(n, LogDensity(np.array([v]), "exact", "t")) for n, v in (("a", 1.0), ("b", 0.0))]
    assert compare(one)["b"].verdict == "too close to call"


def test_filled_in_densities_are_apart_only_beyond_what_the_averages_miss() -> None:
    """The mean over a cell's draws lies below its logarithm's truth by about stderr^2 / 2."""
    gap = ("dequantisation",)

    def filled(values: np.ndarray, stderr: float) -> LogDensity:
        return LogDensity(
            values,
            "lower_bound",
            "8 draws a cell",
            dequantised=("a",),
            gap=gap,
            stderr=np.full(len(values), stderr),
        )

    values = np.random.default_rng(0).normal(size=200)
    for stderr, outcome in ((0.1, "worse"), (0.9, "close")):
        a, b = filled(values - 0.3, stderr), filled(values, stderr)
        assert decide(a, b, -0.3, 0.02)[0] == outcome


def test_an_estimate_over_draws_that_rows_share_is_not_behind_for_what_they_miss() -> None:
    """p(x) as the mean of N(x; y, 1) over 60 values of y, beside N(x; 0, 2), which it estimates."""
    behind = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y, x = rng.normal(size=60), np.sqrt(2) * rng.normal(size=5000)
        p = np.exp(-0.5 * (x[:, None] - y) ** 2) / np.sqrt(2 * np.pi)
        stderr = p.std(axis=1) / p.mean(axis=1) / np.sqrt(60)
        a = LogDensity(np.log(p.mean(axis=1)), "estimate", "60 values of y", stderr=stderr)
        b = LogDensity(-(x**2) / 4 - 0.5 * np.log(4 * np.pi), "exact", "closed form")
        behind += compare([("a", a), ("b", b)])["a"].verdict == "behind"
    assert behind <= 4  # 14 without what the means miss


def test_what_arithmetic_leaves_decides_nothing() -> None:
    values = np.random.default_rng(0).normal(size=100)
    same = [LogDensity(v, "exact", "t") for v in (values, values + 1e-15)]
    assert compare(zip("ab", same, strict=True))["a"].verdict == "too close to call"
