"""Running a study: find the cells that are missing, have them done, gather the result."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import numpy as np

from ..data import Dataset, as_dataset
from ..data.readers import read
from ..errors import InputError
from ..progress import terminal_bar
from .cells import Cell, Models, Settings, parts, plan
from .executors import Where, check_executor, local, opened
from .report import report
from .result import StudyResult
from .run_cell import provenance, run_cell
from .store import Store
from .stored_rows import save_dataset

Json = dict[str, Any]
Finished = tuple[Cell, Json]
_WAIT = 2.0  # seconds that a study waits at most before it looks whether it was interrupted


@dataclass(frozen=True)
class Event:
    """A cell of a running study is finished, and how far the study is."""

    cell: Cell
    state: Literal["done", "failed", "not applicable"]
    reason: str
    n_done: int
    n_cells: int


class Running(TypedDict, total=False):
    """Where a study runs and who is informed of its progress; no result depends on these."""

    executor: Where
    progress: bool | Callable[[Event], None]


def run_study(
    data: Any,
    models: Models = ("gaussian", "independent", "kde", "gmm", "flow"),
    *,
    groups: Any = None,
    seeds: int | Sequence[int] = 3,
    budget: str | float | None = "60s",
    out: str | os.PathLike[str] = "runs/study",
    settings: Settings | None = None,
    **running: Unpack[Running],
) -> StudyResult:
    """Fit every model to every data set with every seed, and compare them on held-out rows.

    A seed decides the split (80 % fitted, 10 % for early stopping, 10 % held out) and the start of
    the fit. All models of a seed see the same split, so that differences between them are paired
    row by row; the scatter between seeds holds what another split and another start change.
    Held-out rows are scored and nothing else.

    A study that was stopped goes on where it was: cells that are done are not done again, whatever
    else is asked for. Cells that failed are tried again.

    Args:
        data: a `Dataset`, an array or frame, a file or built-in name; or a mapping of names to
            these.
        models: names of models or families ("baseline" is three models), or a mapping of names of
            your choice to unfitted estimators, such as {"gmm 4": GaussianMixture(n_components=4),
            ...}.
        groups: what rows belong to: a column's name, such as "patient", which is left out of the
            models, or (n,) labels. Rows of a group are fitted to or held out together and count
            once in standard errors. Several data sets need the column each.
        seeds: how many, or which.
        budget: how long a fit may take, such as "60s"; None for as long as it likes.
        out: the study's folder; absent, empty, or of an earlier run of this study.
        settings: hyper-parameters by model, such as {"gmm": {"n_components": 8}}.
        running: `executor`, None for local processes, "dask", a Dask scheduler's address, or an
            Executor; `progress`, True for a bar on a terminal, or a function that is given each
            `Event`.

    Returns:
        The table, figures and report, and access to each fit.

    Raises:
        InputError: if what was asked cannot be done, or `out` holds anything else.
        KeyboardInterrupt: on Ctrl-C, with what was finished kept in `out`.
    """
    executor, progress = running.get("executor"), running.get("progress", True)
    check_executor(executor)
    named, store = _named(data, groups), Store(out)
    cells = plan(named, models, seeds, budget, settings)
    marks = {cell.data: cell.fingerprint for cell in cells}
    store.check(marks)
    for name, seed in {(cell.data, cell.seed): None for cell in cells}:
        parts(named[name], seed)  # too few rows to split are said before anything is written
    with store.locked():
        store.check(marks)
        store.begin(_body(named, marks, cells))
        for name, rows in named.items():
            save_dataset(store.data(marks[name]), rows)
        with terminal_bar("study", show=progress is True, unit=" cells", total=len(cells)) as bar:
            for n_done, (cell, result) in enumerate(_results(store, cells, executor), 1):
                if callable(progress):
                    reason = result.get("reason", "")
                    progress(Event(cell, result["state"], reason, n_done, len(cells)))
                elif bar is not None:
                    bar.set_postfix_str(str(cell), refresh=False)
                    bar.update()
        report(store.folder)
        return StudyResult.load(store.folder)


def _results(store: Store, cells: Sequence[Cell], where: Where) -> Iterator[Finished]:
    """Each cell with its result, as they are finished."""
    missing = []
    for cell in cells:
        result = store.result(cell)
        if result is None and (how := store.damage(cell)) is not None:
            warnings.warn(f"{cell} is damaged ({how}) and is done again.", UserWarning, 4)
        if result is None or result["state"] == "failed":
            missing.append(cell)
        else:
            yield cell, result
    if not missing:
        return
    with opened(where, len(missing)) as executor:
        lost = yield from _gather(store, missing, executor)
    # A worker that died took its neighbours' cells with it; each of them alone shows whose fault it
    # was.
    for cell in lost:
        with local(1) as executor:
            again = yield from _gather(store, [cell], executor)
        if again:
            yield cell, _fail(store, cell, "its worker process died, perhaps for want of memory")


def _gather(
    store: Store, cells: Sequence[Cell], executor: Executor
) -> Generator[Finished, None, list[Cell]]:
    """Have cells done, yield each with its result, and return those whose worker died."""
    folder = str(store.folder.resolve())
    running: dict[Future[Json], Cell] = {}
    lost: list[Cell] = []
    try:
        for cell in cells:
            try:
                running[executor.submit(run_cell, folder, cell.to_json())] = cell
            except BrokenExecutor:
                lost.append(cell)
        while running:
            # Again and again: a signal that comes just before a wait without end may not end it.
            finished, _ = wait(running, timeout=_WAIT, return_when=FIRST_COMPLETED)
            for future in finished:
                cell = running.pop(future)
                try:
                    result = future.result()
                except BrokenExecutor:
                    lost.append(cell)
                    continue
                except Exception as error:
                    result = _fail(store, cell, f"{type(error).__name__}: {error}")
                yield cell, result
    finally:
        for future in running:
            future.cancel()
    return lost


def _fail(store: Store, cell: Cell, reason: str) -> Json:
    return store.finish(cell, {"state": "failed", "reason": reason})


def _named(data: Any, groups: Any) -> dict[str, Dataset]:
    """Data sets by name, in groups; what has no name of its own is called data."""
    if not isinstance(data, Mapping):
        name = Path(data).name if isinstance(data, str | os.PathLike) else "data"
        data = {name: data}
    if not data:
        raise InputError("no data were given; give a data set, or a mapping of names to data sets.")
    sets = {
        str(name): as_dataset(read(d) if isinstance(d, str | os.PathLike) else d)
        for name, d in data.items()
    }
    for name, rows in sets.items():
        if rows.schema.sequence:
            raise InputError(f"{name} holds sequences; a study takes tables and images.")
    if groups is not None:
        sets = {name: rows.grouped(groups) for name, rows in sets.items()}
    return sets


def _body(data: Mapping[str, Dataset], marks: Mapping[str, str], cells: Sequence[Cell]) -> Json:
    held = {
        name: {
            "fingerprint": marks[name],
            "rows": len(rows),
            "schema": rows.schema.to_json(),
            "own_split": rows.parts is not None,
            "draws": len(np.unique(rows.units)),
            "grouped": rows.groups is not None,
        }
        for name, rows in data.items()
    }
    return {"data": held, "cells": [cell.to_json() for cell in cells], **provenance()}
