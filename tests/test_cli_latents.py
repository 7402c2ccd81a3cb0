"""The command line with models of latents: images, rows without a density, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ppgen.__main__ import main

from .commands import Run, runs_commands

QUICK = ("--set", "hidden=[8]", "--set", "max_epochs=2", "--set", "latent_dim=2")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any) -> Run:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return runs_commands(capsys)


def bars(n: int = 150) -> np.ndarray:
    """(n, 1, 6, 6) bytes: a bright column, and noise; the last one is a checkerboard."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 40, (n, 1, 6, 6))
    images[np.arange(n), 0, :, rng.integers(0, 6, n)] = 230
    images[-1, 0] = 250 * (np.indices((6, 6)).sum(axis=0) % 2)
    return images.astype(np.uint8)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images, a table, and fits of both."""
    folder = tmp_path_factory.mktemp("runs")
    np.savez(folder / "bars.npz", X=bars(), y=np.arange(150) % 2)
    rng = np.random.default_rng(0)
    z = rng.normal(size=(120, 1)) + rng.normal(size=(120, 3)) / 4
    z[-1] = [6.0, -6.0, 6.0]
    lines = "\n".join(",".join(f"{v:.9f}" for v in row) for row in z)
    (folder / "table.csv").write_text(f"a,b,c\n{lines}\n")
    for model in ("vae", "autoencoder"):
        for data in ("bars.npz", "table.csv"):
            out = folder / f"{model}-{Path(data).stem}"
            words = ["fit", folder / data, model, *QUICK, "--out", out]
            assert main([str(w) for w in words]) == 0
    return folder


def test_fit_prints_a_reconstruction_error_where_there_is_no_density(run: Run, runs: Path) -> None:
    done = run("fit", runs / "bars.npz", "autoencoder", *QUICK, "--out", "here")
    (line,) = done.table
    assert (line["log_density"], line["kind"]) == ("", "")
    assert float(line["reconstruction_error"]) > 0


def test_score_of_images_says_bits_and_khat(run: Run, runs: Path) -> None:
    done = run("score", runs / "vae-bars", runs / "bars.npz")
    assert done.status == 0
    assert "IWAE-128" in done.err
    assert len(done.table) == 150
    for line in done.table[:5]:
        bits = -float(line["log_density"]) / (36 * np.log(2))
        assert float(line["bits_per_dim"]) == pytest.approx(bits)
        assert float(line["khat"]) < np.inf
    (summary,) = run("score", runs / "vae-bars", runs / "bars.npz", "--summary").table
    mean = np.mean([float(line["bits_per_dim"]) for line in done.table])
    assert float(summary["bits_per_dim"]) == pytest.approx(mean)


def test_score_without_density_is_the_reconstruction_error(run: Run, runs: Path) -> None:
    done = run("score", runs / "autoencoder-table", runs / "table.csv")
    errors = [float(line["reconstruction_error"]) for line in done.table]
    assert int(np.argmax(errors)) == 119
    (summary,) = run("score", runs / "autoencoder-table", runs / "table.csv", "--summary").table
    assert float(summary["reconstruction_error"]) == pytest.approx(np.mean(errors))


@pytest.mark.parametrize("data", ["bars.npz", "table.csv"])
def test_outliers_without_density_are_what_is_lost_most(run: Run, runs: Path, data: str) -> None:
    fit = runs / f"autoencoder-{Path(data).stem}"
    done = run("outliers", fit, runs / data, "--top", 5, "--reference", runs / data)
    assert done.status == 0
    errors = [float(line["reconstruction_error"]) for line in done.table]
    assert errors == sorted(errors, reverse=True)
    assert len(errors) == 5
    n = 150 if data == "bars.npz" else 120
    assert int(done.table[0]["row"]) == n - 1
    shares = [float(line["fraction_above"]) for line in done.table]
    np.testing.assert_allclose(shares, (np.arange(5) + 0.5) / n)  # of its own tie a half
    assert ("a" in done.table[0]) == (data == "table.csv")
    alone = run("outliers", fit, runs / data, "--top", 5)
    assert "fraction_above" not in alone.table[0]
    assert [line["row"] for line in alone.table] == [line["row"] for line in done.table]


def test_samples_of_images_are_files(run: Run, runs: Path) -> None:
    fit = runs / "vae-bars"
    assert run("sample", fit, "-n", 7, "-o", "drawn.npy").status == 0
    drawn = np.load("drawn.npy")
    assert (drawn.shape, drawn.dtype) == ((7, 1, 6, 6), np.uint8)
    assert run("sample", fit, "-n", 7, "-o", "drawn.npz").status == 0
    with np.load("drawn.npz") as held:
        np.testing.assert_array_equal(held["X"], drawn)
    assert run("sample", fit, "-n", 7, "--expected", "-o", "expected.npy").status == 0
    assert np.std(np.load("expected.npy")[:, 0].astype(float), axis=0).mean() < drawn.std()
    assert run("sample", fit, "-n", 9, "-o", "drawn.png").status == 0
    with Image.open("drawn.png") as picture:
        assert picture.width == picture.height > 100
    said = run("sample", fit, "-n", 7)
    assert said.status == 2
    assert "write them to a file: -o FILE" in said.err


def test_what_cannot_be_sampled(run: Run, runs: Path) -> None:
    done = run("sample", runs / "autoencoder-table", "-n", 2)
    assert done.status == 2
    assert "draws no samples; fit one of" in done.err
    assert "autoencoder" not in done.err.split("fit one of")[1]
    for words in ((), ("-o", "drawn.csv"), ("-o", "drawn.npy")):
        done = run("sample", runs / "autoencoder-bars", "-n", 2, *words)
        assert (done.status, "draws no samples" in done.err) == (2, True)
    done = run("sample", runs / "vae-table", "-n", 2, "-o", "table.png")
    assert (done.status, "write a .csv" in done.err) == (2, True)


def test_models_say_what_they_can(run: Run) -> None:
    can = {line["model"]: line for line in run("models").table}
    assert (can["autoencoder"]["density"], can["autoencoder"]["samples"]) == ("none", "no")
    assert (can["vae"]["density"], can["vae"]["samples"]) == ("lower_bound", "yes")
    assert can["gaussian"]["samples"] == "yes"
    assert (can["vae"]["latents"], can["gaussian"]["latents"]) == ("yes", "no")
    assert (can["vae"]["images"], can["kde"]["images"]) == ("yes", "no")


def wrong_images(place: str) -> Path:
    """A folder of pictures of which one is wrong."""
    folder = Path("pictures")
    folder.mkdir()
    for i in range(4):
        Image.fromarray(np.full((40, 40), i, np.uint8)).save(folder / f"{i}.png")
    if place == "mixed":
        Image.fromarray(np.zeros((41, 40), np.uint8)).save(folder / "other.png")
    elif place == "text":
        (folder / "other.png").write_text("no picture")
    else:
        noise = np.random.default_rng(0).integers(0, 255, (40, 40)).astype(np.uint8)
        Image.fromarray(noise).save(folder / "other.png")
        whole = (folder / "other.png").read_bytes()
        (folder / "other.png").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("mixed", "expected images of one size"),
        ("text", "is no readable"),
        ("cut", "is no readable"),
    ],
)
@pytest.mark.parametrize("model", ["vae", "autoencoder"])
def test_pictures_that_cannot_be_fitted(run: Run, model: str, place: str, said: str) -> None:
    done = run("fit", wrong_images(place), model)
    assert done.status == 2
    assert "other.png" in done.err
    assert said in done.err
    assert "Traceback" not in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("vae", "--set", "likelihood=bernoulli"), ("256 levels", "binarise (X > 127.5)")),
        (("vae", "--set", "latent_dim=40"), ("latent_dim is 40", "36 values", "Take at most 36")),
        (("autoencoder", "--set", "latent_dim=40"), ("latent_dim is 40", "Take at most 36")),
        (("vae", "--set", "device=cuda"), ("device is 'cuda'", "Leave device out")),
        (("autoencoder", "--set", "device=cuda"), ("device is 'cuda'", "Leave device out")),
        (("gaussian",), ("models tables; images were given",)),
    ],
)
def test_settings_that_images_refuse(
    run: Run, runs: Path, words: tuple[str, ...], said: tuple[str, ...], monkeypatch: Any
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = run("fit", runs / "bars.npz", *words, "--out", "refused")
    assert done.status == 2
    last = done.err.strip().splitlines()[-1]
    assert last.startswith("ppgen: ")
    assert all(word in last for word in said), last
    assert "Traceback" not in done.err
    assert not Path("refused").exists()


def test_labels_of_another_length(run: Run) -> None:
    np.savez("short.npz", X=bars(60), y=np.zeros(20))
    done = run("fit", "short.npz", "vae")
    assert done.status == 2
    assert "20 labels in 'y' for 60 rows" in done.err


def test_rows_of_another_kind(run: Run, runs: Path) -> None:
    done = run("score", runs / "vae-table", runs / "bars.npz")
    assert (done.status, "images given" in done.err) == (2, True)
    done = run("score", runs / "vae-bars", runs / "table.csv")
    assert (done.status, "the fit expects images" in done.err) == (2, True)
    np.savez("large.npz", X=np.zeros((3, 1, 7, 7), np.uint8))
    done = run("outliers", runs / "autoencoder-bars", "large.npz")
    assert done.status == 2
    assert "Traceback" not in done.err


def test_a_fit_without_factors_says_so_where_codes_are_asked_for(run: Run, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(60, 3))
    np.savetxt(tmp_path / "x.csv", x, delimiter=",", header="a,b,c", comments="")
    done = run("fit", "x.csv", "factor", "--set", "n_components=0", "--out", "run")
    assert "ok: no factors: columns are taken as independent" in done.err
    for command, said in (("encode", "no codes"), ("reconstruct", "the mean of its columns")):
        done = run(command, "run", "x.csv")
        assert done.status == 0
        assert "has no factors: columns are taken as independent, so " in done.err
        assert said in done.err
