"""The command line with folders of pictures: classes, sizes, names of files, and what `encode`,
`reconstruct` and `predict` give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ppgen
from ppgen.__main__ import main

from .commands import Run, runs_commands

RNG = np.random.default_rng(0)
QUICK = ("--set", "hidden=[8]", "--set", "max_epochs=2", "--set", "latent_dim=2")


def pictures(folder: Path, n: int = 20) -> Path:
    """Folders of the classes dark and light, with pictures of several sizes."""
    for kind, base in (("dark", 20), ("light", 200)):
        (folder / kind).mkdir(parents=True)
        for i in range(n):
            size = (12, 12 + 2 * (i % 3))
            values = base + RNG.integers(0, 50, size)
            Image.fromarray(values.astype(np.uint8)).save(folder / kind / f"{i:02}.png")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures of two classes, and fits of them."""
    folder = tmp_path_factory.mktemp("pictures")
    data = pictures(folder / "data")
    Image.new("L", (40, 40)).save(data / "preview.png")
    fitting = ("--size", "6", "--crop")
    for model, more in (
        ("vae", (*QUICK, "--conditional")),
        ("autoencoder", QUICK),
        ("debias", QUICK),
    ):
        words = ["fit", data, model, *fitting, *more, "--out", folder / model]
        assert main([str(word) for word in words]) == 0
    return folder


@pytest.fixture
def run(runs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any) -> Run:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    call = runs_commands(capsys)
    return lambda *words: call(*(runs / w if isinstance(w, Path) else w for w in words))


def test_a_fit_is_conditional_on_the_folders(run: Run, runs: Path) -> None:
    assert ppgen.load(runs / "vae").context_.schema["y"].levels == ("dark", "light")
    done = run("sample", Path("vae"), "-n", 3, "--given", "y=light", "-o", "light.npy")
    assert done.status == 0
    assert np.load("light.npy").shape == (3, 1, 6, 6)
    done = run("sample", Path("vae"), "-n", 3, "--given", "y=lihgt", "-o", "x.npy")
    assert (done.status, "light" in done.err) == (2, True)


def test_what_is_left_out_is_said_once(run: Run) -> None:
    done = run("score", Path("vae"), Path("data"), "--summary")
    lines = [line for line in done.err.splitlines() if "left out" in line]
    assert len(lines) == 1
    assert "1 picture beside the folders of the others (preview.png)" in lines[0]


def test_tables_of_pictures_name_the_files(run: Run) -> None:
    scored = run("score", Path("autoencoder"), Path("data")).table
    assert [line["file"] for line in scored[:2]] == ["dark/00.png", "dark/01.png"]
    assert len(scored) == 40
    worst = run("outliers", Path("autoencoder"), Path("data"), "--top", 3).table
    for line in worst:
        assert line["file"] == scored[int(line["row"])]["file"]
    assert list(worst[0])[:2] == ["row", "file"]


def test_a_tree_of_pictures_calls_the_rows_by_their_files(runs: Path) -> None:
    fit: Any = ppgen.load(runs / "autoencoder")
    with pytest.warns(UserWarning, match="left out"):
        data = ppgen.read(runs / "data", schema=fit.schema_)
    tree = fit.to_datatree(data)
    groups = [g.to_dataset() for g in tree.children.values() if "row" in g.dims]
    assert groups
    for group in groups:
        assert group["row"].values.tolist() == data.files.tolist()


@pytest.mark.parametrize("model", ["autoencoder", "vae"])
def test_the_page_of_a_fit_names_the_pictures_least_like_it(
    run: Run, runs: Path, model: str
) -> None:
    assert run("report", Path(model), "--data", Path("data")).status == 0
    page = (runs / model / "report.html").read_text()
    if model == "vae":  # conditional: a log density would be of pictures and classes
        assert "Least like" not in page
        return
    assert (runs / model / "figures" / "autoencoder-least.png").exists()
    worst = run("outliers", Path(model), Path("data"), "--top", 8).table
    said = page[page.index("largest reconstruction error, from left to right: ") :]
    at = [said.index(line["file"]) for line in worst]
    assert at == sorted(at)
    assert f"{worst[0]['file']} ({float(worst[0]['reconstruction_error']):.4g})" in said


