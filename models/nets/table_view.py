"""The view of a table: its map, what the model is told, and the margins it is given back.

encoded row ─> map ─> values to be made ─> features      discriminator, generator
                 └──> values told ───────> features      both, as context
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from ...arrays import Array, Floats, Hashes
from ...data import Codec, Encoded
from ...errors import InputError
from ...rows import Rows
from .margins import Margins
from .tables import TableMap, features
from .told import Told, rarity
from .views import View


@dataclass(frozen=True, eq=False, kw_only=True)
class TableView(View):
    """What the nets see of the rows of a table.

    Attributes:
        map: of encoded rows to the values that nets see.
        told: the values told of rows fitted, or None where nothing is told.
        drawn: the distribution of the numbers that a generator makes, or None while it is
            trained; its scores are normal.
    """

    map: TableMap
    told: Told | None = None
    drawn: Margins | None = None

    @classmethod
    def fit(
        cls,
        codec: Codec,
        rows: Rows,
        *,
        ranks: bool,
        smooth: bool = False,
        told: Collection[str],
        rng: np.random.Generator,
        units: Hashes | None = None,
    ) -> Self:
        """The view for rows that are trained on.

        Args:
            ranks: whether numbers are seen as the scores of their ranks.
            smooth: whether in such a way that rows have a density (`log_det`).
            told: names of the columns that the model is told.
            rng: thins the rows that what is told is drawn from.
            units: (n,) which rows are one draw, where margins are smooth; None takes each for one.
        """
        found = TableMap.fit(
            codec, rows.data, rows.weights, ranks=ranks, smooth=smooth, told=told, units=units
        )
        if not told:
            return cls(found.made, map=found)
        context = found.split(rows.data)[1]
        kept = Told.fit(found.told_names, found.context, context, rows.weights, rng)
        return cls(found.made, map=found, told=kept)

    @property
    def ranked(self) -> bool:
        """Whether numbers are seen as scores of their ranks."""
        return self.map.margins is not None

    @property
    def drawn_anew(self) -> bool:
        """Whether `stored` draws: places within ties."""
        return self.map.tied

    def stored(self, data: Encoded, rng: np.random.Generator | None = None) -> Array:
        """(n, D) values to be made of encoded rows; `rng` draws places within ties."""
        return self.map.split(data, rng)[0]

    def log_det(self, data: Encoded) -> Floats:
        """(n,) what the view adds to log densities of the values made of encoded rows."""
        return self.map.log_det(data)

    @property
    def told_names(self) -> tuple[str, ...]:
        """Names of the columns that the nets are told."""
        return self.map.told_names

    def told_of(self, data: Encoded) -> Floats | None:
        """(n, k) values told of encoded rows; None where none are."""
        return None if self.told is None else self.map.split(data)[1]

    def with_context(self, rows: Rows) -> Rows:
        """Rows whose context holds what is told besides."""
        if self.told is None:
            return rows
        return replace(rows, context=self.context(self.told_of(rows.data), rows.context))

    def context(self, told: Floats | None, context: Floats | None) -> Floats | None:
        """(n, c) the context of values told (n, k), after a context (n, b) of other things."""
        if told is None:
            return context
        seen = features(self.map.context, told)
        return seen if context is None else np.column_stack([context, seen])

    def often(self, rows: Rows) -> Floats | None:
        """(n,) how often each row is to be drawn in training, up to a factor; None for alike."""
        if self.told is None:
            return None
        return rarity(self.map.context, self.map.split(rows.data)[1])

    def draw(self, n: int, given: Encoded | None, rng: np.random.Generator) -> Floats | None:
        """(n, k) values told: those given, the others drawn; None where nothing is told.

        Raises:
            InputError: if no row fitted has the levels given.
        """
        if self.told is None:
            return None
        return self.told.draw(n, None if given is None else self.map.split(given)[1][0], rng)

    def usual(self, n: int) -> Floats | None:
        """(n, k) values told of a row that is like most; None where none are told."""
        return None if self.told is None else np.repeat(self.told.usual()[None], n, axis=0)

    def finished(self, features: Array) -> Array:
        """Features (n, F) that a model made, with the margins of the rows trained on."""
        if self.drawn is None:
            return features
        numbers = self.values.numbers
        return np.column_stack([self.drawn.scores(features[:, :numbers]), features[:, numbers:]])

    @property
    def settled(self) -> Self:
        """The view of features that are `finished`."""
        return replace(self, drawn=None)

    def sheet(self, rows: Array) -> Encoded:
        """Features of generated rows, after which stands the context that they were told, as
        encoded rows."""
        size = rows.shape[1] - self.map.context.features
        told = np.nan_to_num(self.map.context.gathered(rows[:, size:]), nan=-1.0)  # a gap
        return self.encoded(rows[:, : self.values.features], told)

    def encoded(
        self,
        features: Array,
        told: Floats | None = None,
        rng: np.random.Generator | None = None,
    ) -> Encoded:
        """Features (n, F), with values (n, k) told, as encoded rows: of each level the largest
        indicator. `rng` draws places within cells; None takes the middles."""
        made = np.asarray(self.values.gathered(self.finished(features)), np.float64)
        return self.map.joined(made, np.empty((len(made), 0)) if told is None else told, rng)

    def state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """What a saved run keeps: plain values and arrays."""
        state, arrays = self.map.state()
        for name, part in (("told", self.told), ("drawn", self.drawn)):
            if part is not None:
                arrays |= {f"{name}.{key}": array for key, array in part.arrays().items()}
        return {"table": state}, arrays

    @classmethod
    def restored(cls, state: dict[str, Any], arrays: dict[str, Array]) -> Self:
        """The view that `state` gave."""
        found = TableMap.of(state["table"], arrays)
        told, drawn = (_part(arrays, f"{name}.") for name in ("told", "drawn"))
        return cls(
            found.made,
            map=found,
            told=Told.of(found.told_names, found.context, told) if told else None,
            drawn=Margins.of(drawn) if drawn else None,
        )


def _part(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}


def check_told(codec: Codec, names: Collection[str]) -> None:
    """Raise InputError if a model cannot be told these columns of a fit."""
    fixed = [name for name in names if name in codec.constants or name in codec.empties]
    if fixed:
        raise InputError(
            f"condition_on names {', '.join(fixed)}, of one value or none in the rows fitted: "
            "there is nothing to condition on. Leave it out."
        )
    varying = (*codec.continuous_names, *codec.discrete_names)
    if names and set(varying) <= set(names):
        raise InputError(
            f"condition_on names all columns that vary ({', '.join(varying)}), and nothing is left "
            "to make. Leave one out."
        )
