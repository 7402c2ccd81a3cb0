"""Histograms, weights and draws of debiasing against what they are by hand; groups and labels."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ppgen import DebiasingVAE
from ppgen.errors import InputError
from ppgen.models.classifier import numbers, vector
from ppgen.models.debias.group_comparison import Comparison
from ppgen.models.debias.resampling import Histograms, Resampling, draw, effective_share, normalised
from ppgen.models.group_accuracy import balanced, group_accuracy


def of(means, variances=None, **settings):
    means = np.asarray(means, dtype=np.float64)
    variances = np.zeros_like(means) if variances is None else variances
    return Histograms.of(means, variances, **{"bins": 4, "smoothing": 0.0} | settings)


def test_counts_are_those_of_numpy_and_without_smoothing_the_density_too():
    means = np.random.default_rng(0).normal(size=(500, 3))
    found = of(means, bins=20)
    for i in range(3):
        counts, edges = np.histogram(means[:, i], bins=20)
        np.testing.assert_array_equal(found.counts[i], counts)
        np.testing.assert_allclose(found.edges[i], edges)
        np.testing.assert_allclose(found.density[i], counts / counts.max(), atol=1e-12)


def test_weights_of_rows_count_as_rows_given_as_often():
    means = np.random.default_rng(1).normal(size=(60, 2))
    times = np.arange(60) % 3
    given = of(np.repeat(means, times, 0), bins=5, smoothing=1.0)
    # The ends of the histogram are those of all rows: none of the outer ones has weight 0.
    means[times == 0] = means[times > 0].mean(0)
    weighted = of(means, bins=5, smoothing=1.0, weights=times.astype(float))
    np.testing.assert_allclose(weighted.counts, given.counts)
    np.testing.assert_allclose(weighted.density, given.density)


def test_smoothing_is_a_gaussian_mean_over_the_bins_there_are():
    means = np.repeat([0.0, 1.0, 2.0, 3.0], [8, 1, 4, 2])[:, None]
    width, s, v = 3 / 4, 0.7, 0.3
    found = of(means, np.full((15, 1), v), smoothing=s)
    spread = math.sqrt((s * width) ** 2 + v)
    centres = width * np.arange(4)
    kernel = np.exp(-0.5 * ((centres[:, None] - centres) / spread) ** 2)
    smooth = kernel @ [8, 1, 4, 2] / kernel.sum(1)
    np.testing.assert_allclose(found.density[0], smooth / smooth.max())


def test_a_latent_that_says_nothing_weighs_all_rows_alike():
    means = 0.01 * np.random.default_rng(2).normal(size=(100, 1))
    found = of(means, np.ones((100, 1)))
    np.testing.assert_allclose(found.log_weights(means, 0.01), -math.log(1.01), atol=1e-3)
    same = of(np.full((5, 1), 3.0))
    assert np.ptp(same.log_weights(np.full((5, 1), 3.0), 0.1)) == 0


def test_weights_are_the_inverse_of_density_and_alpha_by_product_and_by_maximum():
    # In each latent 9 rows at 0 and one at 1: densities 1 and 1/9 at the middles of two bins.
    means = np.zeros((10, 2))
    means[8, 0] = means[9, 1] = 1.0
    found = of(means, bins=2)
    middles = np.array([[0.25, 0.25], [0.75, 0.25], [0.75, 0.75]])
    a, common, rare = 0.1, -math.log(1.1), -math.log(1 / 9 + 0.1)
    np.testing.assert_allclose(found.log_weights(middles, a), [2 * common, common + rare, 2 * rare])
    np.testing.assert_allclose(found.log_weights(middles, a, "max"), [common, rare, rare])
    # Beyond the rows fitted the ends go on.
    np.testing.assert_allclose(found.at(np.array([[-9.0, 9.0]])), [[1, 1 / 9]])
    ratio = np.exp(found.log_weights(np.array([[9.0, 0.0], [0.0, 0.0]]), 1e-3))
    assert ratio[0] / ratio[1] < (1 + 1e-3) / 1e-3


def test_probabilities_are_shared_out_within_classes():
    log_w = np.log([1.0, 3.0, 2.0, 2.0, 5.0])
    classes = np.array([0, 0, 1, 1, 1])
    found = normalised(log_w + 700, classes, np.array([0.4, 0.6]))
    np.testing.assert_allclose(found, [0.1, 0.3, 0.6 * 2 / 9, 0.6 * 2 / 9, 0.6 * 5 / 9])
    weighted = normalised(log_w, classes, np.array([0.4, 0.6]), np.array([3.0, 1, 1, 1, 0]))
    np.testing.assert_allclose(weighted, [0.2, 0.2, 0.3, 0.3, 0])
    # A class without rows leaves its share to the others.
    alone = normalised(log_w[:2], classes[:2], np.array([0.4, 0.6]))
    np.testing.assert_allclose(alone, [0.25, 0.75])


def test_draws_are_a_pure_function_of_probabilities_seed_and_epoch():
    p = np.random.default_rng(3).dirichlet(np.ones(200))
    np.testing.assert_array_equal(draw(p, 5, 7), draw(p, 5, 7))
    assert not np.array_equal(draw(p, 5, 7), draw(p, 5, 8))
    assert not np.array_equal(draw(p, 5, 7), draw(p, 6, 7))


def test_rows_are_drawn_as_often_as_their_probability_says_to_within_one():
    p = np.random.default_rng(4).dirichlet(np.ones(50))
    counts = np.array([np.bincount(draw(p, 0, epoch), minlength=50) for epoch in range(2000)])
    assert (counts.sum(1) == 50).all()
    assert (np.abs(counts - 50 * p) < 1 + 1e-9).all()
    # Of a Bernoulli rest r the mean of 2000 has the deviation sqrt(r (1 - r) / 2000) <= 0.0112.
    np.testing.assert_allclose(counts.mean(0), 50 * p, atol=0.05)
    even = draw(np.full(50, 1 / 50), 0, 0)
    np.testing.assert_array_equal(np.sort(even), np.arange(50))


def test_held_out_rows_are_weighed_by_the_histograms_of_those_trained_on():
    settings: Any = SimpleNamespace(
        bins=2, smoothing=0.0, alpha=0.1, combine="product", resample=True
    )
    resampling = Resampling(settings, np.array([0.5, 0.5]), modelled=0)
    means = np.array([[0.0], [0.0], [0.0], [1.0], [5.0], [5.0]])
    classes = np.array([0, 0, 0, 0, 1, 1])
    histograms = resampling.histograms(means, np.zeros((6, 1)), classes, None)
    seen = resampling.probabilities(histograms, means, classes)
    others = np.array([[1.0], [0.0], [1.0]])
    unseen = resampling.probabilities(histograms, others, np.array([0, 0, 1]))
    # In class 0 densities are 1 at 0 and 1/3 at 1; class 1 is not modelled.
    common, rare = 1 / 1.1, 1 / (1 / 3 + 0.1)
    total = 3 * common + rare
    np.testing.assert_allclose(seen, [*[common / total / 2] * 3, rare / total / 2, 0.25, 0.25])
    expected = [rare / (common + rare) / 2, common / (common + rare) / 2, 0.5]
    np.testing.assert_allclose(unseen, expected)


def test_the_effective_share():
    assert effective_share(np.full(8, 0.125)) == pytest.approx(1)
    assert effective_share(np.array([0.5, 0.5, 0, 0])) == pytest.approx(1)
    assert effective_share(np.array([1 - 1e-9, *[1e-9 / 3] * 3])) == pytest.approx(0.25)


# Groups and labels


def test_group_accuracies_and_the_worst():
    right = np.array([1, 1, 0, 1, 0, 0, 1, 1], dtype=bool)
    groups = np.array(["a", "a", "a", "b", "b", "b", "c", "c"])
    found = group_accuracy(right, groups)
    assert [(g.name, g.count, g.right) for g in found] == [("a", 3, 2), ("b", 3, 1), ("c", 2, 2)]
    assert found.worst.name == "b"
    assert found.accuracy == 5 / 8
    p = 1.5 / 4
    assert found.worst.stderr == pytest.approx(math.sqrt(p * (1 - p) / 3))
    assert 0 < next(g for g in found if g.name == "c").stderr < 0.5
    assert "b: 0.333" in str(found)
    assert "(worst)" in str(found).splitlines()[2]
    assert len(found) == 3


def test_groups_of_two_columns_and_balancing():
    table = np.array([[0, 1], [0, 1], [0, 0], [1, 0]])
    found = group_accuracy(np.ones(4, dtype=bool), table)
    assert [g.name for g in found] == [(0, 0), (0, 1), (1, 0)]
    np.testing.assert_allclose(balanced(table, 4), [2 / 3, 2 / 3, 4 / 3, 4 / 3])


@pytest.mark.parametrize("groups", [[1, 2], np.zeros((3, 1, 1)), 4])
def test_groups_that_are_not_one_a_row_are_refused(groups):
    with pytest.raises(InputError, match="one group a row"):
        group_accuracy(np.ones(3, dtype=bool), groups)


def test_groups_with_gaps_are_refused():
    with pytest.raises(InputError, match="NaN"):
        balanced(np.array([1.0, np.nan]), 2)


def test_a_comparison_is_paired_by_seed():
    groups = np.array([0] * 10 + [1] * 10)

    def fit(first, second):
        right = np.r_[np.arange(10) < first, np.arange(10) < second]
        return group_accuracy(right, groups)

    found = Comparison(
        (0, 1, 2),
        {
            "plain": (fit(9, 4), fit(9, 5), fit(3, 8)),
            "debiasing": (fit(8, 6), fit(9, 6), fit(6, 6)),
        },
    )
    np.testing.assert_allclose(found.worst("plain"), [0.4, 0.5, 0.3])
    np.testing.assert_allclose(found.accuracy("debiasing"), [0.7, 0.75, 0.6])
    np.testing.assert_allclose(found.by_group("plain")[1], [0.4, 0.5, 0.8])
    gains = np.array([0.2, 0.1, 0.3])
    assert found.gain() == pytest.approx((0.2, gains.std(ddof=1) / math.sqrt(3)))
    assert "+0.200 ± 0.058" in str(found)
    once = {way: accuracies[:1] for way, accuracies in found.accuracies.items()}
    assert math.isnan(Comparison((0,), once).gain()[1])


def test_labels_of_all_kinds():
    for y in (["b", "a", "b"], [True, False, True], [7, 3, 7], np.array(["b", "a", "b"], object)):
        classes, codes = np.unique(vector(y), return_inverse=True)
        np.testing.assert_array_equal(codes, [1, 0, 1])
        np.testing.assert_array_equal(numbers(y, classes, 3), [1, 0, 1])


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (None, "requires y"),
        ([0.1, 0.7, 0.3], "continuous"),
        ([1.0, np.nan, 2.0], "NaN"),
        (np.array(["a", None, "b"], object), "None"),
        (np.array(["a", 1, "b"], object), "mixes"),
        ([], "empty"),
        (np.zeros((3, 2)), "no vector"),
    ],
)
def test_what_is_no_label_is_refused(y, said):
    with pytest.raises(InputError, match=said):
        DebiasingVAE(max_epochs=1, random_state=0).fit(np.eye(3), y)


def test_labels_that_were_not_fitted_are_refused():
    classes = np.array(["cat", "dog"])
    with pytest.raises(InputError, match="holds emu; the fit knows 'cat', 'dog'"):
        numbers(["cat", "emu"], classes, 2)
    with pytest.raises(InputError, match="1 values and X has 2 rows"):
        numbers(["cat"], classes, 2)
