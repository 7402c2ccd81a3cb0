"""Whose keyword is which: of the engine's settings, or of the user's model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ...errors import InputError, did_you_mean
from ...settings import Settings
from .engines import ENGINES

OWN = ("method", "random_state", "budget", "progress", "checkpoint_dir")


def shared_out(
    model: Callable[..., Any], method: str, settings: Settings, given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keywords of the engine's settings, and those of the model.

    Raises:
        InputError: if a keyword is both's or nobody's.
    """
    named, anything = arguments(model)
    parameters = inspect.signature(model).parameters
    for name in OWN:
        if name in named and parameters[name].default is inspect.Parameter.empty:
            raise InputError(
                f"the model's argument {name!r} is one of fit's own. Bind it by "
                f"functools.partial(model, {name}=...), or call it otherwise."
            )
    of_engine: dict[str, Any] = {}
    of_model: dict[str, Any] = {}
    for name, value in given.items():
        if name in settings.names and name in named:
            raise InputError(
                f"{name!r} is a setting of method {method!r} and an argument of the model. Bind "
                f"the model's by functools.partial(model, {name}=...), and give the method's here."
            )
        if name in settings.names:
            of_engine[name] = value
        elif name in named or anything:
            of_model[name] = value
        else:
            raise InputError(
                f"{name!r} is neither a setting of method {method!r} ({', '.join(settings.names)}) "
                f"nor an argument of the model ({', '.join(named) or 'it has none'})."
                + (_having(name) or did_you_mean(name, [*settings.names, *named]))
            )
    settings.check(of_engine)
    return of_engine, of_model


def _having(name: str) -> str:
    """Which methods have a setting, in words."""
    methods = [f'"{engine.method}"' for engine in ENGINES.values() if name in engine.settings.names]
    return f" Settings of this name has method {' or '.join(methods)}." if methods else ""


def arguments(model: Callable[..., Any]) -> tuple[list[str], bool]:
    """The names of a model's arguments, and whether it takes any keyword besides. Those that a
    `functools.partial` has bound are not among them."""
    parameters = inspect.signature(model).parameters.values()
    bound = getattr(model, "keywords", None) or {}
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = [p.name for p in parameters if p.kind in kinds and p.name not in bound]
    return names, any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)


def check_call(model: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raise InputError if a model cannot be called with these arguments."""
    try:
        inspect.signature(model).bind(*args, **kwargs)
    except TypeError as error:
        names = ", ".join(arguments(model)[0]) or "none"
        raise InputError(
            f"the model cannot be called with {len(args)} arguments and the keywords "
            f"{', '.join(kwargs) or 'none'}: {error}. Its arguments are {names}."
        ) from None
