"""The command line.

Importing it loads typer and nothing heavy; each command loads what it needs.
"""

from __future__ import annotations

import typer

from . import (
    auditing,
    coding,
    fits,
    inferring,
    inspecting,
    outliers,
    querying,
    studies,
    tables,
    translating,
)
from .wording import spoken

app = typer.Typer(
    name="ppgen",
    help="A suite of generative models. DATA is a file (CSV, Excel, JSON, Parquet, NPY, NPZ, IDX, "
    "WAV, a folder or a ZIP or TAR file of images) or a built-in name such as wine, digits, "
    "sprites or toy:checkerboard.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from ..version import __version__

        print(f"ppgen {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


for _command in (
    studies.demo,
    studies.study,
    inspecting.inspect,
    fits.fit,
    tables.score,
    tables.sample,
    tables.impute,
    outliers.outliers,
    coding.encode,
    coding.reconstruct,
    coding.predict,
    translating.translate,
    querying.query,
    inferring.infer,
    auditing.audit,
    studies.report,
    fits.models,
):
    app.command()(spoken(_command))
