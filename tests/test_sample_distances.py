"""Distances between sets of rows against closed forms, enumeration and cases worked by hand."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest

from ppgen import distances as in_blocks
from ppgen.energy import (
    SquaredDistance,
    energy_distance,
    energy_scores,
    gaussian_kernel,
    kernel_distance,
    kernel_scales,
    kernel_scores,
    minus_distance,
)
from ppgen.frechet import (
    corrected_frechet,
    frechet_distance,
    frechet_gaussian,
    polynomial_kernel,
)
from ppgen.neighbours import Neighbours, copies, duplicates, nearest

KERNELS = {
    "minus distance": minus_distance,
    "gaussian": gaussian_kernel([0.5, 2.0]),
    "polynomial": polynomial_kernel,
}


def rows(n, d=3, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def line(*places):
    return np.array(places, float)[:, None]


def test_neighbours_worked_by_hand_on_a_line():
    # Nearest neighbours of 0, 1, 3, 7 lie 1, 1, 2 and 4 away: balls [-1, 1], [0, 2], [1, 5], [3,
    # 11]. Of 1.5, 4, 20 the balls reach 2.5, 2.5 and 16.
    found = Neighbours(line(0, 1, 3, 7), k=1).of(line(1.5, 4, 20))
    assert found.precision == pytest.approx(2 / 3)  # 20 lies in none
    assert found.density == pytest.approx(4 / 3)  # 1.5 in two balls, 4 in two
    assert found.coverage == pytest.approx(3 / 4)  # that of 0 holds none
    assert found.recall == 1.0  # [-1, 4], [1.5, 6.5], [4, 36]
    assert Neighbours(line(0, 1, 3, 7), k=1).of(line(1.5, 4, 4.1)).recall == 3 / 4  # not 7


def test_more_neighbours_than_rows_are_all_of_them():
    assert Neighbours(line(0, 1, 3), k=9).k == 2
    assert Neighbours(line(0, 1, 3), k=9).of(line(0.5, 0.6)).coverage == 1.0


def test_neighbours_of_the_same_and_of_far_rows():
    real = rows(100)
    same, far = (Neighbours(real).of(real + shift) for shift in (0, 100))
    assert (same.precision, same.recall, same.coverage) == (1.0, 1.0, 1.0)
    assert same.density > 1  # each row lies in its own ball, and in those of its neighbours
    assert (far.precision, far.recall, far.density, far.coverage) == (0.0, 0.0, 0.0, 0.0)


def test_a_dropped_mode_lowers_coverage_and_recall_alone():
    real = np.concatenate([rows(100, 2), rows(100, 2, seed=1, shift=20.0)])
    found = Neighbours(real).of(rows(200, 2, seed=2))
    assert found.precision > 0.9
    assert found.coverage < 0.55
    assert found.recall < 0.55


def test_copies_and_duplicates_by_hand():
    train, held_out = line(*range(0, 40, 2)), line(*(x + 0.9 for x in range(0, 40, 2)))
    # Held-out rows are 0.9 away; half of the generated ones 0.1, half 1.
    generated = line(*(x + 0.1 for x in range(0, 20, 2)), *(x + 1.0 for x in range(20, 40, 2)))
    assert copies(train, generated, held_out) == pytest.approx((0.5, 0.5), abs=0.5)
    assert copies(train, generated, held_out)[0] == 0.5
    assert copies(line(*[0] * 20), line(*[0] * 9), line(*[0] * 9)) == (0.5, 0.5)  # ties
    real = line(*np.cumsum(np.arange(1, 41)))  # gaps 1, 2, 3, ...: few are unusually near
    paired = line(*np.repeat(np.arange(20) * 1000.0, 2))
    share, usual = duplicates(paired, real)
    assert share == 1.0
    assert usual == pytest.approx(0.05, abs=0.03)
    assert duplicates(paired[:10], real)[1] == duplicates(paired[:10], real[:10])[1]


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_blocks_change_nothing(kernel, monkeypatch):
    a, b = rows(37), rows(23, seed=1, shift=0.5)

    def found():
        near = Neighbours(a, k=3).of(b)
        spread = kernel_distance(a, b, kernel, replicates=5)
        parts = SquaredDistance.of(a, b, kernel)
        return [*near.to_json().values(), *spread.to_json().values(), *parts.parts, parts.noise]

    whole = found()
    monkeypatch.setattr(in_blocks, "_CELLS", 60)
    assert found() == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_squared_distances_are_unbiased_by_enumeration(kernel):
    # P puts 1/3 on each of three points, Q 1/4, 1/4, 1/2 on its own: every sample of two rows of P
    # and three of Q, weighted by its probability.
    p, q = rows(3, 2), rows(3, 2, seed=1)
    at_p, at_q = np.full(3, 1 / 3), np.array([0.25, 0.25, 0.5])
    within_p = at_p @ kernel(p, p) @ at_p
    within_q, cross = at_q @ kernel(q, q) @ at_q, at_p @ kernel(p, q) @ at_q
    expected = 0.0
    for i in product(range(3), repeat=2):
        for j in product(range(3), repeat=3):
            weight = at_p[list(i)].prod() * at_q[list(j)].prod()
            expected += weight * SquaredDistance.of(p[list(i)], q[list(j)], kernel).value
    assert expected == pytest.approx(within_p + within_q - 2 * cross, rel=1e-10)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_scores_average_to_half_the_distance_and_a_constant(kernel):
    a, b = rows(40), rows(30, seed=1, shift=0.5)
    among = [float(kernel(a[[i]], a[[j]])[0, 0]) for i, j in combinations(range(40), 2)]
    constant = -np.mean(among) / 2
    distance = SquaredDistance.of(a, b, kernel)
    mean = kernel_scores(a, b, kernel).mean()
    assert mean == pytest.approx(distance.value / 2 + constant, rel=1e-10)
    assert distance.parts.mean() == pytest.approx(distance.value, rel=1e-8)


def test_the_energy_score_is_that_of_its_definition():
    x, y = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 1.0]])
    between = np.hypot(3, 3)
    assert energy_scores(x, y)[0] == pytest.approx((5 + 1) / 2 - between / 2)
    assert energy_distance(y, y + 1e6) > 0
    assert energy_distance(line(0, 2), line(1, 5)) == pytest.approx(2 * 2.5 - 2 - 4)


def test_paired_scores_prefer_what_is_nearer():
    real, near, far = rows(200), rows(200, seed=1, shift=0.1), rows(200, seed=2, shift=0.6)
    for kernel in (minus_distance, gaussian_kernel(kernel_scales(real))):
        gap = kernel_scores(real, far, kernel) - kernel_scores(real, near, kernel)
        assert gap.mean() > 3 * gap.std() / np.sqrt(200)


def test_scales_reach_from_neighbours_to_all_rows():
    modes = np.repeat(line(0, 100), 50, axis=0) + rows(100, 1) / 100
    scales = kernel_scales(modes)
    assert scales[0] < 0.1
    assert 1 < scales[-1] / 50 < 3
    assert np.diff(np.log(scales)) == pytest.approx(np.diff(np.log(scales))[0])
    assert np.isfinite(kernel_scales(np.zeros((5, 2)))).all()


def test_frechet_distance_of_gaussians_in_closed_form():
    rng = np.random.default_rng(0)
    m, shift = rng.normal(size=3), np.array([1.0, -2.0, 0.5])
    root = rng.normal(size=(3, 3))
    a = root @ root.T
    assert frechet_gaussian(m, a, m, a) == pytest.approx(0, abs=1e-12)
    assert frechet_gaussian(m, a, m + shift, a) == pytest.approx(shift @ shift)
    assert frechet_gaussian(m, a, m, 4 * a) == pytest.approx(np.trace(a))  # (2 - 1)^2 tr A
    wide, narrow = np.diag([9.0, 4.0, 0.0]), np.diag([1.0, 1.0, 4.0])
    assert frechet_gaussian(m, wide, m, narrow) == pytest.approx(4 + 1 + 4)
    assert frechet_gaussian(m, a, m + 1, narrow) == pytest.approx(
        frechet_gaussian(m + 1, narrow, m, a)
    )


def test_frechet_distance_of_commuting_and_of_rotated_gaussians():
    # Both at once turned: the same distance. One of two dimensions against closed form: of 2 x 2
    # matrices tr (M^1/2) = sqrt(tr M + 2 sqrt(det M)).
    rng = np.random.default_rng(1)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    a, b = np.diag([1.0, 2.0, 3.0]), np.diag([3.0, 1e-8, 0.5])
    zero = np.zeros(3)
    turned = frechet_gaussian(zero, turn @ a @ turn.T, zero, turn @ b @ turn.T)
    assert turned == pytest.approx(frechet_gaussian(zero, a, zero, b), rel=1e-9)
    c, d = np.array([[2.0, 0.6], [0.6, 1.0]]), np.array([[1.0, -0.4], [-0.4, 3.0]])
    trace = np.sqrt(np.trace(c @ d) + 2 * np.sqrt(np.linalg.det(c) * np.linalg.det(d)))
    expected = np.trace(c) + np.trace(d) - 2 * trace
    assert frechet_gaussian(zero[:2], c, zero[:2], d) == pytest.approx(expected, rel=1e-10)


def test_an_affine_map_of_rows_moves_their_frechet_distance_as_it_should():
    a, b = rows(60), rows(60, seed=1, shift=0.4)
    found = corrected_frechet(a, b)
    assert corrected_frechet(5 + 3 * a, 5 + 3 * b) == pytest.approx(9 * found)
    moved = [frechet_distance(a + s, b, replicates=4, seed=3).value for s in (0, [1e3, 0, 0])]
    assert moved[1] == pytest.approx(moved[0] + 1e6 + 2e3 * (a - b).mean(axis=0)[0], rel=1e-3)


def test_the_bias_of_frechet_distances_is_taken_off():
    # Standard Gaussians 0.5 apart in one of 16 dimensions, 80 rows each: what is left of the bias,
    # over 30 samples, within 4 standard errors, and far below the bias itself.
    rng = np.random.default_rng(0)
    plain, corrected = [], []
    for _ in range(30):
        a, b = rng.normal(size=(2, 80, 16))
        b[:, 0] += 0.5
        moments = [(x.mean(axis=0), np.cov(x.T)) for x in (a, b)]
        plain.append(frechet_gaussian(*moments[0], *moments[1]) - 0.25)
        corrected.append(corrected_frechet(a, b) - 0.25)
    left = np.mean(corrected)
    assert np.mean(plain) > 0.2
    assert abs(left) < 4 * np.std(corrected) / np.sqrt(30)
    assert abs(left) < 0.15 * np.mean(plain)


@pytest.mark.parametrize("kernel", [minus_distance, polynomial_kernel, None])
def test_intervals_are_as_wide_as_other_rows_scatter(kernel):
    # Of 40 pairs of samples: their standard deviation, known to 11 %, and the mean interval.
    rng = np.random.default_rng(0)
    found = []
    for i in range(40):
        a, b = rng.normal(size=(2, 80, 1))
        b += 1
        if kernel is None:
            found.append(frechet_distance(a, b, seed=i, replicates=60))
        else:
            found.append(kernel_distance(a, b, kernel, seed=i, replicates=60))
    spread = np.std([e.value for e in found], ddof=1)
    assert np.mean([e.high - e.low for e in found]) / 3.92 == pytest.approx(spread, rel=0.35)
    assert all(e.low < e.value < e.high for e in found)


def test_the_noise_of_drawn_rows_is_that_of_other_draws():
    real = rows(100)
    drawn = [
        SquaredDistance.of(real, rows(80, seed=s, shift=0.5), minus_distance) for s in range(60)
    ]
    spread = np.std([d.value for d in drawn], ddof=1)
    assert np.mean([d.noise for d in drawn]) == pytest.approx(spread, rel=0.35)


def test_nearest_by_hand():
    assert nearest(line(0, 4, 10), line(1, 9)).tolist() == [1.0, 3.0, 1.0]


def test_the_order_of_rows_plays_no_part_in_the_correction_of_frechet_distances():
    rng = np.random.default_rng(0)
    centres, found = 3 * rng.normal(size=(5, 8)), []
    for _ in range(30):
        kinds = np.sort(rng.integers(0, 5, (2, 200)))  # sorted by kind, as files of rows often are
        found.append(corrected_frechet(*(centres[k] + rng.normal(size=(200, 8)) for k in kinds)))
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(30)
