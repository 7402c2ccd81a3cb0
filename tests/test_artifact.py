"""Saved runs and checkpoints under faults: each loses nothing that was finished."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from ppgen import artifact
from ppgen.artifact import MANIFEST, POSTERIOR, TRACE, WEIGHTS, read_run, write_run
from ppgen.checkpoint import Checkpoints
from ppgen.errors import InputError
from ppgen.sealing import sealed

ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([1, -2], dtype=np.int32)}
DRAWS = {"mu": np.random.default_rng(0).normal(size=(2, 5, 3))}


def write(folder: Path, **changes: object) -> Path:
    parts = {"posterior": DRAWS, "trace": [{"step": 1, "loss": 0.5}]} | changes
    return write_run(folder, {"family": "gmm"}, ARRAYS, **parts)  # type: ignore[arg-type]


def test_round_trip(tmp_path: Path) -> None:
    run = read_run(write(tmp_path / "run"))
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(run.arrays[name], array)
        assert run.arrays[name].dtype == array.dtype
    np.testing.assert_array_equal(run.posterior["mu"], DRAWS["mu"])
    assert run.trace == [{"step": 1, "loss": 0.5}]
    assert run.manifest["family"] == "gmm"
    assert not [f for f in tmp_path.iterdir() if f.name != "run"]


def test_arrays_that_are_not_contiguous(tmp_path: Path) -> None:
    array = np.arange(12.0).reshape(3, 4).T[::2]
    write_run(tmp_path / "run", {"family": "gmm"}, {"a": array})
    np.testing.assert_array_equal(read_run(tmp_path / "run").arrays["a"], array)


@pytest.mark.parametrize("name", [MANIFEST, WEIGHTS, POSTERIOR, TRACE])
def test_a_flipped_byte_is_said(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / "run") / name
    content = bytearray(file.read_bytes())
    for place in np.random.default_rng(1).choice(len(content), 12, replace=False):
        flipped = bytearray(content)
        flipped[place] ^= 0x10
        file.write_bytes(flipped)
        with pytest.raises(InputError):
            read_run(tmp_path / "run")
    file.write_bytes(content)
    read_run(tmp_path / "run")


@pytest.mark.parametrize("name", [MANIFEST, WEIGHTS, POSTERIOR, TRACE])
def test_a_truncated_or_absent_file_is_said(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / "run") / name
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(InputError, match=r"damaged|cannot be read|not a ppgen"):
        read_run(tmp_path / "run")
    file.unlink()
    with pytest.raises(InputError):
        read_run(tmp_path / "run")


@pytest.mark.parametrize("content", ["{}", "[]", '{"family": "gmm"}', "not json"])
def test_foreign_folders_are_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match="no saved run"):
        read_run(tmp_path)
    (tmp_path / "rows.csv").write_text(content)
    with pytest.raises(
        InputError, match=r"rows\.csv is a file, and no saved run\. Give the folder"
    ):
        read_run(tmp_path / "rows.csv")
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(InputError):
        read_run(tmp_path)


def test_a_file_name_from_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    body = json.loads((folder / MANIFEST).read_text())
    body["files"]["../secret"] = "0"
    (folder / MANIFEST).write_text(json.dumps(sealed(body)))
    with pytest.raises(InputError, match="secret"):
        read_run(folder)


def test_another_format_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    body = json.loads((folder / MANIFEST).read_text()) | {"format": 99}
    (folder / MANIFEST).write_text(json.dumps(sealed(body)))
    with pytest.raises(InputError, match="format 99"):
        read_run(folder)


def test_what_is_no_run_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="nothing was written"):
        write(tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == ["notes.txt"]


def test_a_full_disk_leaves_the_old_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "run")
    calls = 0

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifact.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(folder, trace=[{"step": 2, "loss": 0.1}])
    assert read_run(folder).trace == [{"step": 1, "loss": 0.5}]
    assert [f.name for f in tmp_path.iterdir()] == ["run"]


def test_a_crash_between_the_renames_is_mended(tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    aside = tmp_path / ".run.old.abc"
    aside.mkdir()
    folder.rename(aside / "run")
    assert read_run(folder).manifest["family"] == "gmm"


def test_kill_while_saving_leaves_a_whole_run(tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import numpy as np
        from ppgen.artifact import write_run
        step = 0
        while True:
            step += 1
            arrays = {{"a": np.full(200_000, float(step))}}
            write_run({str(tmp_path / "run")!r}, {{"family": "gmm", "step": step}}, arrays)
            print(step, flush=True)
    """)
    for wait in (2, 3, 5):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            for _ in range(wait):
                child.stdout.readline()
            os.kill(child.pid, signal.SIGKILL)
        run = read_run(tmp_path / "run")
        np.testing.assert_array_equal(run.arrays["a"], run.manifest["step"])


def test_checkpoints_keep_two_and_fall_back(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, "this fit")
    assert kept.latest() is None
    for step in range(4):
        kept.save(step, {"w": np.full(3, step)}, {"loss": step / 2})
    assert len(list(tmp_path.iterdir())) == 2
    found = kept.latest()
    assert found is not None
    assert found[0] == 3
    assert found[2] == {"loss": 1.5}
    newest = max(tmp_path.iterdir())
    content = bytearray(newest.read_bytes())
    content[-2] ^= 1
    newest.write_bytes(content)
    found = kept.latest()
    assert found is not None
    assert found[0] == 2
    np.testing.assert_array_equal(found[1]["w"], 2)
    newest.write_bytes(content[:20])
    assert kept.latest() is not None


def test_checkpoints_of_another_fit_are_refused(tmp_path: Path) -> None:
    Checkpoints(tmp_path, "this fit").save(1, ARRAYS, {})
    with pytest.raises(InputError, match="other data or settings"):
        Checkpoints(tmp_path, "another").latest()


def test_cleared_checkpoints_are_gone(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path, "this fit")
    kept.save(1, ARRAYS, {})
    kept.clear()
    assert kept.latest() is None
