"""A table gathered row by row, each row under the states of the parents it belongs to."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ....arrays import Floats
from .draft import Draft
from .source import Place


class Rows:
    """The rows of one node's conditional, in any order.

    Args:
        draft: the network so far.
        name: of the node.
        parents: its parents; rows belong to states of the discrete ones.
        width: how many numbers a row has.
        place: where the conditional stands.
    """

    def __init__(
        self, draft: Draft, name: str, parents: Sequence[str], width: int, place: Place
    ) -> None:
        self.draft, self.name, self.place = draft, name, place
        self.parents = [parent for parent in parents if draft.states[parent]]
        self.shape = draft.shape([name, *parents])
        self.values = np.full((math.prod(self.shape), width), np.nan)
        self.places: dict[int, Place] = {}

    def add(self, states: Sequence[int], values: Sequence[float], place: Place) -> None:
        """Give the row of these states of the parents."""
        self.add_row(int(np.ravel_multi_index(states, self.shape)) if states else 0, values, place)

    def add_row(self, row: int, values: Sequence[float] | Floats, place: Place) -> None:
        """Give the row of this number, in C order of the parents' states."""
        self._check_width(values, place)
        if row in self.places:
            raise self.draft.source.error(place, f"{self._shown(row)} is given twice.")
        self.places[row] = place
        self.values[row] = values

    def fill(self, values: Sequence[float], place: Place) -> None:
        """Give all rows that have not been given."""
        self._check_width(values, place)
        for row in set(range(len(self.values))) - set(self.places):
            self.places[row] = place
            self.values[row] = values

    def whole(self) -> Floats:
        """(r_1, ..., r_q, width) the rows; InputError if one is missing."""
        for row in range(len(self.values)):
            if row not in self.places:
                raise self.draft.source.error(self.place, f"{self._shown(row)} is missing.")
        return self.values.reshape(*self.shape, -1)

    def table(self) -> None:
        """Give the node a table of these rows."""
        self.draft.table(self.name, self.whole(), self.place, self.places.__getitem__)

    def _check_width(self, values: Sequence[float] | Floats, place: Place) -> None:
        if len(values) != self.values.shape[1]:
            raise self.draft.source.error(
                place,
                f"a row of {self.name!r} has {len(values)} numbers; expected "
                f"{self.values.shape[1]}.",
            )

    def _shown(self, row: int) -> str:
        states = np.unravel_index(row, self.shape) if self.shape else ()
        given = ", ".join(
            f"{parent} = {self.draft.states[parent][state]}"
            for parent, state in zip(self.parents, states, strict=True)
        )
        return f"the row of {self.name!r}" + (f" for {given}" if given else "")
