"""Distributions of the backend that is asked for, which alone is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from .columns import Columns
from .components import Components

Backend = Literal["numpyro", "pyro"]


def of_components(parts: Sequence[Components], columns: Columns, backend: Backend) -> Any:
    """The distribution of a product of mixtures over the columns of a fit."""
    if backend == "pyro":
        from . import in_pyro

        return in_pyro.of_components(parts, columns)
    from . import in_numpyro

    return in_numpyro.of_components(parts, columns)
