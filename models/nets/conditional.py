"""Models of p(x | y) where a setting says so, of which `fit(X, y)` is told y."""

from __future__ import annotations

from typing import Any

from ...conditioning import Conditioning
from ...errors import InputError


class Conditional:
    """A model that is conditional on y if its setting `conditional` says so."""

    conditional: bool
    context_: Conditioning | None

    def _conditions_on(self, y: Any) -> bool:
        """Whether `y` is what the rows are modelled given."""
        if self.conditional and y is None:
            raise InputError(
                "conditional is True, and no y was given; give fit(X, y) one a row, or leave "
                "conditional out."
            )
        return bool(self.conditional)

    def _check_varied(self) -> None:
        """Raise InputError if there is but one value of y."""
        if self.context_ is not None and len(self.context_.values) == 1:
            raise InputError(
                "conditional is True, and y is the same for all rows, so that there is nothing to "
                "condition on. Give y of at least two values, or leave conditional out."
            )
