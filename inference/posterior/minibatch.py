"""Rows of the data as batches: which arguments of a model have rows, and whether its terms are
weighted as those of all rows.

For N rows and a batch B of |B|, the terms of B's rows count N / |B| each, so that

    E_B [ N/|B| sum_(i in B) log p(x_i | theta) ] = sum_i log p(x_i | theta).

The weight is the model's plate, whose size is N and whose subsample is the batch. A batch is the
same rows of every array whose first dimension is the number of rows, which is that of the first
array that the model is given; but an array that the model takes whole beside a batch stays whole.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ...errors import InputError
from ..learner import Data, Feed
from .sites import Site, Sites
from .target import Target

TOTAL = "n_total"
_HOW = {
    "numpyro": 'numpyro.plate("{name}", n_total, subsample_size=len(x))',
    "pyro": 'pyro.plate("{name}", n_total, subsample_size=len(x))',
}


@dataclass(frozen=True)
class Call:
    """The arguments of a model, its arrays apart from the rest.

    Attributes:
        args, kwargs: that model and guide are called with.
        n_rows: of the data; 1 where no argument is an array.
        batch_size: rows of a batch; `n_rows` where each step sees all.
        told: whether the model has an argument `n_total`.
        kept: numbers of arrays that stay whole, though they are as long as there are rows.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    n_rows: int
    batch_size: int
    told: bool = False
    kept: frozenset[int] = frozenset()

    @property
    def whole(self) -> bool:
        """Whether each step sees all rows."""
        return self.batch_size >= self.n_rows

    @property
    def single(self) -> bool:
        """Whether the arrays are of single precision."""
        kinds = [str(a.dtype) for a in self.data]
        return any("float32" in kind for kind in kinds) and not any("float64" in k for k in kinds)

    @property
    def data(self) -> list[Any]:
        """The arrays among the arguments, in their order."""
        return [value for _, value in _arrays(self.args, self.kwargs)]

    def take(self, data: Data, rows: Any) -> list[Any]:
        """The batch: these rows of what has rows, the rest as it is."""
        if self.whole:
            return list(data)
        long = [len(a) == self.n_rows and i not in self.kept for i, a in enumerate(data)]
        return [a[rows] if ok else a for a, ok in zip(data, long, strict=True)]

    def program(self, function: Callable[..., Any]) -> partial[Any]:
        """A model or guide as a function of the arrays and of `n_total`, which it is told only
        where the model has such an argument, and it too."""
        return partial(self._run, function)

    def _run(self, function: Callable[..., Any], *arrays: Any, n_total: int) -> Any:
        where = (path for path, _ in _arrays(self.args, self.kwargs))
        args, kwargs = _placed(self.args, self.kwargs, dict(zip(where, arrays, strict=True)))
        if self.told:
            kwargs[TOTAL] = n_total
        return function(*args, **accepted(function, kwargs))

    @property
    def feed(self) -> Feed:
        """The data as a learner takes them."""
        return Feed(self.data, self.n_rows, self.take, self.batch_size)

    @property
    def first(self) -> list[Any]:
        """The first batch, by which model and guide are set up."""
        return self.take(self.data, slice(self.batch_size))


def call_of(target: Target, batch_size: int | None) -> Call:
    """How the model of a target is called a batch at a time; `batch_size` None is all rows.

    Raises:
        InputError: if batches are asked for and no argument has rows.
    """
    args, kwargs = target.args, target.kwargs
    arrays = [value for _, value in _arrays(args, kwargs)]
    if not arrays and batch_size is not None:
        raise InputError(
            f"batch_size is {batch_size}, and the model is given no array to take rows of. Leave "
            "batch_size out, or give the data as arguments of the model."
        )
    n = len(arrays[0]) if arrays else 1
    size = n if batch_size is None else min(batch_size, n)
    return Call(args, kwargs, n, size, takes_total(target.model))


def with_whole(call: Call, sites_of: Callable[[Call], Sites]) -> Call:
    """The call in which arrays stay whole that are as long as there are rows by chance: those with
    which, left whole, the model has the same sites as without, or runs only so.

    Args:
        sites_of: the sites of the model in a call with a batch; InputError where it raises.
    """
    shapes = _shapes(sites_of, call)
    for i, array in enumerate(call.data[1:], 1):
        if len(array) != call.n_rows:
            continue
        tried = replace(call, kept=call.kept | {i})
        found = _shapes(sites_of, tried)
        if found is not None and shapes in (found, None):
            call, shapes = tried, found
    return call


