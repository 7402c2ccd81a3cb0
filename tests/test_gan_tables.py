"""What the nets of a GAN see of a table, and back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr
from scipy.stats import ks_2samp, kstest

from ppgen import InputError
from ppgen.data import Codec, as_dataset
from ppgen.models.nets.margins import Margin, Margins
from ppgen.models.nets.tables import TableMap, features
from ppgen.models.nets.told import Told, rarity


def table(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """Numbers of every kind: heavy tails, an atom, few values, whole numbers, a circle; levels."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(3, size=n)
    gain = np.where(rng.random(n) < 0.8, 0, rng.integers(1, 50, n) * 100)
    return pd.DataFrame(
        {
            "heavy": rng.standard_cauchy(n),
            "gain": gain,
            "years": rng.integers(1, 13, n),
            "price": rng.gamma(2.0, 10.0, n).round(2),
            "age": rng.integers(17, 90, n),
            "share": np.where(rng.random(n) < 0.3, 0.0, rng.random(n)),
            "angle": rng.uniform(0, 360, n).round(),
            "kind": np.array(["lo", "mid", "hi"])[kind],
            "ringed": rng.random(n) < 0.4,
        }
    )


@pytest.mark.parametrize("ranks", [True, False])
@pytest.mark.parametrize("told", [(), ("kind", "age", "years")])
def test_rows_come_back_exactly(ranks: bool, told: tuple[str, ...]) -> None:
    frame = table()
    data = as_dataset(frame).override(
        {
            "share": {"kind": "interval", "lower": 0, "upper": 1},
            "angle": {"kind": "circular", "period": 360},
        }
    )
    codec = Codec.fit(data)
    encoded = codec.encode(data, np.random.default_rng(1).random((len(data), 7)))
    table_map = TableMap.fit(codec, encoded, ranks=ranks, told=told)
    made, context = table_map.split(encoded, np.random.default_rng(2))
    assert made.shape[1] == table_map.made.size
    assert context.shape[1] == table_map.context.size == len(told)
    state, arrays = table_map.state()
    seen = features(table_map.made, made)
    again = table_map.made.gathered(seen)  # through what the nets see
    joined = TableMap.of(state, arrays).joined(again, context, np.random.default_rng(3))
    back = codec.decode(joined)
    before = codec.decode(encoded)
    for name in codec.schema.names:
        if before[name].dtype == object:
            assert (back[name] == before[name]).all()
        else:
            np.testing.assert_allclose(back[name], before[name], rtol=1e-6, atol=1e-9)
    # Cells are filled in as those of the rows are.
    assert ks_2samp(joined.x[:, 2], encoded.x[:, 2]).pvalue > 0.01
    assert table_map.made.numbers + table_map.context.numbers == (6 if ranks else 7)


def test_scores_are_normal_whatever_the_column_is() -> None:
    rng = np.random.default_rng(0)
    tied = np.where(rng.random(5000) < 0.6, 2.0, rng.exponential(size=5000).round(1))
    x = np.column_stack([rng.standard_cauchy(5000), tied])
    margins = Margins.fit(x)
    assert margins.tied
    for scores in margins.scores(x, rng).T:
        assert kstest(scores, "norm").pvalue > 0.01
    np.testing.assert_array_equal(margins.numbers(margins.scores(x, rng))[:, 1], tied)


def test_samples_of_normal_scores_have_the_margins_ties_and_ends_of_the_rows() -> None:
    rng = np.random.default_rng(0)
    x = np.repeat([0.0, 3.0, 10.0], [70, 20, 10])
    drawn = Margin.fit(x).numbers(rng.normal(size=20_000))
    values, counts = np.unique(drawn, return_counts=True)
    np.testing.assert_array_equal(values, [0.0, 3.0, 10.0])
    np.testing.assert_allclose(counts / 20_000, [0.7, 0.2, 0.1], atol=0.012)
    free = Margin.fit(rng.normal(size=50))
    assert free.numbers(np.array([-9.0, 9.0])).tolist() == [free.x[0], free.x[-1]]


