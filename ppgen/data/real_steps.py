"""What codecs of rows that are steps of real numbers have alike: sequences and recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from ..density import Measure
from ..plain_json import PlainFields
from .contents import Contents


class RealSteps(PlainFields):
    """A codec whose rows are steps of real numbers.

    Attributes:
        of: what they are, under which a saved run has it.
    """

    of: ClassVar[str]

    @property
    def dequantised(self) -> tuple[str, ...]:
        """None: steps are real numbers."""
        return ()

    @property
    def measure(self) -> Measure:
        """A density."""
        return "density"

    def unseen(self, data: Contents) -> dict[str, list[Any]]:
        """No step is a value that a fit could not know."""
        return {}

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return {self.of: super().to_json()}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """The codec that `to_json` wrote."""
        return super().from_json(body[cls.of])
