"""The score that chooses a generator's weights: its formula, and what it sees."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ppgen.models.gan.held_out_score import HeldOutScore, Side, most_scored
from ppgen.models.nets.values import Values

NUMBERS = Values(2)


def normal(n, d=2, seed=0, scale=1.0):
    return torch.from_numpy(scale * np.random.default_rng(seed).normal(size=(n, d)))


def grid(n, sd, seed=0):
    """25 Gaussians; other standard deviations move the same draws."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(-2, 3, (n, 2)) * 2.0
    return torch.from_numpy((centres + sd * rng.normal(size=(n, 2))) / math.sqrt(8))


def scale_of(real):
    """The median distance to the nearest other row."""
    d = torch.cdist(real, real)
    d.fill_diagonal_(math.inf)
    return float(d.min(1).values.median())


def by_hand(rows, drawn, scale, owner=None, weights=None):
    """S_i with S_real = 0, pair by pair."""
    k = len(drawn)
    w = [1.0] * k if weights is None else weights.tolist()

    def d(a, b):
        return math.log1p(float((a - b).norm()) / scale)

    source = range(k) if owner is None else owner
    pairs = [(w[i] * w[j], d(drawn[i], drawn[j])) for i in range(k) for j in range(k)
             if source[i] != source[j]]  # fmt: skip
    within = sum(p * v for p, v in pairs) / sum(p for p, _ in pairs)
    out = []
    for i, x in enumerate(rows):
        to = [(w[j], d(x, drawn[j])) for j in range(k) if owner is None or owner[j] != i]
        out.append(within / 2 - sum(p * v for p, v in to) / sum(p for p, _ in to))
    return np.array(out)


def test_the_score_is_its_formula():
    rows, real, drawn = normal(7), normal(9, seed=1), normal(1000, seed=2)
    score = HeldOutScore(NUMBERS, Side(rows), Side(real))
    scale = scale_of(real)
    assert score.n_samples == most_scored(NUMBERS) == 1000
    assert score.contexts is None
    assert score.floor == pytest.approx(by_hand(rows, real, scale).mean(), rel=1e-4)
    some = drawn[:20]
    expected = by_hand(rows, some, scale) - score.floor
    np.testing.assert_allclose(score(some).numpy(), expected, atol=1e-5)


def test_training_rows_score_zero():
    rows, real = normal(30), normal(40, seed=1)
    shares = torch.from_numpy(np.random.default_rng(0).uniform(0.5, 1.5, 30))
    shares = shares / shares.mean()
    assert float(HeldOutScore(NUMBERS, Side(rows), Side(real))(real).mean()) == pytest.approx(
        0, abs=1e-6
    )
    weighted = HeldOutScore(NUMBERS, Side(rows, shares=shares), Side(real))
    assert float((weighted(real) * shares).mean()) == pytest.approx(0, abs=1e-6)


def test_contexts_are_part_of_a_row_and_pairs_that_share_one_are_left_out():
    rows, real = normal(4), normal(9, seed=1)
    context = torch.eye(2)[[0, 1, 1, 0]]
    shares = torch.tensor([0.5, 1.5, 1.2, 0.8])
    of_real = torch.eye(2)[torch.arange(9) % 2]
    score = HeldOutScore(NUMBERS, Side(rows, context, shares), Side(real, of_real))
    assert score.n_samples == 1000
    owner = np.arange(1000) % 4
    assert torch.equal(score.contexts, context[owner])
    drawn = normal(1000, seed=3)
    scale, apart = scale_of(real), torch.cdist(real, real)
    weight = float(apart[apart > 0].median()) / math.sqrt(2)
    beside = [torch.cat([x, weight * c], 1) for x, c in ((rows, context), (drawn, context[owner]))]
    few = slice(0, 12)  # by hand, of 12 samples: the same formula on fewer
    found = score._values(
        Side(drawn[few], context[owner][few], shares[owner][few]), torch.arange(12) % 4
    )
    expected = by_hand(beside[0], beside[1][few], scale, owner[few], shares[owner][few])
    np.testing.assert_allclose(found.numpy(), expected - score.floor, atol=1e-5)
    assert torch.isfinite(score(drawn)).all()


def test_the_right_spread_is_best_where_distances_themselves_do_not_tell():
    rows, real = grid(800, 0.05, seed=1), grid(800, 0.05, seed=2)
    score = HeldOutScore(NUMBERS, Side(rows), Side(real))
    means = {sd: float(score(grid(1000, sd, seed=3)).mean()) for sd in (0.025, 0.05, 0.1)}
    assert means[0.05] > max(means[0.025], means[0.1]) + 1e-3


def test_lost_modes_and_one_row_alone_are_worse():
    rows, real, drawn = grid(500, 0.05, seed=1), grid(500, 0.05, seed=2), grid(1000, 0.05, seed=3)
    score = HeldOutScore(NUMBERS, Side(rows), Side(real))
    best = float(score(drawn).mean())
    half = drawn[drawn[:, 0] > -0.1]
    one = drawn[:1].repeat(1000, 1)
    assert best > float(score(half).mean()) + 0.02 > float(score(one).mean()) + 0.5
    assert best == pytest.approx(0, abs=0.02)


def test_labels_that_are_swapped_are_worse():
    rows, real = normal(300), normal(300, seed=1)
    sides = [(x + 3 * (torch.arange(300) % 2)[:, None], torch.eye(2)[torch.arange(300) % 2])
             for x in (rows, real)]  # fmt: skip
    score = HeldOutScore(NUMBERS, Side(*sides[0]), Side(*sides[1]))
    label = score.contexts[:, 1:]
    drawn = normal(score.n_samples, seed=2)
    right, wrong = (float(score(drawn + 3 * at).mean()) for at in (label, 1 - label))
    assert right > wrong + 0.1


def test_indicators_count_as_a_column_does():
    values = Values(1, levels=(3,))
    rng = np.random.default_rng(0)
    codes = rng.choice(3, 4000, p=[0.5, 0.3, 0.2])
    x = torch.from_numpy(np.column_stack([rng.normal(size=4000), np.eye(3)[codes]]))
    score = HeldOutScore(values, Side(x[:50]), Side(x[:1000]))
    y = (x * score._gain).double()
    total = [float(y[:, at].var(0).sum()) for at in (slice(0, 1), slice(1, 4))]
    assert total == pytest.approx([1, 1], rel=0.1)


def test_few_and_equal_rows_are_scored_and_long_rows_are_fewer():
    ones = torch.ones(5, 2)
    score = HeldOutScore(NUMBERS, Side(ones), Side(ones))
    np.testing.assert_allclose(score(ones).numpy(), 0, atol=1e-6)
    assert most_scored(Values(3 * 64 * 64, shape=(3, 64, 64))) == 289
    assert most_scored(Values(3 * 256 * 256, shape=(3, 256, 256))) == 250
