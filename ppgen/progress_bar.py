"""The bars a terminal shows while a fit runs, rows are gone through, or files arrive."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .progress import Clock, Progress


@contextmanager
def terminal_bar(name: str, *, show: bool, **how: Any) -> Iterator[Any]:
    """A bar of tqdm on standard error, which goes when it is done; None where nobody would see it.

    Args:
        name: what stands before it.
        show: whether one is wanted.
        how: what else tqdm takes, such as `unit` and `total`.
    """
    if not show or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc=name, leave=False, **how) as bar:
        yield bar


@contextmanager
def progress_bar(
    name: str, clock: Clock, *, show: bool
) -> Iterator[Callable[[Progress], None] | None]:
    """A callback that draws the records of a fit, or None where nobody would see it."""
    with terminal_bar(name, show=show, unit=" steps") as bar:

        def draw(record: Progress) -> None:
            bar.update(record.step - bar.n)
            words = f"loss {record.loss:.3f}"
            if record.validation is not None:
                words += f", validation {record.validation:.3f}"
            left = clock.left()
            bar.set_postfix_str(words if left is None else f"{words}, {left:.0f} s left")

        yield None if bar is None else draw


@contextmanager
def rows_bar(name: str, n: int, *, show: bool) -> Iterator[Callable[[int], object]]:
    """A callback that takes how many more of n rows are done."""
    with terminal_bar(name, show=show, unit=" rows", total=n) as bar:
        yield (lambda rows: None) if bar is None else bar.update
