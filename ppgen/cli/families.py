"""`ppgen models`: what there is, what each can do, and what can be set of it."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Out
from .output import check_output, write_table


def models(
    model: Annotated[
        str | None, typer.Argument(help="List what can be set of this one.", show_default=False)
    ] = None,
    output: Out = None,
) -> None:
    """List the models and what each can do, or the settings of one."""
    check_output(output)
    from ..models import registry

    if model is not None:
        write_table(registry.settings(model).table(), output, pretty=True)
        return
    rows = registry.described()
    write_table({key: [row[key] for row in rows] for key in rows[0]}, output, pretty=True)
