"""Faults planted in a copy of the package are caught, each by whom `docs/audit.md` says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[1]
LINKED = ("models", "inference")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package and its tests, links resolved."""
    folder = tmp_path_factory.mktemp("mutants")
    ignore = shutil.ignore_patterns("__pycache__")
    for part in ("ppgen", "tests"):
        shutil.copytree(ROOT / part, folder / part, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@contextmanager
def planted(mutation: Mutation, folder: Path) -> Iterator[None]:
    """The fault stands in the copy for the time of a block."""
    part = mutation.file.split("/")[0]
    file = folder / ("ppgen" if part in LINKED else "") / mutation.file
    text = file.read_text()
    assert text.count(mutation.old) == 1, f"{mutation.old!r} is {text.count(mutation.old)} times"
    file.write_text(text.replace(mutation.old, mutation.new))
    try:
        yield
    finally:
        file.write_text(text)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    words = (sys.executable, "-m", *words)
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)


def refuted(folder: Path, case: str) -> set[str]:
    done = run(folder, "tests.mutant", case)
    assert done.returncode == 0, done.stderr[-3000:]
    return set(json.loads(done.stdout.splitlines()[-1]))


each = pytest.mark.parametrize(
    "mutation",
    [pytest.param(m, marks=[pytest.mark.slow] * (not m.quick), id=m.name) for m in MUTATIONS],
)


@each
def test_a_planted_fault_is_caught(mutation: Mutation, copy: Path) -> None:
    with planted(mutation, copy):
        if mutation.case:
            assert set(mutation.caught) <= refuted(copy, mutation.case)
        else:
            done = run(copy, "pytest", "-q", "-m", "slow or not slow", *mutation.caught)
            assert done.returncode == 1, done.stdout[-3000:]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(c, marks=[pytest.mark.slow] * (c != "lengths"))
        for c in sorted({m.case for m in MUTATIONS if m.case})
    ],
)
def test_without_a_fault_nothing_is_refuted(case: str, copy: Path) -> None:
    assert refuted(copy, case) == set()


def test_every_anchor_stands_once() -> None:
    for mutation in MUTATIONS:
        text = (ROOT / mutation.file).read_text()
        assert text.count(mutation.old) == 1, mutation.name


def test_the_table_of_the_documentation_is_this_one() -> None:
    text = (ROOT / "docs/audit.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and "`" in line]
    expected = [
        f"| {m.name} | `{m.file}` | {', '.join(f'`{c}`' for c in m.caught)} |" for m in MUTATIONS
    ]
    assert [row for row in rows if row in expected] == expected
    assert len(MUTATIONS) >= 20
