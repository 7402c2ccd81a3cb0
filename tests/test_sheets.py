"""Sheets of rows by evaluation: which are kept, and that they come back."""

from __future__ import annotations

import numpy as np
import torch

from ppgen.models.nets.sheet_keeper import MOST, SheetKeeper
from ppgen.models.nets.sheets import Sheets


def _after(evaluations: int, begin: SheetKeeper | None = None, first: int = 0) -> SheetKeeper:
    keeper = begin or SheetKeeper({"samples": (2, 3)})
    for i in range(first, evaluations):
        keeper.add(100 * i, {"samples": torch.full((2, 3), float(i))})
    return keeper


def test_few_sheets_are_kept_evenly_spaced_with_the_last() -> None:
    for n in range(1, 60):
        steps = _after(n).sheets().steps
        assert steps[0] == 0
        assert steps[-1] == 100 * (n - 1)
        assert len(steps) <= MOST + 1
        assert len(np.unique(np.diff(steps)[:-1])) <= 1
        assert n <= MOST / 2 or len(steps) > MOST / 2


def test_each_sheet_has_the_rows_of_its_step() -> None:
    for step, rows in _after(23).sheets():
        assert np.array_equal(rows["samples"], np.full((2, 3), step / 100))


def test_sheets_that_go_on_are_those_that_never_stopped() -> None:
    stopped, going_on = _after(11), SheetKeeper({"samples": (2, 3)})
    for name, tensor in going_on.tensors.items():
        tensor.copy_(stopped.tensors[name])
    went_on, whole = (k.sheets().arrays() for k in (_after(30, going_on, first=11), _after(30)))
    assert went_on.keys() == whole.keys()
    assert all(np.array_equal(went_on[name], whole[name]) for name in whole)


def test_sheets_come_back_from_a_saved_run() -> None:
    sheets = _after(9).sheets()
    again = Sheets.of({**sheets.arrays(), "weight": np.ones(3)})
    assert np.array_equal(again.steps, sheets.steps)
    assert np.array_equal(again.rows["samples"], sheets.rows["samples"])
    assert len(Sheets.of({"weight": np.ones(3)})) == 0
