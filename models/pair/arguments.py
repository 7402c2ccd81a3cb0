"""What a model was called with: kept as names, shapes and hashes, never as data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ...arrays import Array
from ...artifact import digest, fingerprint
from ...inference.posterior.sites import positional
from .data import as_backend, as_numpy

_PLAIN = int | float | str | bool | None
MAX_BYTES = 1 << 28  # of made-up arrays, to run a model with


@dataclass(frozen=True)
class Argument:
    """One argument of a model.

    Attributes:
        position: of a positional one; None of a keyword.
        name: of the parameter; of those of *args with their number.
        shape, dtype, sha256: of an array, and of its bytes; None and "" where it is none. Tuples
            and dicts have a hash alone.
        value: where it is a number, a text or None.
        other: whether it is none of these, so that only the user can give it again.
        observes: the site whose observed value it is.
    """

    position: int | None
    name: str
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    sha256: str = ""
    value: Any = None
    other: bool = False
    observes: str = ""

    def placeholder(self) -> Any:
        """An array of its shape, or its value."""
        if self.shape is None:
            return self.value
        whole = np.dtype(self.dtype).kind in "iub"  # such as an index, for which 0 is one
        return (np.zeros if whole else np.ones)(self.shape, self.dtype)


@dataclass(frozen=True)
class Call:
    """The arguments that a model was called with, in order."""

    arguments: tuple[Argument, ...] = field(default_factory=tuple)

    @classmethod
    def of(
        cls,
        model: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        data: Mapping[str, Any],
    ) -> Call:
        """What is kept of a call; `data` are the observed values of sites."""
        sites = {id(value): site for site, value in data.items()}
        named = zip(positional(model, len(args)), args, strict=True)
        each = [(i, name, value) for i, (name, value) in enumerate(named)]
        each += [(None, name, value) for name, value in kwargs.items()]  # type: ignore[misc]
        return cls(tuple(_kept(*one, sites.get(id(one[2]), "")) for one in each))

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(argument) for argument in self.arguments]

    @classmethod
    def from_json(cls, body: Iterable[Mapping[str, Any]]) -> Call:
        shaped = ({**one, "shape": _tuple(one["shape"])} for one in body)
        return cls(tuple(Argument(**one) for one in shaped))

    def same_rows(self, other: Call) -> bool:
        """Whether what is not observed is the same in both."""
        return self._given() == other._given()

    def _given(self) -> dict[str, Any]:
        return {
            a.name: (a.shape, a.dtype, a.sha256, a.value)
            for a in self.arguments
            if not a.observes and (a.sha256 or a.value is not None)
        }

    def placeholders(self, backend: str) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Made-up arguments of the same shapes; None where there are none, or they are large."""
        sizes = [np.prod(a.shape) * np.dtype(a.dtype).itemsize for a in self.arguments if a.shape]
        if any(a.other for a in self.arguments) or sum(sizes) > MAX_BYTES:
            return None
        made = [(a, as_backend(a.placeholder(), a.name, backend)) for a in self.arguments]
        args = tuple(value for a, value in made if a.position is not None)
        return args, {a.name: value for a, value in made if a.position is None}


def numbers(value: Any) -> Array | None:
    """An argument of the backend as an array of NumPy; None where it is none."""
    if "shape" not in dir(value):
        return None
    found: Array | None = as_numpy(value, "")
    return found


def _kept(position: int | None, name: str, value: Any, observes: str) -> Argument:
    array = numbers(value)
    if array is not None:
        sha256, dtype = digest(array), array.dtype.str
        return Argument(position, name, array.shape, dtype, sha256, observes=observes)
    if isinstance(value, _PLAIN):
        return Argument(position, name, value=value)
    return Argument(position, name, sha256=_members(value), other=True)


def _members(value: Any) -> str:
    """A hash of what tuples and dicts hold; "" of other things."""
    if isinstance(value, Mapping):
        value = tuple(value.items())
    if isinstance(value, tuple):
        return fingerprint([_members(member) for member in value])
    array = numbers(value)
    if array is not None:
        return digest(array)
    return repr(value) if isinstance(value, _PLAIN) else ""


def _tuple(shape: list[int] | None) -> tuple[int, ...] | None:
    return None if shape is None else tuple(shape)
