"""`ppgen fit --to` and `ppgen translate`: images and recordings, files and folders, and what is
wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

import ppgen
from ppgen.__main__ import main
from ppgen.cli.translating import Given, _sound

RNG = np.random.default_rng(0)
TINY = [word for s in ("width=2", "blocks=1", "pool=4", "max_epochs=1") for word in ("--set", s)]


def pictures(n: int, dark: bool, size: int = 8) -> Any:
    """(n, size, size) bytes, with a bright or a dark square somewhere."""
    images = RNG.integers(0, 100, (n, size, size)).astype(np.uint8)
    images[:, 2:5, 2:5] += 0 if dark else 150
    return images


def write_images(folder: Path, images: Any) -> Path:
    folder.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:02}.png")
    return folder


def write_voices(folder: Path, n: int, pitch: float) -> Path:
    folder.mkdir()
    for i in range(n):
        t = np.arange(RNG.integers(900, 1600)) / 8000
        v = np.sin(np.pi * t / t[-1]) * np.sin(2 * np.pi * pitch * RNG.uniform(0.9, 1.1) * t)
        wavfile.write(folder / f"{i}.wav", 8000, (9000 * v).astype(np.int16))
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: Any) -> dict[str, Path]:
    """Fits of images without pairs, of recordings, and of pairs; and what they were fitted to."""
    folder = tmp_path_factory.mktemp("translate")
    made = {name: folder / name for name in ("images", "voices", "pairs")}
    made["x"] = write_images(folder / "x", pictures(30, dark=False))
    np.save(folder / "y.npy", pictures(30, dark=True))
    made["y"] = folder / "y.npy"
    made["low"] = write_voices(folder / "low", 24, 200)
    made["high"] = write_voices(folder / "high", 24, 400)
    images = ["fit", made["x"], "cyclegan", "--to", made["y"], "--out", made["images"]]
    bands = ["--set", "bands=8", "--set", "frames=8"]
    voices = ["fit", made["low"], "cyclegan", "--to", made["high"], "--out", made["voices"], *bands]
    for words in (images, voices):
        assert main([str(word) for word in [*words, *TINY]]) == 0
    return made


@pytest.fixture
def call(runs: dict[str, Path], tmp_path: Path, monkeypatch: Any, capsys: Any) -> Any:
    """Run a command in an empty folder; its status and what it says."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, str]:
        capsys.readouterr()
        status = main([str(runs.get(str(word), word)) for word in words])
        return status, capsys.readouterr().err

    return run


def test_an_image_comes_out_as_an_image_and_arrays_as_arrays(runs: Any, call: Any) -> None:
    assert call("translate", "images", runs["x"] / "03.png", "-o", "out.png")[0] == 0
    picture = np.asarray(Image.open("out.png"))
    fit: Any = ppgen.load(runs["images"])
    given = np.asarray(Image.open(runs["x"] / "03.png"))[None]
    np.testing.assert_array_equal(picture, fit.translate(given)[0])
    assert call("translate", "images", "y", "-o", "back.npz", "--back")[0] == 0
    back = np.load("back.npz")["X"]
    np.testing.assert_array_equal(back, fit.translate_back(np.load(runs["y"])))


def test_a_folder_comes_out_as_a_folder_with_the_names_kept(runs: Any, call: Any) -> None:
    status, said = call("translate", "images", "x", "-o", "out")
    assert status == 0
    assert "30 images translated" in said
    assert sorted(p.name for p in Path("out").iterdir()) == [f"{i:02}.png" for i in range(30)]
    one = ppgen.load(runs["images"]).translate(ppgen.read(runs["x"] / "07.png"))
    np.testing.assert_array_equal(np.asarray(Image.open("out/07.png")), one.reshape(8, 8))


def test_folders_of_folders_and_recordings_keep_their_names(runs: Any, call: Any) -> None:
    Path("in/a").mkdir(parents=True)
    for name in ("in/a/1.wav", "in/a/2.wav"):
        Path(name).write_bytes((runs["low"] / Path(name).name).read_bytes())
    assert call("translate", "voices", "in", "-o", "out")[0] == 0
    assert sorted(map(str, Path("out").rglob("*.wav"))) == ["out/a/1.wav", "out/a/2.wav"]
    for name in ("1.wav", "2.wav"):
        rate, v = wavfile.read(Path("out/a") / name)
        assert (rate, v.dtype) == (8000, np.int16)
        assert v.shape == wavfile.read(runs["low"] / name)[1].shape


