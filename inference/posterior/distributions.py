"""What is asked of a site's distribution, the same of both backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ...errors import InputError
from .sites import words_of


class Drawn(NamedTuple):
    """A site that a guide draws.

    Attributes:
        shape: of its value.
        distribution: the name of its class.
        support: in words, without its bounds.
    """

    shape: tuple[int, ...]
    distribution: str
    support: str


class Library(NamedTuple):
    """The classes of a backend.

    Attributes:
        wrappers: that a distribution stands in.
        masked, improper, factor: the classes of these.
        biject_to: gives the bijection from the reals to a support.
    """

    wrappers: tuple[Any, ...]
    masked: Any
    improper: Any
    factor: Any
    biject_to: Callable[[Any], Any]

    def base(self, fn: Any) -> Any:
        """The distribution within its wrappers."""
        while isinstance(fn, self.wrappers):
            fn = fn.base_dist
        return fn

    def drawn(self, fn: Any, value: Any) -> Drawn:
        """A site of a guide, by its distribution and its value."""
        support, base = fn.support, self.base(fn)
        while (inner := getattr(support, "base_constraint", None)) is not None:
            support = inner
        words = type(support).__name__.strip("_").lower()
        return Drawn(tuple(value.shape), type(base).__name__, words)

    def is_factor(self, fn: Any) -> bool:
        """Whether it is a term of the log density, and no distribution."""
        return isinstance(self.base(fn), self.factor)

    def is_improper(self, fn: Any) -> bool:
        """Whether it has no draws, or none of what it scores."""
        while isinstance(fn, self.wrappers):
            if isinstance(fn, self.masked) and fn._mask is False:
                return True
            fn = fn.base_dist
        return isinstance(fn, self.improper)

    def masks(self, fn: Any) -> list[Any]:
        """The masks among its wrappers."""
        found = []
        while isinstance(fn, self.wrappers):
            if isinstance(fn, self.masked):
                found.append(fn._mask)
            fn = fn.base_dist
        return found

    def unconstrained(self, name: str, fn: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a latent's value on the unconstrained scale.

        Raises:
            InputError: if there is none.
        """
        try:
            return tuple(self.biject_to(fn.support).inverse_shape(shape))
        except NotImplementedError:
            raise InputError(
                f"site {name!r} is drawn from {type(self.base(fn)).__name__}, whose support "
                f"{words_of(fn.support)} has no bijection to the reals, so no engine can draw it. "
                "Write it as a transform of sites whose support has one."
            ) from None

    def levels(self, name: str, fn: Any) -> Any:
        """The values of a discrete latent.

        Raises:
            InputError: if they cannot be listed.
        """
        if not getattr(fn, "has_enumerate_support", False):
            raise InputError(
                f"site {name!r} is drawn from {type(self.base(fn)).__name__}, which takes "
                "more discrete values than can be listed and cannot be summed out. Observe it, "
                "bound it (Categorical over 0 .. K), or write the sum over it in the model."
            )
        return fn.enumerate_support(expand=False)
