"""The page of all settings: `python -m ppgen.cli.settings_page > docs/settings.md`."""

from __future__ import annotations

from ..models import registry
from ..models.pair.engines import ENGINES
from ..settings import Settings

_HEAD = """# Settings

What can be set of each model: as keyword arguments in Python, with `--set NAME=VALUE` on the
command line, where `ppgen models MODEL` prints the same. There, `random_state` is `--seed` (of a
study `--seeds`), and a dict is JSON: `--set 'engine_settings={"num_steps": 500}'`. Written by
`python -m ppgen.cli.settings_page`."""


def page() -> str:
    """The settings of all models in Markdown, a table each."""
    parts = [_HEAD]
    for name, entry in registry.MODELS.items():
        parts.append(f"## `{name}`: `{entry.class_name}`\n\n{_table(registry.settings(name))}")
        for method, options in registry.get(name).capabilities.options.items():
            if options.names:
                parts.append(f"Options of `{entry.class_name}.{method}`:\n\n{_table(options)}")
    for method, one in ENGINES.items():
        backends = " and ".join(one.modules)
        head = f'## `Pair.fit(..., method="{method}")`: {one.about}'
        parts.append(f"{head}\n\nRuns on {backends}.\n\n{_table(one.settings)}")
    return "\n\n".join(parts)


def _table(settings: Settings) -> str:
    columns = settings.table()
    rows = [columns, ["---"] * len(columns), *zip(*columns.values(), strict=True)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(page())