def test_a_recording_of_another_rate_is_resampled_and_said(runs: Any, call: Any) -> None:
    v = wavfile.read(runs["high"] / "0.wav")[1]
    wavfile.write("fast.wav", 16000, np.repeat(v, 2))
    status, said = call("translate", "voices", "fast.wav", "-o", "out.wav", "--back")
    assert status == 0
    assert "16000 samples per second are resampled to 8000" in said
    assert wavfile.read("out.wav")[0] == 8000
    assert wavfile.read("out.wav")[1].shape == v.shape


def test_what_is_clipped_is_said(tmp_path: Path, capsys: Any) -> None:
    names = (Path("a.wav"), Path("b.wav"))
    sounds = [_sound(np.array(v), 8000) for v in ([0.5, 2.0, -3.0], [0.5, -1.0])]
    Given(names, folder=True).write(sounds, tmp_path / "out")
    assert "2 samples of 1 recordings were louder" in capsys.readouterr().err
    assert wavfile.read(tmp_path / "out" / "a.wav")[1].tolist() == [16384, 32767, -32768]


def test_pairs_are_split_together(runs: Any, call: Any) -> None:
    status, said = call(
        "fit", "x", "pix2pix", "--to", "y", "--out", "run", *TINY[:2], "--set", "max_epochs=1"
    )
    assert status == 0
    assert "30 rows of the second domain" in said
    assert call("translate", "run", "x", "-o", "out")[0] == 0
    status, said = call("translate", "run", "y", "-o", "back.npy", "--back")
    assert status == 2
    assert "--set both_ways=True" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("images", "nowhere", "-o", "out"), "no file or folder 'nowhere'"),
        (("images", "x", "-o", "there"), "there is there already"),
        (("images", "x", "-o", "out.png"), "x is a folder, and out.png would be a file"),
        (("images", "y", "-o", "out.png"), "ends in .png; of y.npy comes .npy or .npz"),
        (("images", "table.csv", "-o", "out.csv"), "table.csv ends in .csv; expected an image"),
        (("images", "y", "-o", "no/out.npy"), "folder no does not exist"),
        (("images", "low", "-o", "out"), "sequences given; CycleGAN expects images"),
        (("voices", "x", "-o", "out"), "images given; CycleGAN expects sequences"),
        (("images", "large.npy", "-o", "out.npy"), "Resize them"),
        (("images", "mixed", "-o", "out"), "images and recordings; expected one kind"),
        (("images", "silent.wav", "-o", "out.wav"), "sequences given"),
        (("voices", "silent.wav", "-o", "out.wav"), "recording 0 (counted from 0) is silent"),
        (("table.csv", "x", "-o", "out"), "table.csv"),
        (("images", "x"), "Missing option"),
    ],
)
def test_what_cannot_be_translated_is_said_in_a_line(words: Any, says: str, call: Any) -> None:
    Path("there").write_text("")
    Path("table.csv").write_text("a,b\n1,2\n")
    np.save("large.npy", pictures(3, dark=True, size=12))
    wavfile.write("silent.wav", 8000, np.zeros(1000, np.int16))
    Path("mixed").mkdir()
    Image.fromarray(pictures(1, dark=True)[0]).save("mixed/a.png")
    wavfile.write("mixed/b.wav", 8000, np.ones(100, np.int16))
    before = sorted(Path.cwd().rglob("*"))
    status, said = call("translate", *words)
    assert status == 2
    assert says in said
    assert said.count("\n") <= 2  # a verdict, and what is wrong
    assert sorted(Path.cwd().rglob("*")) == before


def test_what_cannot_be_fitted_is_said_in_a_line(runs: Any, call: Any) -> None:
    np.save("fewer.npy", pictures(20, dark=True))
    for words, says in (
        (("x", "cyclegan"), "--to OTHER"),
        (("x", "autoencoder", "--to", "y"), "cyclegan translate to one"),
        (("x", "pix2pix", "--to", "fewer.npy"), "30 rows and 20 to translate them to"),
        (("x", "cyclegan", "--to", "low"), "expected two domains of one kind"),
    ):
        status, said = call("fit", *words, "--out", "run")
        assert status == 2
        assert says in said.splitlines()[-1]
        assert not Path("run").exists()
