"""Commands as tests call them, and what they come to."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import NamedTuple

import pytest

from ppgen.__main__ import main


class Done(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def table(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.out)))


Run = Callable[..., Done]


def runs_commands(capsys: pytest.CaptureFixture[str]) -> Run:
    """What runs a command, given its words."""

    def call(*words: object) -> Done:
        capsys.readouterr()
        status = main([str(word) for word in words])
        return Done(status, *capsys.readouterr())

    return call
