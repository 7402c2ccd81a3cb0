"""Words that a call is given and does not take, named with the nearest that it does."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable
from functools import wraps
from typing import Any, TypeVar, cast

from .errors import KindError, did_you_mean

F = TypeVar("F", bound=Callable[..., Any])


def check_keywords(owner: str, given: Iterable[str], known: Collection[str], noun: str) -> None:
    """Raise KindError, which is a TypeError, for a word that is none of those known."""
    for name in given:
        if name not in known:
            raise KindError(
                f"{owner} has no {noun} {name!r}; it has {', '.join(known) or 'none'}."
                + did_you_mean(name, known)
            )


def keywords_checked(method: F) -> F:
    """A method that names the nearest of its arguments for one that it does not have."""
    known = tuple(inspect.signature(method).parameters)[1:]  # without self

    @wraps(method)
    def run(self: Any, *values: Any, **words: Any) -> Any:
        if not words.keys() <= {*known}:
            check_keywords(f"{type(self).__name__}.{method.__name__}", words, known, "argument")
        return method(self, *values, **words)

    return cast("F", run)
