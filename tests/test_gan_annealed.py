"""The density of generated rows with noise added: closed forms, and what it is compared with."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

import ppgen
from ppgen.data.codecs import fit_codec
from ppgen.density import LogDensity
from ppgen.errors import InputError
from ppgen.models.gan.annealed import annealed, annealing, in_units
from ppgen.models.nets.values import Values
from ppgen.models.nets.views import View

RNG = np.random.default_rng(0)
W, A, B = RNG.normal(size=(3, 2)), RNG.normal(size=(3, 1)), RNG.normal(size=3)
SIGMA = 0.5


class Linear(torch.nn.Module):
    """W z + A c + b."""

    def __init__(self):
        super().__init__()
        self.w, self.a, self.b = (
            torch.nn.Parameter(torch.tensor(p, dtype=torch.float32)) for p in (W, A, B)
        )

    def forward(self, z, context=None):
        rows = z @ self.w.T + self.b
        return rows if context is None else rows + context @ self.a.T


def nets(levels=()):
    view = SimpleNamespace(values=Values(3, levels))
    architecture = SimpleNamespace(net="mlp", latent=2)
    return SimpleNamespace(
        generator=Linear(), view=view, architecture=architecture, device=torch.device("cpu")
    )


def exact(rows, shift=0.0):
    gaussian = multivariate_normal(B, W @ W.T + SIGMA**2 * np.eye(3))
    return gaussian.logpdf(rows - shift)


def test_a_linear_generator_has_its_gaussian_density():
    rows = RNG.normal(size=(3, 3)) + B
    seeds = np.arange(3, dtype=np.uint64)
    found = annealed(nets(), rows, None, seeds, SIGMA, annealing(30, 32))
    off = found.log_mean - exact(rows)
    assert (np.abs(off) < 5 * found.stderr + 0.01).all()
    assert (found.stderr < 0.3).all()
    assert (found.ess > 5).all()


def test_what_a_row_is_conditioned_on_moves_its_density():
    rows, context = RNG.normal(size=(2, 3)) + B, RNG.normal(size=(2, 1))
    found = annealed(nets(), rows, context, np.ones(2, np.uint64), SIGMA, annealing(30, 32))
    off = found.log_mean - exact(rows, context @ A.T)
    assert (np.abs(off) < 5 * found.stderr + 0.01).all()


def test_levels_are_refused():
    with pytest.raises(InputError, match="discrete columns"):
        annealed(nets((2,)), np.zeros((1, 5)), None, np.ones(1, np.uint64), 1.0, annealing(2, 1))


def test_densities_of_rows_with_noise_are_ranked_with_their_like_alone():
    values = np.random.default_rng(0).normal(size=200)
    of_rows = LogDensity(values - 1, "exact", "closed form")
    same, other = (LogDensity(values, "estimate", "AIS", noise=s) for s in (0.1, 0.2))
    worse = LogDensity(values - 0.5, "estimate", "AIS", noise=0.1)
    table = ppgen.compare([("a", of_rows), ("b", same), ("c", worse), ("d", other)])
    assert [m.rank for m in table] == [1, 2, 1, 1]
    assert table["c"].difference.outcome == "worse"
    assert table["a"].difference is None
    assert table["d"].measure == "density with noise 0.2"
    assert "estimate, density with noise 0.1, AIS" in same.describe()


def test_a_gan_says_that_it_has_no_density_and_what_there_is():
    rows = np.random.default_rng(1).normal(size=(60, 2))
    gan = ppgen.GAN(2, hidden=(8,), batch_size=20, max_epochs=2, random_state=0).fit(rows)
    for name in ("log_density", "score_samples", "score"):
        assert not hasattr(gan, name)
        with pytest.raises(AttributeError, match=f"no {name}: its rows have no density. Compare"):
            getattr(gan, name)
    found = gan.annealed_log_density(rows[:3], sigma=0.5, n_chains=4, n_temperatures=10)
    assert (len(found), found.kind, found.noise) == (3, "estimate", 0.5)
    assert np.isfinite(found.values).all()
    assert found.diagnostics["ess"].shape == found.stderr.shape == (3,)
    assert (found.diagnostics["ess"] <= 4).all()
    again = gan.annealed_log_density(rows[:3], sigma=0.5, n_chains=4, n_temperatures=10)
    assert (again.values == found.values).all()
    with pytest.raises(InputError, match="sigma is 0"):
        gan.annealed_log_density(rows, sigma=0)


def test_the_density_of_columns_is_per_unit_of_the_data():
    rows = 1000.0 + 50.0 * np.random.default_rng(2).normal(size=(60, 1))
    how = {"hidden": (8,), "batch_size": 20, "max_epochs": 2, "random_state": 0}
    gan = ppgen.GAN(2, margins="none", **how).fit(rows)
    grid = np.linspace(600, 1400, 81)
    found = gan.annealed_log_density(grid[:, None], sigma=0.7, n_chains=8, n_temperatures=20)
    # Log means of random weights are a little low.
    assert np.exp(found.values).sum() * (grid[1] - grid[0]) == pytest.approx(1, abs=0.06)
    assert found.method.endswith("noise in standard deviations")
    gan = ppgen.GAN(2, **how).fit(rows)
    found = gan.annealed_log_density(rows[:2], sigma=0.7, n_chains=2, n_temperatures=5)
    assert found.method.endswith("noise and density in normal scores of ranks")


@pytest.mark.parametrize("make", [np.asarray, ppgen.sequences], ids=["images", "sequences"])
def test_the_density_of_images_and_sequences_is_per_unit_of_the_data(make):
    x = np.random.default_rng(3).integers(0, 256, (30, 5, 4)).astype(float)
    found = []
    for unit in (1.0, 255.0):
        data = ppgen.as_dataset(make(x / unit))
        codec = fit_codec(data)
        view, rows = View.of(codec), codec.encode(data)
        seen = np.asarray(view.values.enter(view.stored(rows)))
        log_det, words = in_units(codec, view, rows)
        found.append((seen, log_det))
        if make is np.asarray:
            assert words == "noise in pixels from -1 to 1"
            slope = np.ptp(seen) / np.ptp(x / unit)
            assert log_det[0] == pytest.approx(20 * np.log(slope))
    np.testing.assert_allclose(found[0][0], found[1][0], atol=1e-9)
    np.testing.assert_allclose(found[1][1] - found[0][1], 20 * np.log(255))
