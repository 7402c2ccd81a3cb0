"""Errors that users meet. Each says what was given, what was expected and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """What was asked for or given is wrong."""


class KindError(InputError, TypeError):
    """What was given is of a kind that nothing can be made of; scikit-learn asks for a
    `TypeError`."""


class FitError(RuntimeError):
    """A fit failed; the message says why and what to do."""


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Say " Did you mean 'x'?" with the nearest option, or nothing; case counts less."""
    known = list(options)
    folded = {option.casefold(): option for option in known}
    near = difflib.get_close_matches(name, known, n=1) or [
        folded[one] for one in difflib.get_close_matches(name.casefold(), folded, n=1)
    ]
    return f" Did you mean {near[0]!r}?" if near else ""


def unknown(what: str, name: str, options: Iterable[str]) -> InputError:
    """The error that there is no `what` of this name; it lists those that there are."""
    known = list(options)
    return InputError(
        f"there is no {what} {name!r}; there are {', '.join(known)}." + did_you_mean(name, known)
    )
