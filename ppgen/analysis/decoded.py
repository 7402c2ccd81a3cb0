"""Codes in some layout with the rows they decode to: what a walk through a latent space gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..data import Schema, as_dataset
from ..data.stacking import in_shape
from ..errors import InputError
from .codes import labels


@dataclass(frozen=True, eq=False)
class Decoded:
    """Codes laid out in some shape, and the rows they decode to.

    Attributes:
        codes: (*shape, k).
        rows: the decoded rows, shape flattened in C order, in the container or the layout that was
            fitted.
        schema: what the rows are.
    """

    codes: Floats
    rows: Any
    schema: Schema

    @property
    def shape(self) -> tuple[int, ...]:
        """How the rows are laid out."""
        return self.codes.shape[:-1]

    @property
    def images(self) -> Floats:
        """(*shape, C, H, W), whatever the layout that was fitted.

        Raises:
            InputError: if the rows are no images.
        """
        if self.schema.image_shape is None:
            raise InputError("the decoded rows are a table, no images; use `.columns`.")
        shape, rows = self.schema.image_shape, np.asarray(self.rows, np.float64)
        return in_shape(rows, shape, self.schema.layout).reshape(*self.shape, *shape)

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """Column name -> (*shape,) values.

        Raises:
            InputError: if the rows are images.
        """
        if self.schema.image_shape is not None:
            raise InputError("the decoded rows are images, no table; use `.images`.")
        columns = as_dataset(self.rows, self.schema).columns
        return {name: np.asarray(values).reshape(self.shape) for name, values in columns.items()}


def decode_codes(
    model: Any, codes: Floats, y: Any, given: Mapping[Any, Any] | None = None
) -> Decoded:
    """The rows of codes (*shape, k); `y` is one value for all, or one a code, and `given` the
    values of columns that the fit is told.

    Raises:
        InputError: if columns are given to a model that is told none.
    """
    flat = codes.reshape(-1, codes.shape[-1])
    if given is not None and not model.capabilities.told:
        raise InputError(
            f"given {dict(given)}, and {type(model).__name__} is told no columns; leave it out."
        )
    more = {} if given is None else {"given": given}
    rows = model.decode(flat, None if y is None else labels(y, len(flat)), **more)
    return Decoded(codes, rows, model.schema_)
