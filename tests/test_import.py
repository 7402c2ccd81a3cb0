"""The front door opens fast and loads nothing heavy."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import ppgen
from ppgen.models.registry import MODELS

HEAVY = (
    "arviz", "arviz_base", "equinox", "flowjax", "jax", "matplotlib", "narwhals", "numpyro",
    "pandas", "pyro", "scipy", "sklearn", "torch", "xarray", "zuko",
)  # fmt: skip


def _loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after `code`."""
    tail = "import json, sys; print(); print(json.dumps([m.split('.')[0] for m in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{tail}"], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import ppgen; dir(ppgen)",
        "from ppgen.__main__ import main; assert main(['--help']) == 0",
        "from ppgen.__main__ import main; assert main(['fit', '--help']) == 0",
        "from ppgen.__main__ import main; assert main(['fit']) == 2",
        "from ppgen.__main__ import main; assert main(['models', 'vae']) == 0",
        "from ppgen.__main__ import main; assert main(['fit', 'x', 'gmm', '--settings']) == 0",
    ],
)
def test_front_door_loads_nothing_heavy(code: str) -> None:
    assert _loaded_by(code).isdisjoint(HEAVY)


def test_classes_load_neither_backend() -> None:
    made = "; ".join(f"ppgen.{entry.class_name}()" for entry in MODELS.values())
    found = _loaded_by(f"import ppgen; {made}")
    assert found.isdisjoint({"torch", "jax", "pyro", "numpyro", "matplotlib"})


@pytest.mark.parametrize("name", [n for n in ppgen.__all__ if n != "__version__"])
def test_every_public_name_resolves_and_has_a_docstring(name: str) -> None:
    found = getattr(ppgen, name)
    assert found.__module__.startswith("ppgen.")
    assert found.__doc__


def test_dir_lists_the_public_names() -> None:
    assert set(ppgen.__all__) <= set(dir(ppgen))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="GausianMixture"):
        _ = ppgen.GausianMixture


def test_modules_have_one_name_each() -> None:
    """`models` and `inference` are no import names: every class would exist twice."""
    for name in ("models", "inference"):
        with pytest.raises(ImportError):
            importlib.import_module(f"{name}.registry" if name == "models" else f"{name}.gradient")


def test_every_module_imports() -> None:
    root = Path(ppgen.__file__).parent
    files = [file for part in ("", "models", "inference") for file in (root / part).glob("**/*.py")]
    for file in files:
        dotted = ".".join(file.relative_to(root).with_suffix("").parts)
        name = f"ppgen.{dotted}".removesuffix(".__init__")
        assert importlib.import_module(name).__doc__, f"{name} has no docstring"