def _shapes(sites_of: Callable[[Call], Sites], call: Call) -> dict[str, tuple[int, ...]] | None:
    """Of the sites; None where the model raises."""
    try:
        return {name: site.shape for name, site in sites_of(call).items()}
    except InputError:
        return None


def with_total(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Keywords of a call, with the number of rows as `n_total` where there is such an argument and
    it is not given."""
    arrays = [value for _, value in _arrays(args, kwargs)]
    given = inspect.signature(function).bind_partial(*args, **kwargs).arguments
    if not takes_total(function) or TOTAL in given or not arrays:
        return dict(kwargs)
    return dict(kwargs) | {TOTAL: len(arrays[0])}


def accepted(function: Callable[..., Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords that a model or guide is called with: without `n_total` where it has no such
    argument."""
    parameters = inspect.signature(function).parameters.values()
    if takes_total(function) or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        return dict(kwargs)
    return {name: value for name, value in kwargs.items() if name != TOTAL}


def takes_total(function: Callable[..., Any]) -> bool:
    """Whether a model or guide has an argument `n_total`."""
    parameters = inspect.signature(function).parameters
    bound = getattr(function, "keywords", None) or {}
    return TOTAL in parameters and TOTAL not in bound


def check_weights(
    whole: Sites, batch: Sites, grown: Mapping[str, float], call: Call, backend: str
) -> None:
    """Raise InputError unless the terms of rows are weighted as those of all rows.

    Args:
        whole, batch: the sites of the model called with all rows, and with a batch.
        grown: by how much the weight of each observed site is larger in a batch.
    """
    n, size = call.n_rows, call.batch_size
    for plate in whole.subsampled.values():
        if plate.subsample == n:
            raise InputError(
                f"plate {plate.name!r} has the size {plate.size}, and the data have {n} rows, so "
                f"each row would count {plate.size / n:.3g} times. Give the plate the size {n}; an "
                "argument n_total of the model is given it."
            )
    for name, site in batch.of("observed", "factor").items():
        rows = _plates(site, size)
        of_rows = site.shape != whole[name].shape or bool(rows)
        if not of_rows or abs(grown[name] - 1.0) > 1e-9 or _weighted(site, n, size):
            continue
        how = _HOW[backend].format(name=rows[0] if rows else "rows")
        stands = (
            f"stands in plate {rows[0]!r} of size {size}, which is that of a batch; the plate "
            f"needs the size {n} of all rows"
            if rows
            else f"stands in no plate of the {n} rows of which a batch has {size}"
        )
        raise InputError(
            f"observed {site.words} {stands}, or the rows of a batch count as if they were all. "
            f"Give the model an argument n_total and write `with {how}:`; n_total is then given "
            "the number of all rows."
        )


def check_local(batch: Sites, guide: str) -> None:
    """Raise InputError if an autoguide would need to know which rows a batch has."""
    for name, site in batch.latents.items():
        for plate in site.plates:
            if plate.subsample < plate.size:
                raise InputError(
                    f"site {name!r} is local to the rows of plate {plate.name!r}, and guide "
                    f"{guide!r} cannot know which rows a batch has. Write a guide that computes "
                    "it from the batch; or leave batch_size out and let the model take its "
                    f"subsample: plate({plate.name!r}, {plate.size}, subsample_size="
                    f"{plate.subsample}) over all the data, indexed by what the plate gives."
                )


def _plates(site: Site, size: int) -> list[str]:
    return [plate.name for plate in site.plates if plate.size == plate.subsample == size]


def _weighted(site: Site, n: int, size: int) -> bool:
    return any(plate.size == n and plate.subsample == size for plate in site.plates)


Path = tuple[Any, ...]  # of a number or name, and the keys of dicts within


def _arrays(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    for name, value in [*enumerate(args), *kwargs.items()]:
        yield from _within((name,), value)


def _within(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _within((*path, key), one)
    elif not isinstance(value, str | list | tuple) and len(getattr(value, "shape", ())) > 0:
        yield path, value


def _placed(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], values: Mapping[Path, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    def put(path: Path, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: put((*path, key), one) for key, one in value.items()}
        return values.get(path, value)

    placed = tuple(put((i,), value) for i, value in enumerate(args))
    return placed, {name: put((name,), value) for name, value in kwargs.items()}
