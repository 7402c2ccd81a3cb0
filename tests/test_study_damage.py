"""What a study keeps carries its SHA-256: damage is named, and what can be done again is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ppgen.data import as_dataset
from ppgen.errors import InputError
from ppgen.sealing import is_whole
from ppgen.study import StudyResult, run_study
from ppgen.study.stored_rows import load_dataset

from .study_toys import Inline, leave_out, rows, toys  # noqa: F401

DATA = ("schema.json", "columns.npz", "target.npy")
CELL = ("result.json", "test.npz", "samples.npz", "run/weights.safetensors", "run/ppgen.json")


def flip(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(bytes(raw))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def rename_key(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'"format"', b'"formal"'))


def nest(file: Path) -> None:
    file.write_bytes(b"[" * 100_000 + b"]" * 100_000)


def study(out: Path) -> StudyResult:
    x = rows()
    data = replace(as_dataset({"x": x[:, 0], "y": x[:, 1]}), target=np.array(["a", "b"] * 150))
    return run_study(data, ["toy"], seeds=2, out=out, executor=Inline(), progress=False)


@pytest.fixture
def kept(tmp_path, monkeypatch, toys):  # noqa: F811
    """A finished study of two cells, and its table."""
    leave_out(monkeypatch)
    return tmp_path / "study", str(study(tmp_path / "study").table)


def stores(folder: Path, name: str) -> list[Path]:
    return sorted(folder.glob(f"*/*/{name}"))


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink])
@pytest.mark.parametrize("name", CELL)
def test_a_damaged_cell_is_named_and_done_again(kept, name, harm):
    folder, table = kept
    file = stores(folder, name)[0]
    sound = file.read_bytes() if "run" not in name else b""
    harm(file)
    if name == "result.json" and harm is Path.unlink:
        assert study(folder).cells[0].state == "done"  # as one that was not finished
        return
    held = StudyResult.load(folder)
    assert sorted(c.state for c in held.cells) == ["done", "missing"]
    reason = next(c.reason for c in held.cells if c.state == "missing")
    assert name in reason
    with pytest.warns(UserWarning, match=f"toy.*is damaged.*{name}.*done again"):
        again = study(folder)
    assert [c.state for c in again.cells] == ["done", "done"]
    without_times = [str(c.density.values.tolist()) for c in again.cells]
    assert len(set(without_times)) == 2
    if name in ("test.npz", "samples.npz"):
        assert file.read_bytes() == sound
    assert table.split("\n")[0] == str(again.table).split("\n")[0]


@pytest.mark.parametrize("harm", [flip, cut, nest, Path.unlink])
@pytest.mark.parametrize("name", DATA)
def test_a_damaged_copy_of_the_data_is_refused_in_a_line(kept, name, harm):
    folder, _ = kept
    file = stores(folder / "data", name) or stores(folder, name)
    harm(file[0])
    load_dataset.cache_clear()
    for ask in (lambda: study(folder), lambda: load_dataset(file[0].parent)):
        with pytest.raises(InputError, match=f"data.* is damaged: {name}.*Remove this folder") as e:
            ask()
        assert "\n" not in str(e.value)


@pytest.mark.parametrize("harm", [flip, cut, nest, rename_key])
def test_a_damaged_study_is_refused_in_a_line(kept, harm):
    folder, _ = kept
    harm(folder / "study.json")
    with pytest.raises(InputError, match=r"study\.json|format None") as error:
        StudyResult.load(folder)
    assert "\n" not in str(error.value)


def test_a_stage_torn_before_its_cell_was_finished_is_done_again(kept):
    folder, _ = kept
    whole = [c.density.values for c in StudyResult.load(folder).cells]
    for result in stores(folder, "result.json"):
        result.unlink()
    for name in ("test.npz", "density.json", "samples.npz"):
        flip(stores(folder, name)[0])
        cut(stores(folder, name)[1])
    again = study(folder)
    for before, cell in zip(whole, again.cells, strict=True):
        np.testing.assert_array_equal(cell.density.values, before)


def test_a_body_that_is_nested_too_deep_is_not_whole():
    body: dict[str, object] = {"seal": "0" * 64}
    for _ in range(100_000):
        body = {"seal": "0" * 64, "in": body}
    assert not is_whole(body)
