"""The page of one fit: what it shows of a saved run, and that it stands alone."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import ppgen
from ppgen.__main__ import main
from ppgen.analysis.nearest import nearest_rows
from ppgen.data import as_dataset
from ppgen.plotting.measures import measure_figures, measured
from ppgen.study import unusual_pictures
from ppgen.study.drawn import Gallery
from ppgen.study.made_figures import draw_made, pairs
from ppgen.study.run_page import run_page

from .pages import check_layout
from .zoo import fitted, mixed, numbers


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("runs") / "gaussian"
    return Path(fitted("gaussian").save(folder))


def test_the_page_of_a_fit_stands_alone(run: Path) -> None:
    text = run_page(run, as_dataset(numbers())).read_text()
    assert "Gaussian of 2 columns" in text
    assert len(check_layout(text).tables) == 1
    assert "Grey: real rows; blue: samples." in text
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", text)
    assert ppgen.load(run).score_samples(numbers()).shape == (200,)  # the run is as it was


def test_what_is_said_of_a_training_that_has_no_curve(run: Path, tmp_path: Path) -> None:
    assert "too few for a curve" in run_page(run).read_text()
    ppgen.IndependentColumns().fit(numbers()).save(tmp_path / "columns")
    assert "Nothing of a training was recorded: " in run_page(tmp_path / "columns").read_text()
    gan = ppgen.GAN(2, hidden=(4,), max_epochs=1, random_state=0).fit(numbers())
    gan.save(tmp_path / "run")
    text = run_page(tmp_path / "run").read_text()
    assert f"It ended at step {gan.trace_[-1]['step']}, with " in text
    assert "too few for a curve" in text
    check_layout(text)
    assert "<dt>Given</dt><dd>latent_dim = 2, hidden = [4], max_epochs = 1</dd>" in text
    chosen = text[text.index("<dt>Chosen by the fit</dt>") : text.index("<dt>Defaults</dt>")]
    for words in ("penalty = &#34;r1r2&#34;", "net = &#34;mlp&#34;", "batch_size = ", "device = "):
        assert words in chosen


def test_panels_of_columns_are_named_by_their_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    monkeypatch.setattr(Gallery, "keep", lambda self, what, made, title: kept.append(made))
    x = np.random.default_rng(0).normal(size=(50, 2)) @ [[1, 1], [0, 1]]
    rows = as_dataset({"flipper_length_in_mm": x[:, 0], "bill_length_in_mm": x[:, 1]})
    pairs(rows, None, Gallery(Path(), "rows"))
    (axes,) = kept[0].axes
    assert {axes.get_xlabel(), axes.get_ylabel()} == set(rows.schema.names)
    assert axes.get_title() == ""  # longer than the panel is wide


def test_names_of_columns_are_escaped(tmp_path: Path) -> None:
    rows = mixed(60)
    rows["<b>x"] = rows.pop("length")
    ppgen.Gaussian().fit(rows).save(tmp_path / "run")
    text = run_page(tmp_path / "run").read_text()
    assert "&lt;b&gt;x" in text
    assert "<b>x" not in text


def test_a_page_is_written_from_the_command_line(
    run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    np.savez(tmp_path / "rows.npz", X=numbers())
    assert main(["report", str(run), "--data", str(tmp_path / "rows.npz")]) == 0
    assert f"report: {run / 'report.html'}" in capsys.readouterr().err


def test_rows_go_with_the_page_of_a_fit_only(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["report", str(tmp_path), "--data", "wine"]) == 2
    assert "holds neither a study nor a fit" in capsys.readouterr().err
    (tmp_path / "study.json").write_text("{}")
    assert main(["report", str(tmp_path), "--data", "wine"]) == 2
    assert "--data wine goes with the report of one fit" in capsys.readouterr().err


@pytest.mark.parametrize("conditional", [False, True])
def test_the_page_of_a_gan_of_images_has_interpolations(tmp_path: Path, conditional: bool) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, 4, 4)).astype(np.uint8)
    y = np.arange(60) % 2
    small = {"hidden": (4,), "max_epochs": 1, "random_state": 0}
    ppgen.GAN(2, conditional=conditional, **small).fit(images, y).save(tmp_path / "run")
    assert "Interpolations" in run_page(tmp_path / "run").read_text()


def test_the_nearest_real_row_of_a_copy_is_the_row_itself() -> None:
    real = as_dataset(numbers(50))
    assert nearest_rows(real, real.take([7, 3, 21])).tolist() == [7, 3, 21]


def test_measures_are_drawn_by_what_they_are() -> None:
    trace = [
        {"step": s, "measures": {"real": 0.9, "fake": 0.1, "generator gradient norm": 1.0 + s}}
        for s in (10, 20)
    ]
    assert measured([{"step": 0}, *trace])["generator gradient norm"][1].tolist() == [11.0, 21.0]
    titles = list(measure_figures(trace))
    assert titles == ["Outputs of the discriminator", "Norms of the gradients"]
    assert measure_figures([{"step": 0, "measures": {}}]) == {}


def test_a_study_shows_images_made_of_noise_beside_the_nearest_real_ones(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 4, 4)).astype(np.uint8)
    real, drawn = as_dataset(images), as_dataset(images[::-1].copy())
    cells: Any = [SimpleNamespace(cell=SimpleNamespace(model=m)) for m in ("diffusion", "gaussian")]
    models = {cell.cell.model: [cell] for cell in cells}
    nowhere: Any = None  # no run is read
    samples = dict.fromkeys(models, drawn)
    ((label, (part,)),) = draw_made(nowhere, models, real, samples, Gallery(tmp_path / "f", "x"))
    assert label == "diffusion"
    assert "a model that copies shows the same picture twice" in part.note
    assert (tmp_path / "f" / "x-diffusion-samples.png").exists()


def test_a_bound_is_explained_and_dark_pictures_can_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.random.default_rng(0).integers(0, 17, (60, 4, 4)).astype(np.uint8)
    vae = ppgen.VAE(1, hidden=(4,), max_epochs=1, n_importance=4, random_state=0).fit(images)
    shown = []
    drawn = unusual_pictures.image_rows
    monkeypatch.setattr(
        unusual_pictures, "image_rows", lambda rows, **how: shown.append(how) or drawn(rows, **how)
    )
    text = run_page(vae.save(tmp_path / "run"), as_dataset(images)).read_text()
    check_layout(text)
    assert "Density: lower bound" in text
    assert "lower bound: the model's log density is at least this" in text.replace("&#39;", "'")
    assert shown[0]["limits"] == (0, 16)  # of 255
    assert "(−" in text[text.index("those of the lowest log density") :]
    assert re.search(r"fitted in \d+(\.\d)? s ·", text)
