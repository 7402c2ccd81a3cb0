"""What the end of the search for a bandwidth says."""

from __future__ import annotations

from ...verdict import Reason
from .kernel_mixture import KernelSum


def edge_reasons(kernels: KernelSum, column: str | None = None) -> list[Reason]:
    """A warning where the bandwidth is at an end of what was searched."""
    if not kernels.at_edge:
        return []
    where = "" if column is None else f" of column {column!r}"
    return [
        Reason(
            "warn",
            f"the bandwidth{where} is at the edge of its grid ({kernels.bandwidth:.2g} of the "
            "spread): the rows are near-copies of each other, or lie on a line or a surface.",
            "Look for values repeated up to noise or columns that depend on each other.",
        )
    ]
