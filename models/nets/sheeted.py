"""Estimators that keep rows as they were made at some points of their training."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from ...arrays import Array
from ...data import Dataset
from ...estimator import Estimator
from .sheets import Sheets


class Sheeted(Estimator):
    """An estimator of `capabilities.sheets`.

    Attributes:
        sheets_: the rows kept, as nets have them.
        shown: what they are, in a sentence.
    """

    sheets_: Sheets
    shown: ClassVar[str]

    @abstractmethod
    def _sheet(self, name: str, rows: Array) -> Dataset:
        """Rows that were kept under a name, in the units of the data."""

    def sheets(self) -> list[tuple[int, dict[str, Dataset]]]:
        """The optimiser steps at which rows were kept, each with the rows by what they are."""
        return [
            (step, {name: self._sheet(name, kept) for name, kept in rows.items()})
            for step, rows in self.sheets_
        ]
