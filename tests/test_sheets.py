"""Sheets of rows by evaluation: which are kept, and that they come back."""

from __future__ import annotations

import numpy as np

from ppgen.models.nets.sheets import MOST, Sheets


def _after(evaluations: int, begin: Sheets | None = None) -> Sheets:
    sheets = begin or Sheets()
    for i in range(sheets.seen, evaluations):
        sheets.add(100 * i, {"samples": np.full((2, 3), i)})
    return sheets


def test_few_sheets_are_kept_evenly_spaced_with_the_last() -> None:
    for n in range(1, 60):
        steps = np.array(_after(n).steps)
        assert steps[0] == 0
        assert steps[-1] == 100 * (n - 1)
        assert len(steps) <= MOST + 1
        assert len(np.unique(np.diff(steps)[:-1])) <= 1
        assert n <= MOST / 2 or len(steps) > MOST / 2


def test_each_sheet_has_the_rows_of_its_step() -> None:
    for step, rows in _after(23):
        assert np.array_equal(rows["samples"], np.full((2, 3), step / 100))


def test_sheets_that_go_on_are_those_that_never_stopped() -> None:
    stopped = Sheets.of(_after(11).arrays())
    went_on, whole = _after(30, stopped).arrays(), _after(30).arrays()
    assert went_on.keys() == whole.keys()
    assert all(np.array_equal(went_on[name], whole[name]) for name in whole)


def test_arrays_without_sheets_give_none() -> None:
    assert len(Sheets.of({"weight": np.ones(3)})) == 0
