"""What nets see of encoded rows, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ...arrays import Array, Floats
from ...data import AnyCodec, Encoded, ImageCodec
from ...rows import Rows
from .values import Values


@dataclass(frozen=True)
class View:
    """Rows as they are encoded: standardised numbers and levels of a table, standardised steps of a
    sequence, and pixels between -1 and 1.

    Attributes:
        values: what is stored of a row, (n, D), and what of it nets see, (n, F).
        bounded: whether all numbers lie between -1 and 1.
    """

    values: Values
    bounded: bool = False

    @classmethod
    def of(cls, codec: AnyCodec) -> Self:
        """The view of a codec's rows."""
        if isinstance(codec, ImageCodec):
            low, high = codec.pixels.ends
            middle, half = (low + high) / 2, max((high - low) / 2, 1e-12)
            values = Values(codec.dimension, shape=codec.shape, shift=middle, scale=half)
            return cls(values, bounded=True)
        return cls(Values.of(codec))

    def stored(self, data: Encoded, rng: np.random.Generator | None = None) -> Array:
        """(n, D) encoded rows as they are kept while nets are trained; `rng` draws what is drawn
        anew for each epoch."""
        return self.values.stored(data, unseen=0)

    @property
    def drawn_anew(self) -> bool:
        """Whether `stored` draws."""
        return False

    def log_det(self, data: Encoded) -> Floats:
        """(n,) what the view adds to log densities of the values made of encoded rows, besides what
        `Values` has."""
        return np.zeros(len(data))

    @property
    def told_names(self) -> tuple[str, ...]:
        """Names of the columns that the nets are told."""
        return ()

    def told_of(self, data: Encoded) -> Floats | None:
        """(n, k) values told of encoded rows; None where none are."""
        return None

    def with_context(self, rows: Rows) -> Rows:
        """Rows whose context holds, after their own, what the nets are told of the row itself."""
        return rows

    def often(self, rows: Rows) -> Floats | None:
        """(n,) how often each row is to be drawn in training, up to a factor; None for alike."""
        return None

    def draw(self, n: int, given: Encoded | None, rng: np.random.Generator) -> Floats | None:
        """(n, k) values told of a row, those given and others drawn; None where none are."""
        return None

    def usual(self, n: int) -> Floats | None:
        """(n, k) values told of a row that is like most; None where none are told."""
        return None

    def context(self, told: Floats | None, context: Floats | None) -> Floats | None:
        """(n, c) the context of values told (n, k), after a context (n, b) of other things."""
        return context

    def finished(self, features: Array) -> Array:
        """Features (n, F) that a model made, as those of the rows that are given for them."""
        return features

    @property
    def settled(self) -> Self:
        """The view of features that are `finished`."""
        return self

    def sheet(self, rows: Array) -> Encoded:
        """Features of generated rows, after which stands the context that they were told, as
        encoded rows."""
        return self.encoded(rows[:, : self.values.features])

    def encoded(
        self,
        features: Array,
        told: Floats | None = None,
        rng: np.random.Generator | None = None,
    ) -> Encoded:
        """Features (n, F), with values (n, k) told, as encoded rows: of each level the largest
        indicator. `rng` draws places within cells; None takes the middles."""
        x = self.values.leave(self.values.gathered(features))
        return self.values.encoded(np.asarray(x))

    def state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """What a saved run keeps: plain values and arrays."""
        return {"values": self.values.to_json(), "bounded": self.bounded}, {}

    @classmethod
    def restored(cls, state: dict[str, Any], arrays: dict[str, Array]) -> Self:
        """The view that `state` gave."""
        return cls(Values.from_json(state["values"]), bool(state["bounded"]))
