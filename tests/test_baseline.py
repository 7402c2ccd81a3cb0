"""The floor: one Gaussian, independent columns, kernels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from ppgen.errors import InputError
from ppgen.fitting import Fit
from ppgen.models.baseline import Gaussian, IndependentColumns, KernelDensity
from ppgen.models.baseline.bandwidth import Bandwidth, scott
from ppgen.models.baseline.kernel_mixture import KernelSum


@pytest.fixture
def rows() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 2)) @ np.array([[1.0, 0.8], [0.0, 0.5]]) * [1, 100] + [3, -50]


@pytest.mark.parametrize("family", [Gaussian, IndependentColumns, KernelDensity])
def test_integrates_to_one(family: type, rows: np.ndarray) -> None:
    model = family(random_state=0).fit(rows)

    grid_x = np.linspace(-3, 9, 241)
    grid_y = np.linspace(-50 - 600, -50 + 600, 241)
    points = np.stack(np.meshgrid(grid_x, grid_y), axis=-1).reshape(-1, 2)
    cell = (grid_x[1] - grid_x[0]) * (grid_y[1] - grid_y[0])
    total = np.exp(model.score_samples(points)).sum() * cell
    assert total == pytest.approx(1, abs=1e-3)


def test_gaussian_is_the_closed_form(rows: np.ndarray) -> None:
    model = Gaussian(reg_covar=0.0).fit(rows)
    expected = stats.multivariate_normal(rows.mean(axis=0), np.cov(rows.T, bias=True))
    np.testing.assert_allclose(model.score_samples(rows), expected.logpdf(rows), rtol=1e-9)


def test_bandwidth_maximises_the_leave_one_out_likelihood(rows: np.ndarray) -> None:
    kernels = KernelSum.fit(rows, None, np.random.default_rng(0), 10_000)
    y, n = kernels.centres, len(rows)

    def leave_one_out(h: float) -> float:
        log_kernel = stats.norm.logpdf(y[:, None] / h, y[None] / h).sum(axis=2) - 2 * np.log(h)
        np.fill_diagonal(log_kernel, -np.inf)
        return float((logsumexp(log_kernel, axis=1) - np.log(n - 1)).mean())

    best = leave_one_out(kernels.bandwidth)
    assert best > leave_one_out(kernels.bandwidth * 1.4)
    assert best > leave_one_out(kernels.bandwidth / 1.4)


def test_copies_of_rows_change_nothing() -> None:
    rng = np.random.default_rng(0)
    once = rng.normal(size=(500, 2))
    new = rng.normal(size=(3000, 2))
    for family in (KernelDensity, IndependentColumns):
        alone = family(random_state=0).fit(once)
        twice = family(random_state=0).fit(np.r_[once, once])
        np.testing.assert_allclose(twice.score_samples(new), alone.score_samples(new), rtol=1e-6)
        # The truth's is -(1 + log 2 pi) = -2.838.
        assert -2.95 < twice.score(new) < -2.80


def test_copies_that_are_rounded_change_next_to_nothing() -> None:
    rng = np.random.default_rng(0)
    once = rng.normal(size=(500, 2)).round(4)
    new = rng.normal(size=(1000, 2)).round(4)
    alone, twice = (KernelDensity(random_state=0).fit(x) for x in (once, np.r_[once, once]))
    assert twice.score(new) == pytest.approx(alone.score(new), abs=0.02)


@pytest.mark.parametrize("step", [1e-12, 1e-7])
def test_copies_that_differ_by_rounding_are_copies(step: float) -> None:
    rng = np.random.default_rng(0)
    once, new = rng.normal(size=(500, 2)), rng.normal(size=(3000, 2))
    near = once + step * rng.normal(size=once.shape)
    for family in (KernelDensity, IndependentColumns):
        alone = family(random_state=0).fit(once).score(new)
        assert family(random_state=0).fit(np.r_[once, near]).score(new) == pytest.approx(
            alone, abs=0.02
        )


def test_one_row_far_away_sets_neither_shape_nor_bandwidth() -> None:
    rng = np.random.default_rng(0)
    rows, new = rng.normal(size=(500, 2)), rng.normal(size=(1000, 2))
    clean = KernelSum.fit(rows, None, np.random.default_rng(0), 10_000)
    one = KernelSum.fit(np.r_[rows, [[1e6, -1e6]]], None, np.random.default_rng(0), 10_000)
    assert one.bandwidth == pytest.approx(clean.bandwidth, rel=0.15)
    assert one.log_prob(new).mean() == pytest.approx(clean.log_prob(new).mean(), abs=0.01)


def test_a_fit_says_what_its_bandwidth_came_to(rows: np.ndarray) -> None:
    model = KernelDensity(random_state=0).fit(rows)
    assert not model.at_edge_
    assert 5 < model.effective_kernels_ < 300
    # Rows held out score as rows left out do, within the errors of both.
    rng = np.random.default_rng(1)
    new = rng.normal(size=(3000, 2)) @ np.array([[1.0, 0.8], [0.0, 0.5]]) * [1, 100] + [3, -50]
    assert model.leave_one_out_ == pytest.approx(model.score(new), abs=0.2)


def test_near_copies_put_the_bandwidth_at_the_edge_which_warns() -> None:
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(100, 2)), 3, axis=0) + 1e-4 * rng.normal(size=(300, 2))
    verdict = KernelDensity(random_state=0).fit(rows).verdict_
    assert verdict.status == "warn"
    assert "edge of its grid" in str(verdict)
    column = IndependentColumns(random_state=0).fit(rows).verdict_
    assert "bandwidth of column 'x0' is at the edge" in str(column)


def test_kernels_match_scipy(rows: np.ndarray) -> None:
    kernels = KernelSum.fit(rows, None, np.random.default_rng(0), 10_000)
    # SciPy divides by n - 1, `kernel` by n, of columns whose tails are drawn in.
    spread = kernels.factor @ kernels.factor.T
    peer = stats.gaussian_kde(rows.T, bw_method=kernels.bandwidth)
    mine = kernels.log_prob(rows)
    theirs = peer.logpdf(rows.T)
    np.testing.assert_allclose(spread, np.cov(rows.T, bias=True), rtol=2e-3)
    np.testing.assert_allclose(mine, theirs, atol=0.02)


@pytest.mark.parametrize("family", [Gaussian, IndependentColumns, KernelDensity])
def test_a_weight_counts_as_repetition(family: type, rows: np.ndarray) -> None:
    rows = rows[:60]
    weights = np.array([0.0, 1.0, 2.0] * 20)
    weighted = family(random_state=0).fit(rows, sample_weight=weights)
    repeated = family(random_state=0).fit(np.repeat(rows, weights.astype(int), axis=0))
    np.testing.assert_allclose(
        weighted.score_samples(rows), repeated.score_samples(rows), rtol=1e-6
    )


@pytest.mark.parametrize("family", [Gaussian, IndependentColumns, KernelDensity])
def test_samples_follow_the_density(family: type, rows: np.ndarray) -> None:
    # The log density of a sample has the distribution of the log density of another sample, and of
    # importance-free numerical draws: two-sample Kolmogorov-Smirnov at a false-alarm rate of 1e-4.
    model = family(random_state=0).fit(rows)
    a = model.sample(4000, random_state=1)
    grid = np.stack(np.meshgrid(np.linspace(-3, 9, 400), np.linspace(-650, 550, 400)), -1)
    points = grid.reshape(-1, 2)
    log_p = model.score_samples(points)
    rng = np.random.default_rng(2)
    p = np.exp(log_p - logsumexp(log_p))
    b = points[rng.choice(len(points), size=4000, p=p)] + rng.uniform(-0.5, 0.5, (4000, 2)) * [
        12 / 399,
        1200 / 399,
    ]
    for j in range(2):
        assert stats.ks_2samp(a[:, j], b[:, j]).pvalue > 1e-4
    assert stats.ks_2samp(model.score_samples(a), model.score_samples(b)).pvalue > 1e-4


def test_independent_columns_factorise(rows: np.ndarray) -> None:
    both = IndependentColumns(random_state=0).fit(rows)
    left = IndependentColumns(random_state=0).fit(rows[:, :1])
    gap = rows.copy()
    gap[:, 1] = np.nan
    np.testing.assert_allclose(both.score_samples(gap), left.score_samples(rows[:, :1]))


def test_independent_columns_of_text() -> None:
    colour = np.array(["red", "green", "red", "blue", "red", None] * 10, dtype=object)
    frame = {"colour": colour, "size": np.arange(60.0) + np.linspace(0, 0.5, 60) ** 2}
    model = IndependentColumns(random_state=0).fit(frame)
    one = model.log_density(
        {"colour": np.array(["red", "blue"]), "size": np.array([np.nan, np.nan])}
    )
    np.testing.assert_allclose(np.exp(one.values), [(30 + 1) / (50 + 3), (10 + 1) / (50 + 3)])
    assert one.measure == "mixed"
    with pytest.warns(UserWarning, match="'violet'"):
        new = model.score_samples({"colour": np.array(["violet"]), "size": np.array([3.0])})
    assert np.isneginf(new[0])


def test_a_weight_counts_in_the_table_of_a_level() -> None:
    colour = np.array(["red", "green", "red", "blue"] * 5, dtype=object)
    weights = np.array([0.0, 1.0, 2.0, 3.0] * 5)
    weighted = IndependentColumns(random_state=0).fit({"colour": colour}, sample_weight=weights)
    repeated = IndependentColumns(random_state=0).fit(
        {"colour": np.repeat(colour, weights.astype(int))}
    )
    asked = {"colour": np.array(["red", "green", "blue"], dtype=object)}
    np.testing.assert_allclose(
        np.exp(weighted.score_samples(asked)), np.array([10 + 1, 5 + 1, 15 + 1]) / (30 + 3)
    )
    np.testing.assert_allclose(weighted.score_samples(asked), repeated.score_samples(asked))


def test_gaps_of_independent_columns_are_filled_by_their_means_and_likeliest_levels() -> None:
    colour = np.array(["red", "green", "red", "blue"] * 15, dtype=object)
    size = np.linspace(0, 1, 60) ** 2
    model = IndependentColumns(random_state=0).fit({"colour": colour, "size": size})
    gappy = {"colour": np.array([None, "blue"], dtype=object), "size": np.array([0.5, np.nan])}
    filled = model.impute(gappy)
    assert list(filled["colour"]) == ["red", "blue"]
    np.testing.assert_allclose(filled["size"], [0.5, size.mean()], rtol=1e-6)
    drawn = model.impute(gappy, draw=True, random_state=0)
    assert drawn["size"][1] != filled["size"][1]
    with pytest.raises(InputError, match="no option 'n_samples'; it has draw, random_state"):
        model.impute(gappy, n_samples=3)


def test_a_budget_that_is_over_leaves_the_rule_of_thumb(rows: np.ndarray) -> None:
    for family in (IndependentColumns, KernelDensity):
        model = family(random_state=0).fit(rows, budget="1ms")
        kernels = model.columns_[0] if family is IndependentColumns else model.kernels_
        assert kernels.bandwidth == pytest.approx(scott(*kernels.centres.shape))
        assert "Raise the budget" in str(model.verdict_)
        assert np.isfinite(model.score(rows))


def test_columns_that_the_budget_leaves_have_the_usual_bandwidth(
    rows: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter([9.0, 9.0, 0.0])
    monkeypatch.setattr(Fit, "deadline", lambda fit: next(left, 0.0))
    rows = np.c_[rows, np.exp(rows)[:, :1], rows[:, :1] ** 3]
    model = IndependentColumns(random_state=0).fit(rows, budget="1h")
    multiples = [column.multiple for column in model.columns_]
    assert multiples[2:] == pytest.approx([np.mean(multiples[:2])] * 2)
    assert "the bandwidths of 2 of 4 columns" in str(model.verdict_)
    assert np.isfinite(model.score(rows))


def test_few_rows_say_the_bandwidth_of_one_column() -> None:
    # Of the truth, the mean log density of kernels with the best bandwidth for these very rows.
    rng = np.random.default_rng(0)
    x, new = rng.normal(size=(1500, 1)), rng.normal(size=(5000, 1))
    kernels = KernelSum.fit(x, None, np.random.default_rng(0), 10_000)
    best = max(
        kernels.with_bandwidth(Bandwidth(multiple)).log_prob(new).mean()
        for multiple in np.geomspace(0.3, 3, 12)
    )
    assert kernels.log_prob(new).mean() > best - 2e-3
