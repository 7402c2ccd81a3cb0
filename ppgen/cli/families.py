"""`ppgen models`: what there is, and what each can do."""

from __future__ import annotations

from .options import Out
from .output import check_output, write_table


def models(output: Out = None) -> None:
    """List the models and what each can do."""
    check_output(output)
    from ..models import registry

    rows = registry.described()
    write_table({key: [row[key] for row in rows] for key in rows[0]}, output, pretty=True)
