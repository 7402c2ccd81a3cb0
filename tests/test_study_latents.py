"""Studies of models with latents: what is kept of them, ranked and shown in the report."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppgen import Autoencoder
from ppgen.data import as_dataset
from ppgen.models.vae import VAE
from ppgen.study import StudyResult, run_study
from ppgen.study.latent_scores import bound_parts, factors_of
from ppgen.study.run_cell import read_looks
from ppgen.study.table import rendered

from .study_toys import Inline

SMALL: dict[str, Any] = {"hidden": [16], "max_epochs": 4}


def bars(n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (n, 1, 6, 6) of 0 and 1 with a bar, and its place and length."""
    rng = np.random.default_rng(seed)
    place, length = rng.integers(0, 6, n), rng.integers(1, 7, n)
    rows = np.arange(6)
    images = (rows[None, :, None] == place[:, None, None]) & (rows < length[:, None, None])
    noisy = images ^ (rng.random(images.shape) < 0.03)
    return noisy[:, None].astype(np.uint8), np.column_stack([place, length])


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    images, factors = bars()
    data = as_dataset(images)
    pictures = type(data)(data.schema, like=data.like, images=data.images, target=factors)
    rng = np.random.default_rng(0)
    z = rng.normal(size=150)
    table = {name: z + 0.2 * rng.normal(size=150) for name in "abc"}
    models = {
        "vae": VAE(3, n_importance=16, **SMALL),
        "autoencoder": Autoencoder(2, **SMALL),
        "coarse": Autoencoder(1, kind="linear"),
    }
    return run_study(
        {"bars": pictures, "table": table},
        models,
        seeds=1,
        out=tmp_path_factory.mktemp("latents") / "study",
        executor=Inline(),
        progress=False,
    )


@pytest.fixture(scope="module")
def sections(study: StudyResult) -> dict[str, str]:
    """The report's part of each data set."""
    parts = re.split(r'<h2 class="data">', study.report_path.read_text())[1:]
    return {part[: part.index("<")]: part for part in parts}


def test_every_cell_is_done(study: StudyResult) -> None:
    assert [(c.state, c.reason, c.body["warnings"]) for c in study.cells] == 6 * [("done", "", [])]


def test_the_bound_adds_up_and_importance_samples_raise_it(study: StudyResult) -> None:
    images = as_dataset(bars(30, seed=1)[0])
    model = study.model(study.cell("vae", data="bars"))
    found = bound_parts(model, images)
    assert found is not None
    assert found["elbo"] == pytest.approx(found["reconstruction"] - found["kl"])
    assert found["tight"] > found["elbo"]
    assert found["tight"] == pytest.approx(model.score(images), abs=1e-6)
    assert found["method"] == "IWAE-16"
    assert 1 <= found["ess"] <= found["samples"] == 16
    assert found["gap"] > -0.1
    assert sum(found["kl_per_latent"]) == pytest.approx(found["kl"], rel=1e-4)
    assert bound_parts(study.model(study.cell("autoencoder", data="bars")), images) is None


def test_models_without_density_are_ordered_by_what_they_lose(study: StudyResult) -> None:
    lines = {row["model"]: row for row in study.table if row["data"] == "bars"}
    assert next(row["model"] for row in study.table if row["data"] == "bars") == "vae"
    others = [row for row in study.table if row["data"] == "bars" and row["rank"] is None]
    assert [row["reconstruction"] for row in others] == sorted(r["reconstruction"] for r in others)
    assert lines["autoencoder"]["log_density"] is lines["autoencoder"]["c2st"] is None
    # A linear one loses what as many principal components lose.
    coarse = lines["coarse"]
    assert coarse["reconstruction"] == pytest.approx(coarse["reconstruction_control"], rel=1e-3)
    marked = rendered(coarse | {"reconstruction": 2 * coarse["reconstruction_control"]})
    assert (rendered(coarse)["worse"], marked["worse"]) == ("", "worse than PCA")
    worse = [line for line in lines.values() if rendered(line)["worse"]]
    assert str(study.table).count("worse than PCA") >= len(worse)
    assert lines["vae"]["bits_per_dim"] == pytest.approx(
        -lines["vae"]["log_density"] / (36 * np.log(2))
    )
    assert lines["vae"]["bad_khat"] is not None
    assert "no density" in str(study.table)


def test_a_study_of_none_with_density_says_who_loses_least(tmp_path: Path) -> None:
    found = run_study(
        {"bars": bars(120)[0]},
        {"one": Autoencoder(1, kind="linear"), "two": Autoencoder(4, kind="linear")},
        seeds=1,
        out=tmp_path / "study",
        executor=Inline(),
        progress=False,
    )
    assert found.finding.startswith("No model here has a density. two loses least: ")
    assert "No model here has a density" in found.report_path.read_text()
    assert [row["model"] for row in found.table] == ["two", "one"]


