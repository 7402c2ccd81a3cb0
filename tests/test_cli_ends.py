"""How commands end: a reader that leaves, an interrupt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppgen import GaussianMixture
from ppgen.__main__ import main

from .interrupts import heeded

_LONGEST = 300  # seconds after which a command and all that it started are killed


@contextmanager
def _started(*words: object) -> Iterator[subprocess.Popen[str]]:
    """A command in a session of its own, none of whose processes outlives the block: what is read
    from it ends, whoever else has its pipes."""
    with heeded():
        process = subprocess.Popen(
            [sys.executable, "-m", "ppgen", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def kill() -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(_LONGEST, kill)
    timer.start()
    with process:
        try:
            yield process
        finally:
            timer.cancel()
            kill()


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main(["fit", "iris", "gaussian", "--out", str(run)]) == 0
    with _started("sample", run, "-n", 20_000) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("sepal")
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0


def test_an_interrupted_study_keeps_what_is_done(tmp_path: Path, capsys: Any) -> None:
    words = ("study", "toy:rings", "--models", "gaussian,flow", "--seeds", 1, "--budget", "10m")
    with _started(*words, "--out", tmp_path / "s") as process:
        assert process.stderr is not None
        assert "gaussian on toy:rings, seed 0: done" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert "kept" in err
    assert "Traceback" not in err
    assert main(["report", str(tmp_path / "s")]) == 0
    assert "gaussian" in capsys.readouterr().out


def test_a_fault_of_ours_shows_its_trace(tmp_path: Path, monkeypatch: Any) -> None:
    def fail(*_: object, **__: object) -> None:
        np.zeros(2) + np.zeros(3)

    monkeypatch.setattr(GaussianMixture, "fit", fail)
    with pytest.raises(ValueError, match="broadcast"):
        main(["fit", "iris", "gmm", "--out", str(tmp_path / "run")])
