"""Margins that have a density: inverses, integrals, and what stands between the rows fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from ppgen.data import Codec, Encoded, as_dataset
from ppgen.models.nets.margin_knots import between_quantiles
from ppgen.models.nets.smooth_margins import SmoothMargin, SmoothMargins
from ppgen.models.nets.tables import TableMap

RNG = np.random.default_rng(0)
COLUMNS = {
    "real": RNG.gamma(2.0, size=500),
    "years": RNG.integers(17, 80, 500),
    "gain": np.where(RNG.random(500) < 0.9, 0, 100 * RNG.integers(1, 60, 500)),
    "few": RNG.binomial(15, 0.4, 500),
}


def encoded(columns: Any) -> tuple[Codec, Any]:
    data = as_dataset(columns)
    codec = Codec.fit(data)
    return codec, codec.encode(data, RNG.random((len(data), len(codec.warps))))


def margin(name: str) -> tuple[SmoothMargin, Any]:
    codec, rows = encoded({name: COLUMNS[name], "other": RNG.normal(size=500)})
    j = codec.continuous_names.index(name)
    x = rows.x[:, j]
    return SmoothMargin.fit(x, codec.decode(rows)[name], codec.warps[j]), x


@pytest.mark.parametrize("name", ["real", "years", "gain"])
def test_scores_and_numbers_are_inverse_to_each_other(name: str) -> None:
    made, x = margin(name)
    assert made.numbers(made.scores(x)) == pytest.approx(x, abs=1e-9)
    scores = np.linspace(-6, 6, 101)
    assert made.scores(made.numbers(scores)) == pytest.approx(scores, abs=1e-6)
    assert np.isnan(made.scores(np.array([np.nan])))


@pytest.mark.parametrize("name", ["real", "years", "gain"])
def test_the_density_of_normal_scores_is_one_of_numbers(name: str) -> None:
    made, x = margin(name)
    ends = np.concatenate([made.x, np.linspace(x.min() - 40, x.max() + 40, 200)])
    total = 0.0
    for low, high in zip(*(np.unique(ends)[at] for at in (slice(-1), slice(1, None))), strict=True):
        inside = np.linspace(low, high, 12)[1:-1]
        density = stats.norm.pdf(made.scores(inside)) * np.exp(made.log_slope(inside))
        total += (high - low) * density.mean()
    assert total == pytest.approx(1.0, abs=2e-3)


def test_the_slope_is_the_derivative_of_the_scores() -> None:
    made, _ = margin("real")
    x = (made.x[:-1] + made.x[1:]) / 2
    step = 1e-6 * np.diff(made.x)
    slope = (made.scores(x + step) - made.scores(x - step)) / (2 * step)
    assert np.exp(made.log_slope(x)) == pytest.approx(slope, rel=1e-4)


def test_rows_fitted_have_normal_scores() -> None:
    for name in ("real", "years", "gain"):
        made, x = margin(name)
        assert stats.kstest(made.scores(x), "norm").statistic < 0.08


def test_values_that_recur_come_back_and_others_stay_possible() -> None:
    codec, rows = encoded({"years": COLUMNS["years"], "other": RNG.normal(size=500)})
    found = TableMap.fit(codec, rows, ranks=True, smooth=True)
    scores = stats.norm.ppf((np.arange(1000) + 0.5) / 1000)
    values = found.made
    made = np.tile(scores[:, None], (1, values.numbers))
    years = codec.decode(found.joined(made, np.empty((1000, 0))))["years"]
    seen = np.isin(years, COLUMNS["years"])
    assert seen.mean() > 0.98
    assert np.mean(years == 40) == pytest.approx(np.mean(COLUMNS["years"] == 40), abs=0.004)


def test_values_of_a_pool_recur_however_many_they_are() -> None:
    pool = np.round(RNG.gamma(2.0, 100.0, 150), 1)
    apart = np.round(RNG.normal(0.0, 100.0, 400), 1)
    for values, least, most in ((RNG.choice(pool, 400), 0.85, 0.95), (apart, 0.1, 0.5)):
        codec, rows = encoded({"x": values, "other": RNG.normal(size=400)})
        made = SmoothMargin.fit(rows.x[:, 0], codec.decode(rows)["x"], codec.warps[0])
        x = rows.x.copy()[np.arange(2000) % 400]
        x[:, 0] = made.numbers(stats.norm.ppf((np.arange(2000) + 0.5) / 2000))
        drawn = codec.decode(Encoded(x, np.empty((2000, 0), np.int32), np.zeros(2000)))["x"]
        assert least < np.isin(drawn, values).mean() < most


def test_values_that_recur_within_a_unit_alone_do_not_recur() -> None:
    patient = np.repeat(np.arange(100), 4)
    weight = np.round(RNG.normal(70.0, 15.0, 100), 2)[patient]
    codec, rows = encoded({"x": weight, "other": RNG.normal(size=400)})
    each = [
        SmoothMargin.fit(rows.x[:, 0], weight, codec.warps[0], units=units)
        for units in (patient.astype(np.uint64), None)
    ]
    apart = rows.x[:, 0] + 3 * 0.01 / codec.warps[0].scale
    likely = [np.median(made.log_density(apart)) for made in each]
    assert likely[0] > -2.5
    assert likely[1] < -3.5


def test_the_largest_row_is_as_likely_as_one_just_below_it() -> None:
    capped = np.minimum(np.random.default_rng(0).normal(size=400), 1.0)
    ends = SmoothMargin._of(capped, np.ones(400), *between_quantiles(capped, np.ones(400)))
    for end, inward in ((capped.max(), -np.inf), (capped.min(), np.inf)):
        at, beside = ends.log_density(np.array([end, np.nextafter(end, inward)]))
        assert at == pytest.approx(beside)
    assert np.isnan(ends.numbers(np.array([np.nan, 0.0]))).tolist() == [True, False]


def test_mass_of_zeros_does_not_go_far() -> None:
    amounts = np.where(RNG.random(800) < 0.5, 0.0, np.round(RNG.uniform(50, 200, 800), 1))
    codec, rows = encoded({"x": amounts, "other": RNG.normal(size=800)})
    made = SmoothMargin.fit(rows.x[:, 0], codec.decode(rows)["x"], codec.warps[0])
    x = codec.warps[0].scale * made.numbers(stats.norm.ppf((np.arange(4000) + 0.5) / 4000))
    x += codec.warps[0].shift
    assert (x < -0.05).mean() < 1e-3
    assert (abs(x) < 0.05).mean() == pytest.approx((amounts == 0).mean(), abs=0.01)


def test_a_margin_of_few_rows_is_nearly_as_likely_as_the_truth() -> None:
    truth = stats.gamma(2.0)
    seen, unseen = truth.rvs(300, random_state=1), truth.rvs(4000, random_state=2)
    codec, rows = encoded({"x": seen, "other": RNG.normal(size=300)})
    made = SmoothMargin.fit(rows.x[:, 0], codec.decode(rows)["x"], codec.warps[0])
    warp = codec.warps[0]
    x, log_slope = warp.forward(unseen, 0.5)
    loss = np.mean(truth.logpdf(unseen) - made.log_density(x) - log_slope)
    assert -0.01 < loss < 0.06


def test_a_level_of_few_values_has_a_density_that_integrates_to_one() -> None:
    codec, rows = encoded({"few": COLUMNS["few"], "other": RNG.normal(size=500)})
    found = TableMap.fit(codec, rows, ranks=True, smooth=True)
    (few,) = found.few
    x = rows.x[:, codec.continuous_names.index("few")]
    b, m, w = few.around
    for level, (low, high) in enumerate(few.places[:, [0, -1]]):
        at = np.linspace(low, high, 4002)[1:-1]
        inside = np.exp(few.log_density(at)).mean() * (high - low)
        outside = b * (1 - np.diff(stats.logistic(m, w).cdf([low, high]))[0])
        assert inside + outside == pytest.approx(1.0, abs=0.01)
        assert (few.codes(at) == level).all()
    # Of a count, what is within its cell and the codec's slope leave the mass of the level.
    other = -np.log(codec.warps[codec.continuous_names.index("other")].scale)
    assert np.median(np.abs(few.log_density(x) + rows.log_det - other)) < 0.02


def test_the_log_determinant_of_a_table_is_that_of_its_columns_made() -> None:
    codec, rows = encoded({**COLUMNS, "kind": RNG.choice(["a", "b"], 500)})
    found = TableMap.fit(codec, rows, ranks=True, smooth=True, told=["years"])
    names = codec.continuous_names
    plain = dict(zip((n for n in names if n != "few"), found.margins.columns, strict=True))
    x = {name: rows.x[:, names.index(name)] for name in names}
    expected = sum(plain[name].log_slope(x[name]) for name in ("real", "gain"))
    expected = expected + found.few[0].log_density(x["few"])
    assert found.log_det(rows) == pytest.approx(expected)
    assert (TableMap.fit(codec, rows, ranks=False).log_det(rows) == 0).all()


def test_a_smooth_map_is_saved() -> None:
    codec, rows = encoded(COLUMNS)
    found = TableMap.fit(codec, rows, ranks=True, smooth=True)
    again = TableMap.of(*found.state())
    assert isinstance(again.margins, SmoothMargins)
    assert again.log_det(rows) == pytest.approx(found.log_det(rows))
    assert np.array_equal(again.split(rows)[0], found.split(rows)[0])
