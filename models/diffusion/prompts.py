"""Prompts as what a fit is conditional on: texts, read by a vocabulary or a local encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...conditioning import Conditioning
from ...data import Schema
from ...data.column import Column
from ...errors import InputError
from ...estimator import Estimator
from .local_encoder import LocalEncoder
from .vocabulary import Vocabulary

_MOST = 1000  # distinct prompts that are kept to draw from


@dataclass(frozen=True)
class Prompts(Conditioning):
    """Prompts, and how they are read.

    Attributes:
        reader: makes numbers of prompts.
        schema: the one column of `y`.
        values, shares, rows: see `Conditioning`.
    """

    reader: Vocabulary | LocalEncoder
    schema: Schema
    values: NDArray[np.float64]
    shares: NDArray[np.float64]
    rows: float

    @classmethod
    def fit(
        cls, y: Any, n: int, weights: NDArray[np.float64] | None = None, encoder: str | None = None
    ) -> Prompts:
        """The prompts of n rows.

        Args:
            y: texts.
            weights: (n,) of the rows.
            encoder: folder of a pre-trained one; None takes the words as they are.
        """
        given = texts(y, n)
        shares = np.ones(n) if weights is None else weights
        distinct, group = np.unique(np.asarray(given, dtype=object), return_inverse=True)
        counts = np.bincount(group.reshape(-1), weights=shares)
        said = [str(prompt) for prompt in distinct]
        reader = Vocabulary.fit(given) if encoder is None else LocalEncoder.fit(encoder, said)
        kept = np.flatnonzero(counts)
        if len(kept) > _MOST:
            kept = np.random.default_rng(0).choice(kept, _MOST, replace=False)
        values = reader.read([said[i] for i in kept], fitting=True)
        effective = float(shares.sum() ** 2 / np.square(shares).sum())
        schema = _schema()
        return cls(reader, schema, values, counts[kept] / counts[kept].sum(), effective)

    @property
    def exact(self) -> bool:
        return True

    def encode(self, y: Any, n: int | None = None) -> NDArray[np.float64]:
        """(n, k) numbers for prompts; one text is one prompt."""
        return self.reader.read(texts(y, n))

    def to_json(self) -> dict[str, Any]:
        kind = "vocabulary" if isinstance(self.reader, Vocabulary) else "encoder"
        return {
            kind: self.reader.to_json(),
            "values": self.values.tolist(),
            "shares": self.shares.tolist(),
            "rows": self.rows,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Prompts:
        """What `to_json` gave."""
        reader: Vocabulary | LocalEncoder = (
            Vocabulary.from_json(body["vocabulary"])
            if "vocabulary" in body
            else LocalEncoder.from_json(body["encoder"])
        )
        values, shares = (np.asarray(body[k], dtype=np.float64) for k in ("values", "shares"))
        return cls(reader, _schema(), values, shares, float(body["rows"]))


class Prompted(Estimator):
    """An estimator whose `y` may be prompts (settings `prompts` and `text_encoder`)."""

    prompts: bool
    text_encoder: str | None

    def _fit_context(self, y: Any, n: int, weights: NDArray[np.float64] | None) -> Conditioning:
        if self.prompts:
            return Prompts.fit(y, n, weights, self.text_encoder)
        return super()._fit_context(y, n, weights)

    def _context_of(self, body: Mapping[str, Any]) -> Conditioning:
        if "vocabulary" in body or "encoder" in body:
            return Prompts.from_json(body)
        return super()._context_of(body)

    @property
    def _words(self) -> int:
        """How many numbers of words the contexts of the fit have; 0 where they are none."""
        return self.context_.reader.size if isinstance(self.context_, Prompts) else 0


def texts(y: Any, n: int | None = None) -> list[str]:
    """Prompts as a list, one a row of n.

    Raises:
        InputError: if something else is given.
    """
    if isinstance(y, str):
        y = [y]
    if isinstance(y, Mapping) and len(y) == 1:
        y = next(iter(y.values()))
    given = np.asarray(y, dtype=object)
    column = given.reshape(len(given)) if given.shape[1:] == (1,) else given
    found: list[Any] = column.tolist() if column.ndim == 1 else [given.shape]
    if wrong := [value for value in found if not isinstance(value, str)]:
        what = repr(wrong[0]) if column.ndim == 1 else f"an array of shape {wrong[0]}"
        raise InputError(
            f"y holds prompts, one text a row, and {what} was given. Give texts, or leave prompts "
            "out and y is read as labels and numbers."
        )
    if n is not None and len(found) != n:
        raise InputError(f"y has {len(found)} prompts, X has {n} rows; give one a row.")
    return found


def _schema() -> Schema:
    return Schema((Column("y", "categorical", levels=("",)),))  # of texts, not of numbers