def test_what_is_kept_of_images(study: StudyResult) -> None:
    cell = study.cell("vae", data="bars")
    looks = read_looks(study.folder / "cells" / cell.cell.key)
    assert looks["originals"].shape == looks["reconstructed"].shape == (12, 1, 6, 6)
    assert looks["traversal"].shape == (len(looks["dims"]), 9, 1, 6, 6)
    assert looks["walk"].shape == (3, 9, 1, 6, 6)
    assert looks["manifold"].shape[2:] == (1, 6, 6)
    assert looks["points"].shape == (240, 2)
    model = study.model(cell)
    np.testing.assert_allclose(
        model.reconstruct(looks["originals"]), looks["reconstructed"], atol=1e-5
    )
    body = cell.latents or {}
    assert len(body["kl_per_latent"]) == body["latents"] == 3
    assert set(body["disentanglement"]["factors"]) == {"factor 1", "factor 2"}
    assert (study.cell("coarse", data="bars").latents or {})["kl_per_latent"] is None


def test_the_report_shows_images(study: StudyResult, sections: dict[str, str]) -> None:
    text = sections["bars"]
    assert "240 rows" in text
    assert "Images of 1 × 6 × 6" in text
    headings = re.findall(r"<h[23][^>]*>(.*?)</h[23]>", text)
    assert "Latents" in headings
    for heading in (
        "The bound in its parts",
        "Known factors in the codes",
        "Held-out images and their reconstructions",
        "vae",
        "autoencoder",
    ):
        assert heading in headings
    figures = re.findall(r'aria-label="([^"]*)"', text)
    for label in ("vae", "autoencoder"):
        assert f"Traversals of the latents of {label}" in figures
        assert f"Interpolations by {label}" in figures
        assert f"Map of the latents of {label}" in figures
        assert f"Images over the latents of {label}" in figures
    assert "Divergence of each latent of vae" in figures
    assert "Divergence of each latent of autoencoder" not in figures
    assert "Pareto k-hat of the rows under vae" in figures
    assert "Real images and samples" in figures
    for word in ("IWAE-16", "of 16<", "bits/dim", "MIG", "Amortisation gap", "Completeness"):
        assert word in text
    table = text[text.index('aria-label="Latents"') : text.index("The bound in its parts")]
    shown = {"vae", "autoencoder", "coarse"} & set(re.findall(r'scope="row">(\w+)<', table))
    lost = {label: study.cell(label, data="bars").latents["reconstruction"] for label in shown}
    worse = [label for label, of in lost.items() if of["value"] > 1.01 * of["control"]]
    assert table.count("worse than PCA") == len(worse)
    looks = read_looks(study.folder / "cells" / study.cell("vae", data="bars").cell.key)
    kl = np.array((study.cell("vae", data="bars").latents or {})["kl_per_latent"])
    np.testing.assert_allclose(looks["activity"], kl[looks["dims"]], rtol=1e-6)
    assert f"latent {looks['dims'][0]} ({looks['activity'][0]:.2g})" in text
    if len(looks["dims"]) < len(kl):
        assert f"{len(looks['dims'])} of {len(kl)} latents: " in text
    # One latent has no map, and no plane to decode.
    assert "Map of the latents of coarse" not in figures


def test_the_report_shows_tables(sections: dict[str, str]) -> None:
    text = sections["table"]
    figures = re.findall(r'aria-label="([^"]*)"', text)
    assert "Traversals of the latents of vae" in figures
    assert "Map of the latents of vae" in figures
    assert "The bound in its parts" in text
    assert "places a cell" not in text
    assert "Known factors in the codes" not in text
    assert "Held-out images" not in text
    assert not [
        f for f in figures if f.startswith(("Interpolations", "Images over", "Real images"))
    ]


def test_pictures_are_kept_as_files(study: StudyResult) -> None:
    names = set(study.figures)
    assert {"bars-reconstructions", "bars-samples", "bars-khat-vae", "bars-kl-vae"} <= names
    assert {"bars-manifold-autoencoder", "table-traversal-vae", "table-map-vae"} <= names


def test_samples_of_a_family_that_draws_none(study: StudyResult) -> None:
    with pytest.raises(ValueError, match="draws none"):
        study.samples(study.cell("autoencoder", data="bars"))


def test_factors_are_found_in_the_target() -> None:
    images, factors = bars(80)
    data = as_dataset(images)

    def of(target: Any) -> Any:
        return factors_of(type(data)(data.schema, like=data.like, images=images, target=target))

    assert of(None) is None
    assert of(factors[:, 0]) is None
    assert of(np.array([["a", "b"]] * 80)) is None
    assert of(factors * np.nan) is None
    found = of(np.column_stack([factors, np.zeros(80), factors[:, 0] > 2]))
    assert found.names == ("factor 1", "factor 2", "factor 4")
    assert found.categorical == (False, False, True)
    named = np.zeros(80, [("place", "i8"), ("length", "i8")])
    named["place"], named["length"] = factors.T
    assert of(named).names == ("place", "length")
