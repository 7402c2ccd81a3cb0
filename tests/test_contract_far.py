"""One row far out, beyond what single precision holds: its log density is -inf, and the scores of
the others are what they are without it."""

from __future__ import annotations

import numpy as np
import pytest

from ppgen import VAE, GaussianMixture, NormalizingFlow

from .zoo import each, fitted, numbers

ROWS = numbers(8, seed=1)
POWERS = ("gmm-student",)  # the tails fall as powers: a logarithm of -1700 nats is a number


@each("density")
@pytest.mark.parametrize("far", [3.4e38, -3.4e38, 1.7e308])
def test_a_row_far_out_is_impossible_and_alone(name: str, far: float) -> None:
    model = fitted(name)
    expected = model.score_samples(ROWS)
    rows = np.insert(ROWS, 3, [[far, 0.0]], axis=0)
    rows = np.insert(rows, 6, [[10.0, far]], axis=0)
    rows = np.append(rows, [[far, -far]], axis=0)
    values = model.score_samples(rows)
    if name in POWERS:
        assert (np.isneginf(values) | (np.exp(values) == 0))[[3, 6, 10]].all()
    else:
        assert np.isneginf(values[[3, 6, 10]]).all()
    others = np.delete(values, [3, 6, 10])
    np.testing.assert_allclose(others, expected, rtol=1e-5)  # nets: blocks of another size


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tables_of_either_precision(dtype: type) -> None:
    far = np.insert(ROWS, 0, np.finfo(np.float32).max, axis=0).astype(dtype)
    for name in ("gmm", "flow-nsf", "vae"):
        values = fitted(name).score_samples(far)
        assert np.isneginf(values[0])
        assert np.isfinite(values[1:]).all()


def test_a_row_far_out_among_those_fitted_leaves_the_others_their_density() -> None:
    rows, held = numbers(300), numbers(200, seed=2)
    small = {"max_epochs": 15, "hidden": (16,), "random_state": 0}
    made = {
        "flow": lambda: NormalizingFlow(kind="realnvp", n_transforms=2, **small),
        "vae": lambda: VAE(2, batch_size=50, learning_rate=1e-2, n_importance=32, **small),
    }
    for make in made.values():
        clean = make().fit(rows, validation=held).score(held)
        far = make().fit(np.append(rows, [[1e6, 0.0]], axis=0), validation=held).score(held)
        assert far > clean - 1  # short fits; a scale of 1e6 would cost hundreds
    one = GaussianMixture(1, random_state=0).fit(rows)
    assert np.isfinite(one.score_samples(held * 1e6)).all()  # what is far, but holds, is a number
