"""What is built holds every module of the tree, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# What is under version control, and goes into the sdist.
ENTRIES = (
    *("pyproject.toml", "MANIFEST.in", "constraints.txt", "Makefile"),
    *("README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff"),
    *("ppgen", "models", "inference", "tests", "examples", "benchmarks", "docs"),
)
# Where in the tree the parts of the package lie.
PARTS = {"ppgen": "ppgen", "models": "ppgen/models", "inference": "ppgen/inference"}


def _tree() -> set[str]:
    """Every module of the tree, as a path inside the wheel."""
    found = set()
    for part, place in PARTS.items():
        for file in (ROOT / part).rglob("*.py"):
            inside = file.relative_to(ROOT / part)
            if part == "ppgen" and inside.parts[0] in ("models", "inference"):
                continue
            found.add(f"{place}/{inside.as_posix()}")
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(sdist, wheel), the wheel built from the sdist; without network."""
    out = tmp_path_factory.mktemp("dist")
    source = out / "source"
    # A copy, so that building leaves nothing in the tree.
    source.mkdir()
    for entry in ENTRIES:
        if (ROOT / entry).is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "results")
            shutil.copytree(ROOT / entry, source / entry, symlinks=True, ignore=ignore)
        else:
            shutil.copy(ROOT / entry, source / entry)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


def test_packages_are_listed() -> None:
    body = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(body["tool"]["setuptools"]["packages"])
    packages = {
        file.rsplit("/", 1)[0].replace("/", ".")
        for file in _tree()
        if file.endswith("/__init__.py")
    }
    assert listed == packages


def test_wheel_holds_every_module(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as wheel:
        names = set(wheel.namelist())
    assert {n for n in names if n.endswith(".py")} == _tree()
    assert "ppgen/py.typed" in names
    assert any(n.startswith("ppgen/study/templates/") for n in names)
    assert any(n.endswith("licenses/LICENSE") for n in names)


def test_data_files_are_in_the_wheel(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as wheel:
        names = set(wheel.namelist())
    for file in (ROOT / "ppgen").rglob("*"):
        inside = file.relative_to(ROOT).as_posix()
        if file.is_file() and file.suffix not in (".py", ".pyc") and "__pycache__" not in inside:
            assert inside in names


def test_sdist_holds_every_module_and_the_tests(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as sdist:
        names = {name.split("/", 1)[1] for name in sdist.getnames() if "/" in name}
    for part, place in PARTS.items():
        expected = {f.replace(f"{place}/", f"{part}/", 1) for f in _tree() if f.startswith(place)}
        if part == "ppgen":
            expected = {
                f for f in expected if not f.startswith(("ppgen/models", "ppgen/inference"))
            }
        assert expected <= names
    assert {"constraints.txt", "LICENSE", "tests/test_packaging.py"} <= names
