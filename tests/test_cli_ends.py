"""How commands end: a reader that leaves, an interrupt."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppgen import GaussianMixture
from ppgen.__main__ import main


def _start(*words: object, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ppgen", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert main(["fit", "iris", "gaussian", "--out", str(run)]) == 0
    process = _start("sample", run, "-n", 20_000)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("sepal")
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


def test_an_interrupted_study_keeps_what_is_done(tmp_path: Path, capsys: Any) -> None:
    words = ("study", "toy:rings", "--models", "gaussian,flow", "--seeds", 1, "--budget", "10m")
    process = _start(*words, "--out", tmp_path / "s")
    assert process.stderr is not None
    first = process.stderr.readline()
    assert "gaussian on toy:rings, seed 0: done" in first
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
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
