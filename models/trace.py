"""Training records in the units of the data.

A net sees encoded rows z; the density of the row x as given is log p(x) = log p(z) + log |dz/dx|.
The mean of the last term, over the rows that a number is of, is what the number lacks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.encoded import Encoded
from ..fitting import Fit
from ..progress import Progress

Floats = NDArray[np.float64]


class DataUnits:
    """Reports what is measured in encoded units as what it is in those of the data.

    Args:
        fit: where to report.
        data: the rows as the fit begins with them.
        rows: numbers of those trained on.
        weights: (n,) of all rows, or None.
        constant: what else is added to a row's log density.
    """

    def __init__(
        self,
        fit: Fit,
        data: Encoded,
        rows: NDArray[Any],
        weights: Floats | None,
        constant: float = 0.0,
    ) -> None:
        self.fit, self.rows, self.constant = fit, rows, constant
        self.weights = None if weights is None else weights[rows]
        self.bound: float | None = None
        self._seen = _mean(data.log_det[rows], self.weights) + constant
        self._held = 0.0

    def held_out(self, log_det: Floats, weights: Floats | None) -> None:
        """Take the log-determinants of the held-out rows that are evaluated."""
        self._held = _mean(log_det, weights) + self.constant

    def redraw(self, epoch: int) -> Encoded:
        """The fit's rows with their cells filled in anew."""
        assert self.fit.redraw is not None
        encoded = self.fit.redraw(epoch)
        self._seen = _mean(encoded.log_det[self.rows], self.weights) + self.constant
        return encoded

    def report(self, record: Progress) -> None:
        """Report a record whose numbers are of encoded rows, and the bound where it was set."""
        found = replace(record, loss=record.loss - self._seen)
        if record.validation is not None:
            bound = None if self.bound is None else self.bound + self._held
            found = replace(found, validation=record.validation + self._held, bound=bound)
        self.fit.report(found)


def _mean(log_det: Floats, weights: Floats | None) -> float:
    """The mean of those that are finite: a row outside the support has no density to be added."""
    finite = np.isfinite(log_det)
    if not finite.any():
        return 0.0
    shares = None if weights is None else weights[finite]
    return float(np.average(log_det[finite], weights=shares))
