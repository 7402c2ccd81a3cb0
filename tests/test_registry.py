"""What is written of the models elsewhere is what the registry says."""

from __future__ import annotations

import ast
from pathlib import Path

import ppgen
from ppgen.models import registry

ROOT = Path(__file__).resolve().parents[1]


def table() -> str:
    """The README's table of models."""
    lines = ["| name | class | what it is | density | gaps | written as |", "|---" * 6 + "|"]
    for row in registry.described():
        density = row["density"].replace("_", " ")
        drawn = row["engines"].split()[1:] if registry.get(row["model"]).capabilities.draws else []
        if drawn:
            names = (name.upper() if len(name) < 5 else f"{name} draws" for name in drawn)
            density += f"; estimate by {', '.join(names)}"
        cells = (f"`{row['model']}`", f"`{row['class']}`", row["what"])
        lines.append("| " + " | ".join((*cells, density, row["missing"], row["written as"])) + " |")
    return "\n".join(lines)


def test_the_readmes_table_of_models_is_the_registrys() -> None:
    text = (ROOT / "README.md").read_text()
    assert table() in text, f"the README's table of models should be:\n\n{table()}\n"


def test_type_checkers_see_the_names_that_are_resolved_lazily() -> None:
    tree = ast.parse(Path(ppgen.__file__).read_text())
    (seen,) = (node for node in tree.body if isinstance(node, ast.If))
    typed = {
        name.asname: imported.module
        for imported in seen.body
        if isinstance(imported, ast.ImportFrom)
        for name in imported.names
    }
    assert typed == ppgen._HOME


def test_each_model_is_the_one_its_row_names() -> None:
    for name, entry in registry.MODELS.items():
        found = registry.get(name)
        assert (found.name, found.__name__) == (name, entry.class_name)
        assert getattr(ppgen, entry.class_name) is found
        assert found.__module__.startswith(f"ppgen.models.{entry.family}")
