"""Training records in the units of the data.

A net sees encoded rows z; the density of the row x as given is log p(x) = log p(z) + log |dz/dx|.
The mean of the last term, over the rows that a number is of, is what the number lacks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...arrays import Floats
from ...data import Encoded
from ...fitting import Fit
from ...progress import Progress
from .held_out import Subset


class DataUnits:
    """Reports what is measured in encoded units as what it is in those of the data.

    Args:
        fit: where to report.
        seen, unseen: the rows trained on, and the held-out rows that are evaluated.
        constant: what else is added to a row's log density.

    Attributes:
        bound: the bound on the log density of held-out rows, in encoded units, where there is one.
    """

    def __init__(
        self, fit: Fit, seen: Subset, unseen: Subset | None, constant: float = 0.0
    ) -> None:
        self.fit, self.seen, self.constant = fit, seen, constant
        self.bound: float | None = None
        self._seen = _mean(seen.log_det, seen) + constant
        self._unseen = 0.0 if unseen is None else _mean(unseen.log_det, unseen) + constant

    def redraw(self, stored: Callable[[Encoded], Any]) -> Callable[[int], Any] | None:
        """Gives for each epoch the rows trained on, (m, D), with their cells filled in anew; None
        where nothing is rounded.

        Args:
            stored: gives encoded rows as one array.
        """
        again = self.fit.redraw
        if again is None:
            return None

        def drawn(epoch: int) -> Any:
            encoded = again(epoch)
            self._seen = _mean(encoded.log_det, self.seen) + self.constant
            return stored(encoded)[self.seen.numbers]

        return drawn

    def report(self, record: Progress) -> None:
        """Report a record whose numbers are of encoded rows, and the bound where it was set."""
        changed = replace(record, loss=record.loss - self._seen)
        if record.validation is not None:
            bound = None if self.bound is None else self.bound + self._unseen
            changed = replace(changed, validation=record.validation + self._unseen, bound=bound)
        self.fit.report(changed)


def _mean(log_det: Floats, rows: Subset) -> float:
    """The mean of those that are finite: a row outside the support has no density to be added."""
    values, weights = log_det[rows.numbers], rows.shares
    finite = np.isfinite(values)
    if not finite.any():
        return 0.0
    return float(np.average(values[finite], weights=None if weights is None else weights[finite]))