def test_scores_by_hand() -> None:
    margin = Margin.fit(np.array([1.0, 2.0, 2.0, 5.0]))
    p = ndtr(margin.scores(np.array([1.0, 2.0, 2.0, 5.0, 1.5, 0.0, 9.0]), np.full(7, 0.25)))
    # One row has 1: the middle of [0, 1/4]; two have 2: [1/4, 3/4]; between, straight lines.
    np.testing.assert_allclose(p, [0.125, 0.375, 0.375, 0.875, 0.1875, 0.125, 0.875])
    weighted = Margin.fit(np.array([1.0, 2.0, 5.0]), np.array([1.0, 2.0, 1.0]))
    np.testing.assert_allclose(
        ndtr(weighted.scores(np.array([1.0, 2.0, 5.0]))), [0.125, 0.5, 0.875]
    )


def test_many_rows_keep_few_knots_and_their_atoms() -> None:
    rng = np.random.default_rng(0)
    x = np.where(rng.random(20_000) < 0.1, 0.0, rng.normal(size=20_000))
    margin, every = Margin.fit(x, most=100), Margin.fit(x, most=10**6)
    assert len(margin.x) <= 100
    at = margin.x == 0
    np.testing.assert_allclose((margin.high - margin.low)[at], np.mean(x == 0))
    p, q = ndtr(margin.scores(x)), ndtr(every.scores(x))
    assert np.abs(p - q).max() < 0.011
    # The last knot is the greatest value, also where shares do not sum to 1 exactly.
    for seed in range(20):
        weights = np.random.default_rng(seed).random(5000)
        some = Margin.fit(np.arange(5000.0), weights, most=100)
        assert (some.x[-1], some.high[-1] > 0.999) == (4999.0, True)


def test_gaps_stay_gaps_and_levels_never_seen_are_no_level() -> None:
    frame = table()
    codec = Codec.fit(as_dataset(frame))
    encoded = codec.encode(as_dataset(frame))
    encoded.x[0], encoded.codes[0] = np.nan, -1
    encoded.codes[1] = -2
    table_map = TableMap.fit(codec, encoded.take(slice(2, None)))
    made, _ = table_map.split(encoded)
    assert np.isnan(made[0]).all()
    values = table_map.made
    assert not np.nan_to_num(features(values, made)[0, values.numbers :]).any()
    assert not features(values, made)[1, -5:].any()


def told() -> Told:
    """Two levels and a number; 0 goes with 0 only."""
    from ppgen.models.nets.values import Values

    rows = np.array([[0.0, 0, 0], [2.0, 1, 0], [2.1, 1, 1], [-2.0, 1, 1]])
    return Told.fit(("x", "a", "b"), Values(1, (2, 2)), rows, None, np.random.default_rng(0))


def test_what_is_not_given_is_drawn_from_rows_that_match() -> None:
    rng, free = np.random.default_rng(0), np.nan
    every = told().draw(500, None, rng)
    assert len(np.unique(every, axis=0)) == 4
    some = told().draw(500, np.array([free, 1, free]), rng)
    assert set(some[:, 0]) == {2.0, 2.1, -2.0}
    assert (some[:, 1] == 1).all()
    near = told().draw(100, np.array([1.95, free, free]), rng)
    assert (near[:, 0] == 1.95).all()
    assert set(near[:, 2]) == {0.0, 1.0}
    far = told().draw(100, np.array([7.0, free, 0]), rng)  # beyond all rows: the nearest
    assert (far[:, 0] == 7.0).all()
    assert (far[:, 1] == 1).all()
    whole = np.array([7.0, 0, 1])  # all given: nothing to match
    np.testing.assert_array_equal(told().draw(2, whole, rng), [whole, whole])


def test_what_cannot_be_matched_says_what_to_give() -> None:
    with pytest.raises(InputError, match=r"values given of a, b together.*Give x too, or fewer"):
        told().draw(1, np.array([np.nan, 0, 1]), np.random.default_rng(0))


def test_rare_levels_are_drawn_more_often() -> None:
    from ppgen.models.nets.values import Values

    rows = np.repeat([[0.3, 0.0], [0.1, 1.0]], [99, 1], axis=0)
    often = rarity(Values(1, (2,)), rows)
    shares = [often[:99].sum() / often.sum(), often[99] / often.sum()]
    np.testing.assert_allclose(shares, np.sqrt([0.99, 0.01]) / (np.sqrt(0.99) + 0.1))
    np.testing.assert_array_equal(rarity(Values(2), rows), 1.0)