def test_pictures_become_codes(run: Run, runs: Path) -> None:
    done = run("encode", Path("autoencoder"), Path("data"))
    assert list(done.table[0]) == ["row", "file", "label", "z0", "z1"]
    assert [line["label"] for line in done.table] == ["dark"] * 20 + ["light"] * 20
    assert run("encode", Path("autoencoder"), Path("data"), "-o", "z.npy").status == 0
    fit: Any = ppgen.load(runs / "autoencoder")
    with pytest.warns(UserWarning, match="left out"):
        expected = fit.encode(ppgen.read(runs / "data", schema=fit.schema_))
    np.testing.assert_allclose(np.load("z.npy"), expected, rtol=1e-6)
    shown = np.array([[float(line["z0"]), float(line["z1"])] for line in done.table])
    np.testing.assert_allclose(shown, expected, rtol=1e-6)
    assert run("encode", Path("vae"), Path("data")).status == 0  # told of the classes
    one = run("encode", Path("autoencoder"), Path("data/light/03.png")).table
    assert (len(one), one[0]["file"]) == (1, "03.png")
    alone = run("encode", Path("vae"), Path("data/light/03.png"))
    assert alone.status == 2
    assert "conditional on labels, and the data come with none" in alone.err


def test_pictures_come_back_as_pictures_or_arrays(run: Run) -> None:
    assert run("reconstruct", Path("autoencoder"), Path("data"), "-o", "back").status == 0
    made = sorted(p.relative_to("back").as_posix() for p in Path("back").rglob("*.png"))
    assert made == [f"{kind}/{i:02}.png" for kind in ("dark", "light") for i in range(20)]
    assert run("reconstruct", Path("autoencoder"), Path("data"), "-o", "back.npy").status == 0
    back = np.load("back.npy")
    assert back.shape == (40, 1, 6, 6)
    shown = ppgen.read("back/light/05.png").images[0, 0]
    np.testing.assert_array_equal(shown, np.rint(back[25, 0].clip(0, 255)))
    assert run("reconstruct", Path("autoencoder"), Path("data"), "-o", "sheet.png").status == 0
    with Image.open("sheet.png") as sheet:
        assert sheet.width > 100
    one = ("reconstruct", Path("autoencoder"), Path("data/light/05.png"))
    assert run(*one, "-o", "one.png").status == 0
    np.testing.assert_array_equal(ppgen.read("one.png").images[0, 0], shown)
    for out, said in (
        ((), "images are no table"),
        (("-o", "back"), "is there already"),
        (("-o", "x.csv"), "expected a picture"),
        (("-o", "none/x.png"), "does not exist"),
    ):
        done = run("reconstruct", Path("autoencoder"), Path("data"), *out)
        assert (done.status, said in done.err) == (2, True)


def test_classes_are_predicted_with_their_probabilities(run: Run, runs: Path) -> None:
    table = run("predict", Path("debias"), Path("data")).table
    names = ["row", "file", "label", "class", "probability", "p(dark)", "p(light)"]
    assert list(table[0]) == names
    for line in table:
        p = {kind: float(line[f"p({kind})"]) for kind in ("dark", "light")}
        assert sum(p.values()) == pytest.approx(1)
        assert float(line["probability"]) == p[line["class"]] == max(p.values())
    inliers = run("predict", Path("autoencoder"), Path("data")).table
    assert {line["inlier"] for line in inliers} <= {"-1", "1"}
    done = run("predict", Path("vae"), Path("data"))
    assert (done.status, "predicts nothing; fit one of" in done.err) == (2, True)


