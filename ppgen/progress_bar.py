"""The bars a terminal shows while a fit runs, and while rows are gone through."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .progress import Clock, Progress


@contextmanager
def progress_bar(
    name: str, clock: Clock, *, show: bool
) -> Iterator[Callable[[Progress], None] | None]:
    """A callback that draws records on standard error, or None where nobody would see it."""
    if not show or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc=name, unit=" steps", total=None, leave=False) as bar:

        def draw(record: Progress) -> None:
            bar.update(record.step - bar.n)
            told = f"loss {record.loss:.3f}"
            if record.validation is not None:
                told += f", validation {record.validation:.3f}"
            left = clock.left()
            bar.set_postfix_str(told if left is None else f"{told}, {left:.0f} s left")

        yield draw


@contextmanager
def rows_bar(name: str, n: int, *, show: bool) -> Iterator[Callable[[int], object]]:
    """A callback that is told how many more of n rows are done, and draws it on standard error
    where somebody would see it."""
    if not show or not sys.stderr.isatty():
        yield lambda rows: None
        return
    from tqdm import tqdm

    with tqdm(desc=name, unit=" rows", total=n, leave=False) as bar:
        yield bar.update
