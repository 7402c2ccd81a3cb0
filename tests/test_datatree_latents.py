"""DataTrees of models with latents: what stands in which group, of whose rows."""

from __future__ import annotations

import numpy as np
import pytest

import ppgen
from ppgen import Autoencoder, to_datatree
from ppgen.errors import InputError
from ppgen.models.vae import VAE


def table(n: int = 120) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    z = rng.normal(size=n)
    kind = np.array(["low", "high"], object)[(z > 0).astype(int)]
    return {"a": z + 0.3 * rng.normal(size=n), "b": -z + 0.3 * rng.normal(size=n), "kind": kind}


def pictures(n: int = 60) -> np.ndarray:
    ramp = np.linspace(0, 1, 16).reshape(1, 1, 4, 4)
    level = np.random.default_rng(0).random((n, 1, 1, 1))
    return (np.random.default_rng(1).random((n, 1, 4, 4)) < level * ramp).astype(np.uint8)


@pytest.fixture(scope="module")
def vae() -> VAE:
    return VAE(2, hidden=[8], max_epochs=3, n_importance=8, random_state=0).fit(table())


@pytest.fixture(scope="module")
def autoencoder() -> Autoencoder:
    return Autoencoder(2, hidden=[8], max_epochs=3, random_state=0).fit(table())


def test_of_a_vae(vae: VAE) -> None:
    rows = table()
    tree = to_datatree(vae, rows, num_replicates=5)
    assert tree["posterior/z"].dims == ("chain", "draw", "row", "latent")
    assert tree["posterior/z"].shape == (1, 5, 120, 2)
    assert "by the encoder" in tree["posterior"].attrs["note"]
    np.testing.assert_allclose(
        tree["log_likelihood/joint"].values[0, 0], vae.score_samples(rows), rtol=1e-6
    )
    assert tree["posterior_predictive/a"].shape == (1, 5, 120)
    assert tree["sample_stats/loss"].dims == ("record",)
    assert (tree.attrs["family"], tree.attrs["kind"]) == ("vae", "lower_bound")


def test_draws_of_the_latents_are_those_of_the_encoder(vae: VAE) -> None:
    z = to_datatree(vae, table(), num_replicates=2000)["posterior/z"]
    assert z.shape == (1, 2000, 120, 2)
    # Six standard errors, of standard deviations of at most about one.
    np.testing.assert_allclose(
        z.mean(["chain", "draw"]), vae.encode(table()), atol=6 * 1.2 / 2000**0.5
    )


def test_of_an_autoencoder(autoencoder: Autoencoder) -> None:
    rows = table()
    tree = to_datatree(autoencoder, rows)
    assert "log_likelihood" not in tree.children
    np.testing.assert_allclose(tree["posterior/z"].values[0, 0], autoencoder.encode(rows))
    assert "code of each row" in tree["posterior"].attrs["note"]
    np.testing.assert_allclose(
        tree["sample_stats/reconstruction_error"], autoencoder.reconstruction_error(rows)
    )
    expected = tree["posterior_predictive"]
    assert expected["a"].shape == (1, 1, 120)
    np.testing.assert_allclose(expected["a"].values[0, 0], autoencoder.reconstruct(rows)["a"])
    assert "without noise" in expected.attrs["note"]
    assert tree.attrs["kind"] == "none"


def test_of_images() -> None:
    images = pictures()
    fit = Autoencoder(2, hidden=[8], max_epochs=2, random_state=0).fit(images)
    tree = to_datatree(fit, images)
    assert tree["observed_data/image"].dims == ("row", "channel", "height", "width")
    assert tree["posterior_predictive/image"].shape == (1, 1, 60, 1, 4, 4)


def test_of_rows_given_labels() -> None:
    rows = table()
    y = rows.pop("kind")
    fit = VAE(2, hidden=[8], max_epochs=2, n_importance=8, conditional=True, random_state=0)
    fit.fit(rows, y)
    tree = to_datatree(fit, rows, y, num_replicates=3)
    drawn = fit.sample_posterior(rows, y, n=3, random_state=0)
    np.testing.assert_allclose(tree["posterior/z"].values[0], drawn)
    np.testing.assert_allclose(
        tree["log_likelihood/joint"].values[0, 0], fit.score_samples(rows, y), rtol=1e-6
    )
    assert tree["posterior_predictive/a"].shape == (1, 3, 120)
    # Without labels the densities are summed over them; there are no codes then.
    assert "posterior" not in to_datatree(fit, rows, num_replicates=0).children


def test_a_model_of_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = ppgen.Gaussian().fit({"a": np.arange(9.0)})
    monkeypatch.setattr(type(fit), "capabilities", ppgen.capabilities.Capabilities(density=None))
    with pytest.raises(InputError, match="neither density nor latents"):
        to_datatree(fit, {"a": np.arange(9.0)})
