"""A user's model and guide, and what they are written in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from ...errors import InputError
from ...inference.posterior.forward import Called
from ...inference.posterior.minibatch import with_total
from ...inference.posterior.target import Target, make_target
from .. import shipped
from .data import as_backend
from .keywords import arguments, check_call

BACKENDS = ("numpyro", "pyro")


class Program:
    """A model, and its guide.

    Attributes:
        model: called with the data; or the name of a pair that ships.
        guide: called as the model is; the name of an autoguide; None leaves it to the engine.
        backend: "numpyro" or "pyro".
        name: of a pair that ships; None of the user's own.
    """

    def __init__(
        self,
        model: Callable[..., Any] | str,
        guide: Callable[..., Any] | str | None = None,
        backend: Literal["numpyro", "pyro"] = "numpyro",
    ) -> None:
        if backend not in BACKENDS:
            raise InputError(f"backend is {backend!r}; expected 'numpyro' or 'pyro'.")
        self.name = model if isinstance(model, str) else None
        if isinstance(model, str):
            model = shipped.model(model, backend)
        if not callable(model):
            raise InputError(
                f"model is a {type(model).__name__}; expected a function, or the name of a pair "
                f"that ships: {', '.join(shipped.names())}."
            )
        if not (guide is None or isinstance(guide, str) or callable(guide)):
            raise InputError(
                f"guide is a {type(guide).__name__}; expected a function, the name of an "
                "autoguide, or None."
            )
        self.model: Callable[..., Any] = model
        self.guide, self.backend = guide, backend

    def call(self, data: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """What the model is called with, as arrays of the backend; an argument `n_total` that is
        left out is the number of rows.

        Raises:
            InputError: if it cannot be called with these.
        """
        check_call(self.model, data, named)
        names, _ = arguments(self.model)
        each = [*names, *(f"argument {i + 1}" for i in range(len(names), len(data)))]
        args = tuple(as_backend(v, n, self.backend) for n, v in zip(each, data, strict=False))
        kwargs = {n: as_backend(v, n, self.backend) for n, v in named.items()}
        return args, with_total(self.model, args, kwargs)

    def called(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Called:
        """The model called with these, which are arrays of the backend."""
        return Called(self.backend, self.model, args, kwargs)

    def target(self, *data: Any, **named: Any) -> Target:
        """The log joint of the model called with these data, as engines see it.

        Raises:
            InputError: if the model cannot be called with them, raises, has a site that cannot be
                fitted, nothing to infer or nothing observed.
        """
        return make_target(self.model, *self.call(data, named), self.backend)
