"""Estimators that keep rows as they were made at some points of their training."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from ...arrays import Array, Floats
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

    def strips(self) -> dict[str, Floats]:
        """The rows kept as strips of pictures to be drawn below each other: label -> (n, C, H, W)
        from 0, black, to 1; none where rows are no pictures."""
        strips = {}
        for step, rows in self.sheets():
            for kept in rows.values():
                if kept.images is not None:
                    strips[f"step {step}"] = between(kept)
        return strips


def between(rows: Dataset) -> Floats:
    """Images as values from 0 to 1, where 1 is the greatest that they can have."""
    pixels, images = rows.schema.pixels, np.asarray(rows.images, np.float64)
    assert pixels is not None
    return np.clip((images - pixels.low) / max(pixels.high - pixels.low, 1e-12), 0, 1)
