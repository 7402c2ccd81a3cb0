"""Splits depend on a seed and on contents, never part copies, and part other equal rows as any."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppgen.data import as_dataset, row_hashes, split
from ppgen.data.dequantise import offsets
from ppgen.data.hashing import mix
from ppgen.errors import InputError

RNG = np.random.default_rng(0)


def as_sets(data, parts):
    rows = [tuple(r) for r in data.matrix().tolist()]
    return [{rows[i] for i in part} for part in parts]


@pytest.mark.parametrize("fractions", [(0.8, 0.1, 0.1), (0.5, 0.25, 0.25)])
@pytest.mark.parametrize("n", [3, 10, 57, 5000])
def test_sizes_are_as_asked(n, fractions):
    parts = split(RNG.normal(size=(n, 2)), fractions)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    for part, fraction in zip(parts, fractions, strict=True):
        assert abs(len(part) - fraction * n) <= 2
        assert len(part) > 0
        assert (np.diff(part) > 0).all()


def test_order_of_rows_plays_no_part():
    X = RNG.normal(size=(500, 3))
    order = RNG.permutation(500)
    a, b = as_dataset(X), as_dataset(X[order])
    assert as_sets(a, split(a)) == as_sets(b, split(b))
    np.testing.assert_array_equal(row_hashes(a)[order], row_hashes(b))
    assert as_sets(a, split(a, seed=1)) != as_sets(a, split(a, seed=2))


def as_counts(data, parts):
    rows = [tuple(r) for r in data.matrix().tolist()]
    return [Counter(rows[i] for i in part) for part in parts]


@given(st.integers(0, 1000), st.integers(3, 60), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_rows_equal_by_nature_are_parted_as_any_rows_whatever_their_order(seed, n, values):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, values, (n, 2)).astype(float)
    parts = split(X, seed=seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert [len(p) for p in parts] == [len(p) for p in split(rng.normal(size=(n, 2)), seed=seed)]
    order = rng.permutation(n)
    again = split(X[order], seed=seed)
    assert as_counts(as_dataset(X), parts) == as_counts(as_dataset(X[order]), again)


def test_parts_of_few_different_rows_have_the_same_support():
    X = RNG.integers(0, 4, (2000, 2)).astype(float)
    train, valid, test = as_counts(as_dataset(X), split(X))
    assert set(train) == set(valid) == set(test)
    # As a simple random sample of a tenth does: the counts of the 16 cells by chi-square.
    whole = train + valid + test
    expected = {row: 0.1 * count for row, count in whole.items()}
    chi2 = sum((test[row] - e) ** 2 / (0.9 * e) for row, e in expected.items())
    assert chi2 < 37.7  # 99.9 % of chi-square with 15 degrees of freedom


@given(st.integers(0, 1000), st.integers(6, 40))
@settings(max_examples=40, deadline=None)
def test_copies_never_straddle(seed, n):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"a": rng.normal(size=n), "b": rng.choice(["u", "v", None], n), "c": 1.5}
    ).iloc[rng.integers(0, n, 2 * n)]
    data = as_dataset(frame)
    part = np.empty(2 * n, int)
    for k, rows in enumerate(split(data, seed=seed)):
        part[rows] = k
    assert (frame.assign(part=part).groupby("a")["part"].nunique() == 1).all()


def test_one_large_group_upsets_one_part_only():
    X = RNG.normal(size=(3000, 2))
    groups = np.maximum(np.arange(3000) - 299, 0)
    for seed in range(5):
        parts = split(X, seed=seed, groups=groups)
        assert min(len(p) for p in parts) > 100
        assert sum(0 in groups[p] for p in parts) == 1


def test_hashes_see_what_rows_say():
    X = np.array([[0.0, np.nan], [-0.0, -np.nan], [0.0, 1.0]])
    a, b, c = row_hashes(as_dataset(X))
    assert a == b
    assert a != c
    single = X.astype(np.float32)
    np.testing.assert_array_equal(row_hashes(as_dataset(X)), row_hashes(as_dataset(single)))
    frame = pd.DataFrame(X, columns=["u", "v"])
    np.testing.assert_array_equal(row_hashes(as_dataset(X)), row_hashes(as_dataset(frame)))
    swapped = row_hashes(as_dataset(np.array([[1.0, 2.0], [2.0, 1.0]])))
    assert swapped[0] != swapped[1]
    texts = as_dataset({"t": ["a", "b", None, "a"]})
    hashes = row_hashes(texts)
    assert len(set(hashes.tolist())) == 3
    assert hashes[0] == hashes[3]
    assert len(set(row_hashes(as_dataset(RNG.normal(size=(10**5, 1)))).tolist())) == 10**5


def test_images_split_by_content():
    for dtype in (np.uint8, np.float32):
        images = (RNG.random((90, 5, 5)) * 200).astype(dtype)
        images[45:] = images[:45]
        data = as_dataset(images)
        parts = split(data)
        assert [len(p) for p in parts] == pytest.approx([72, 9, 9], abs=3)
        for part in parts:
            np.testing.assert_array_equal(np.sort(part % 45)[::2], np.sort(part % 45)[1::2])
        np.testing.assert_array_equal(row_hashes(data.take([7])), row_hashes(data)[[52]])


def test_dataset_parts():
    X = RNG.normal(size=(100, 2))
    data = as_dataset(X)
    sizes = [len(part) for part in (data.train, data.valid, data.test)]
    assert sizes == [80, 10, 10]
    assert data.train.schema is data.schema
    np.testing.assert_array_equal(data.test.matrix(), X[split(data)[2]])
    assert data.train.train is not data.train
    assert len(as_dataset(np.ones((10, 2))).test) == 1
    with pytest.raises(InputError, match="too few to split"):
        _ = as_dataset(X).grouped(np.zeros(100)).test
    with pytest.raises(InputError, match="sum to 1"):
        split(X, (0.5, 0.2, 0.2))
    with pytest.raises(InputError, match="comes out empty"):
        split(X, groups=np.zeros(100))


def test_mix_scatters():
    bits = mix(np.arange(4096, dtype=np.uint64))
    assert len(np.unique(bits)) == 4096
    ones = np.array([bin(int(b)).count("1") for b in bits])
    assert ones.mean() == pytest.approx(32, abs=0.3)


def test_noise_is_uniform_and_follows_the_row():
    data = as_dataset(RNG.normal(size=(4000, 3)))
    u = offsets(data, 3, draw=0)
    assert u.shape == (4000, 3)
    assert u.min() >= 0
    assert u.max() < 1
    assert u.mean(axis=0) == pytest.approx([0.5] * 3, abs=0.03)
    assert np.abs(np.corrcoef(u.T) - np.eye(3)).max() < 0.08
    np.testing.assert_array_equal(offsets(data.take([17, 4]), 3, draw=0), u[[17, 4]])
    assert (offsets(data, 3, draw=1) != u).all()
