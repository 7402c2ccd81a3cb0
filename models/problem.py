"""What an engine that fits the posterior of a pair's parameters is given."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple


class Problem(NamedTuple):
    """What an engine works on.

    Attributes:
        family: the folder of the pair, whose model takes the rows, `prior` and `gaps`, and whose
            guide takes the rows, `prior` and `start`.
        rows: arrays with a row each, or None.
        prior: of the parameters; its `on` gives it with a backend's own arrays.
        start: values of the sites, where guide or chains start.
        gaps: what the model is told of gaps in the rows: whether there are any, or where.
    """

    family: str
    rows: tuple[Any, ...]
    prior: Any
    start: dict[str, Any]
    gaps: Any

    def on(self, array: Callable[[Any], Any]) -> Problem:
        """The same with its arrays made a backend's own by `array`."""
        return self._replace(
            rows=tuple(None if a is None else array(a) for a in self.rows),
            prior=self.prior.on(array),
            start={site: array(value) for site, value in self.start.items()},
        )

    def pair(self, backend: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """Model and guide in "pyro" or "numpyro", which then take rows alone."""
        twin = import_module(f".{self.family}.{backend}", __package__)
        guide = partial(twin.guide, prior=self.prior, start=self.start)
        return partial(twin.model, prior=self.prior, gaps=self.gaps), guide
