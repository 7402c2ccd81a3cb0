"""Ends of programs: by Ctrl-C, which they heed wherever the tests run, at some place, or killed."""

from __future__ import annotations

import importlib
import itertools
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

NOTHING = "had learnt anything; nothing is kept"


@contextmanager
def heeded() -> Iterator[None]:
    """What is started in the block heeds SIGINT, as it would in a terminal: what a shell runs in
    the background ignores it, and so does all that is started from there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Killed(BaseException):
    """What ends a fit as a kill would: nothing heeds it."""


def raising(monkeypatch: pytest.MonkeyPatch, place: str, number: int) -> Callable[[], bool]:
    """Interrupt a call of a function, which one by its number from 1; tells whether it was reached.

    Args:
        place: "module.function", or "module:Class.method".
    """
    owner, name = place.rsplit(".", 1)
    module, _, member = owner.rpartition(":")
    of: Any = importlib.import_module(module or owner)
    of = getattr(of, member) if module else of
    called, calls, reached = getattr(of, name), itertools.count(1), []

    def interrupted(*given: Any, **how: Any) -> Any:
        if next(calls) == number:
            reached.append(True)
            raise KeyboardInterrupt
        return called(*given, **how)

    monkeypatch.setattr(of, name, interrupted)
    return lambda: bool(reached)


@contextmanager
def killed(after: int) -> Iterator[None]:
    """The fit in the block is killed when it reports for the time after so many, its state written
    at each evaluation until then."""
    from ppgen.fitting import Fit
    from ppgen.inference import gradient

    report, save = Fit.report, gradient._Loop.save

    def always(self: Any) -> None:
        self.saved = -np.inf
        save(self)

    def dies(self: Any, progress: Any) -> None:
        report(self, progress)
        if len(self.trace) > after:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gradient._Loop, "save", always)
        patch.setattr(Fit, "report", dies)
        with pytest.raises(Killed):
            yield