def test_tables_have_codes_and_components(run: Run) -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(0, 1, (40, 2)), rng.normal(9, 1, (40, 2))])
    np.savetxt("t.csv", rows, delimiter=",", header="a,b", comments="")
    assert run("fit", "t.csv", "gmm", "--set", "n_components=2", "--out", "g").status == 0
    table = run("predict", "g", "t.csv").table
    found = np.array([int(line["component"]) for line in table])
    assert len(set(found[:40])) == len(set(found[40:])) == 1
    assert found[0] != found[-1]
    assert run("fit", "t.csv", "factor", "--set", "n_components=1", "--out", "f").status == 0
    back = run("reconstruct", "f", "t.csv").table
    assert list(back[0]) == ["a", "b"]
    assert list(run("encode", "f", "t.csv").table[0]) == ["row", "z0"]
    assert run("encode", "g", "t.csv").status == 2


def test_sizes_are_asked_for_where_pictures_differ(run: Run) -> None:
    done = run("fit", Path("data"), "autoencoder", *QUICK, "--out", "x")
    assert done.status == 2
    assert "expected images of one size" in done.err
    assert "--size 12, and --crop to keep" in done.err.splitlines()[-1]
    done = run("fit", Path("data"), "autoencoder", "--size", "big", "--out", "x")
    assert (done.status, "HEIGHTxWIDTH" in done.err) == (2, True)


def test_unreadable_pictures_are_skipped_where_asked(run: Run, tmp_path: Path) -> None:
    data = pictures(tmp_path / "some", 4)
    (data / "dark" / "00.png").write_bytes(b"no picture")
    done = run("encode", Path("autoencoder"), data)
    assert (done.status, "dark/00.png" in done.err) == (2, True)
    assert "leave out what cannot be read: --skip-unreadable" in done.err
    done = run("encode", Path("autoencoder"), data, "--skip-unreadable")
    assert done.status == 0
    assert "1 unreadable picture (dark/00.png)" in done.err
    assert done.table[0]["file"] == "dark/01.png"


def test_samples_without_noise_stay_in_the_range_seen(run: Run, runs: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.random((60, 5, 4)) * rng.random((60, 1, 1))
    fit = ppgen.VAE(2, hidden=(8,), max_epochs=2, random_state=0).fit(X)
    free = fit.sample(200, random_state=1)
    assert free.min() < X.min()  # as the density has it
    np.testing.assert_array_equal(
        fit.sample(200, random_state=1, clip=True), free.clip(X.min(), X.max())
    )
    smooth = fit.sample(200, random_state=1, expected=True)
    assert smooth.shape == free.shape
    assert X.min() <= smooth.min() <= smooth.max() <= X.max()
    decoded = fit.decode(fit.sample_latents(200, random_state=1))
    np.testing.assert_allclose(smooth, decoded.clip(X.min(), X.max()))
    done = run("sample", Path("vae"), "-n", 4, "--expected", "--given", "y=dark", "-o", "e.npy")
    assert done.status == 0
    assert np.load("e.npy").dtype == np.float64
    assert run("sample", Path("vae"), "-n", 11, "--seed", 1, "-o", "drawn").status == 0
    assert sorted(p.name for p in Path("drawn").iterdir()) == [f"{i:02}.png" for i in range(11)]
    assert run("sample", Path("vae"), "-n", 11, "--seed", 1, "-o", "drawn.npy").status == 0
    np.testing.assert_array_equal(ppgen.read("drawn").images, np.load("drawn.npy"))
    with pytest.raises(ppgen.errors.InputError, match="expected=True"):
        ppgen.Gaussian().fit(X[:, 0]).sample(3, expected=True)
    with pytest.raises(ppgen.errors.InputError, match="clip=True is for images"):
        ppgen.Gaussian().fit(X[:, 0]).sample(3, clip=True)
