"""Rows as a model sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Encoded:
    """Rows as a model sees them.

    Attributes:
        x: (n, d) continuous part; NaN where missing.
        codes: (n, c) level numbers of discrete columns; -1 where missing, -2 for what the fit never
            saw.
        log_det: (n,) log |dx/d(data)| summed over observed columns, to be added to the log density
            of `x`; -inf for rows that the fit gives probability zero. Of counts, dequantised levels
            and atoms it is the derivative by the place in the cell, so that the sum is a log mass.
    """

    x: NDArray[Any]
    codes: NDArray[np.int32]
    log_det: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.log_det)

    def put(self, rows: NDArray[np.intp], others: Encoded) -> Encoded:
        """These rows with others in the place of some."""
        made = Encoded(self.x.copy(), self.codes.copy(), self.log_det.copy())
        made.x[rows], made.codes[rows] = others.x, others.codes
        made.log_det[rows] = others.log_det
        return made

    def within(self, reach: float, *, fitted: bool = False) -> Encoded:
        """The same with numbers brought to -reach ... reach, which arithmetic bears.

        Args:
            fitted: of rows that are fitted to; of others, those that were further out get a
                `log_det` of -inf: their density is 0.
        """
        if self.x.dtype.kind == "f":
            reach = min(reach, float(np.finfo(self.x.dtype).max))
        far = (np.abs(self.x) > reach).any(axis=1)
        if not far.any():
            return self
        log_det = self.log_det if fitted else np.where(far, -np.inf, self.log_det)
        return Encoded(self.x.clip(-reach, reach), self.codes, log_det)

    def take(self, rows: Any) -> Encoded:
        """Some rows, by slice, numbers or mask."""
        return Encoded(self.x[rows], self.codes[rows], self.log_det[rows])
