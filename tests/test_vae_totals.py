"""Densities of `VAE` sum and integrate to one, over all values that a row can have."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import ppgen
from ppgen import VAE

from .vae_rows import SMALL, moons, of_all_kinds


@pytest.fixture(scope="module")
def vae():
    return VAE(1, **SMALL).fit(moons(300))


@pytest.fixture(scope="module")
def frame():
    return of_all_kinds()


@pytest.fixture(scope="module")
def mixed(frame):
    return VAE(2, **SMALL).fit(frame)


def total(found, width=1.0):
    """The sum of exp(values), which is unbiased, and 5 standard errors of it."""
    p = np.exp(found.values) * width
    return p.sum(), 5 * np.sqrt(np.sum((p * found.stderr) ** 2))


def test_a_density_integrates_to_one(vae):
    side = np.linspace(-8, 10, 91)
    points = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    mass, error = total(vae.log_density(points, n_samples=64), (side[1] - side[0]) ** 2)
    assert error < 0.05
    assert abs(mass - 1) < error + 1e-3


def test_masses_of_levels_sum_to_one():
    rng = np.random.default_rng(0)
    a = rng.choice(list("xyz"), 200)
    b = np.where(rng.random(200) < 0.8, a == "x", a != "x").astype(int)
    table = pd.DataFrame({"a": a, "b": b, "c": rng.choice(["u", "v"], 200)})
    settings = {**SMALL, "max_epochs": 60, "learning_rate": 1e-2}
    vae = VAE(1, **settings).fit(table, validation=table)
    cells = table.drop_duplicates().sort_values(["a", "b", "c"])
    assert len(cells) == 12
    found = vae.log_density(cells, n_samples=1500)
    assert found.measure == "mass"
    mass, error = total(found)
    assert abs(mass - 1) < error < 0.05
    shares = table.value_counts(normalize=True).sort_index().to_numpy()
    np.testing.assert_allclose(np.exp(found.values), shares, atol=0.06)


def test_a_mixed_table_sums_and_integrates_to_one(mixed, frame):
    real, counts = np.linspace(-6, 6, 25), np.arange(30)
    grid = pd.MultiIndex.from_product(
        [real, ["high", "low", "middle"], [0, 1], counts], names=list(frame)
    ).to_frame(index=False)
    found = mixed.log_density(ppgen.as_dataset(grid, mixed.schema_), n_samples=64)
    assert (found.measure, found.dequantised) == ("mixed", ("count",))
    assert found.gap == ("variational", "dequantisation")
    mass, error = total(found, real[1] - real[0])
    assert 0.95 - error < mass < 1 + error < 1.05  # counts go on


def test_a_rounded_column_has_a_density_in_its_units():
    rng = np.random.default_rng(0)
    x = (rng.normal(3, 1, size=(300, 1)) * 2).round() / 2
    vae = VAE(1, **SMALL).fit(x)
    found = vae.log_density(np.arange(-6, 14, 0.5)[:, None], n_samples=4096)
    assert (found.measure, found.dequantised) == ("density", ("x0",))
    mass, error = total(found, 0.5)
    assert 0.95 < mass < 1 + error < 1.05


@pytest.mark.parametrize(
    ("likelihood", "least"),
    [("auto", 0.97), ("categorical", 0.97), ("gaussian", 0.8), ("continuous_bernoulli", 0.85)],
)
def test_the_levels_of_a_pixel_sum_to_at_most_one(likelihood, least):
    rng = np.random.default_rng(0)
    x = np.clip(rng.normal(120, 50, size=(300, 1, 1)), 0, 255).astype(np.uint8)
    vae = VAE(1, likelihood=likelihood, **SMALL).fit(x)
    every = np.arange(256, dtype=np.uint8).reshape(-1, 1, 1)
    found = vae.log_density(every, n_samples=400)
    filled = likelihood in ("gaussian", "continuous_bernoulli")
    assert found.measure == "mass"
    assert found.dequantised == (("pixels",) if filled else ())
    mass, error = total(found)
    assert error < 0.1
    assert least - error < mass < 1 + error


def test_the_masses_of_two_pixels_sum_to_one():
    x = np.random.default_rng(0).random((200, 1, 2)) < 0.3
    x[:, :, 1] ^= x[:, :, 0]
    vae = VAE(1, **SMALL).fit(x)
    every = np.array([[[a, b]] for a in (0, 1) for b in (0, 1)], dtype=bool)
    mass, error = total(vae.log_density(every, n_samples=1000))
    assert abs(mass - 1) < error < 0.05
    vae = VAE(1, likelihood="gaussian", **SMALL).fit(x)  # filled, and cut at no edge
    mass, error = total(vae.log_density(every, n_samples=10_000))
    assert mass < 1 + error < 1.1
