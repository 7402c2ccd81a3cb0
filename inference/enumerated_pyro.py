"""The tables of a Pyro model whose discrete latent sites are summed out: see `enumerated`.

Pyro's enumeration (`pyro.poutine.enum`) gives every discrete site a dimension of its own, to the
left of the plates (in `pyro.markov` used anew once a site is out of reach), and packs each site's
log density to the dimensions that it has, named by symbols. Draws are run at once where the model
allows that (`torch.vmap`), else one after another.

A plate that subsamples takes all its rows where data of its full size are among the arguments.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from pyro import poutine
from pyro.distributions.torch_distribution import TorchDistributionMixin
from pyro.distributions.util import scale_and_mask
from pyro.poutine.enum_messenger import EnumMessenger
from pyro.poutine.messenger import Messenger
from pyro.poutine.subsample_messenger import SubsampleMessenger
from pyro.poutine.util import site_is_subsample
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from ..arrays import Array, Floats
from .enumerated import Axes, Draws, Enumerated, kind_of, lengths_of, states_of, weighed
from .enumerated_groups import Factor, Variable
from .posterior.sites_pyro import at_once, is_finite
from .posterior.target_pyro import apart
from .torch_state import as_found

_SMALL = 1 << 22  # cells of a table that is made without a look at its size


def read(
    model: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], like: Draws
) -> Enumerated:
    """The tables of a model given its data.

    Args:
        model: a Pyro program.
        args, kwargs: what it is called with, its data among them.
        like: (b, ...) draws of its continuous latent sites, of which the shapes are taken.

    Raises:
        InputError: for a discrete site without a finite list of states, and one that is depended on
            from outside its plate.
    """
    program = _Program(model, args, kwargs)
    first = {name: value[0] for name, value in _tensors(like).items()}
    program.look(first)
    factors: list[Factor] = []
    program.outline(first, factors)

    def tables(draws: Draws) -> list[Floats]:
        given = _tensors(draws)
        found = _at_once(program, given) if given else None
        if found is None:
            n = len(next(iter(given.values()))) if given else 1
            each = [program.tables({k: v[i] for k, v in given.items()}) for i in range(n)]
            found = [torch.stack(tables) for tables in zip(*each, strict=True)]
        return [table.double().numpy() for table in found]

    return Enumerated(factors, program.support, tables, program.weights)


def _at_once(program: _Program, draws: dict[str, Tensor]) -> list[Tensor] | None:
    """Of all draws at once; None where the model cannot be run so (where Python branches on a value
    of it, or it takes one for a number)."""
    try:
        return list(torch.vmap(program.tables)(draws))
    except RuntimeError:
        return None


def _tensors(draws: Draws) -> dict[str, Tensor]:
    given = {name: torch.as_tensor(np.asarray(value)) for name, value in draws.items()}
    return {n: v.double() if v.is_floating_point() else v for n, v in given.items()}


@dataclass
class _Program:
    """A model called with its data.

    Attributes:
        depth: plates nested, at most.
        support: of the discrete latent sites.
        weights: of the observed sites that are scaled.
        cells: of a table of all states together, which none is larger than.
    """

    model: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    depth: int = 0
    support: dict[str, Array] = field(default_factory=dict)
    weights: dict[str, Array] = field(default_factory=dict)
    cells: int = 1

    def look(self, draw: Mapping[str, Tensor]) -> None:
        """Find the discrete sites and the plates, by a run without enumeration."""
        with apart(), torch.no_grad(), _First():
            trace = self._trace(draw)
            trace.compute_log_prob()  # what distributions keep of it are numbers, then, not shapes
        entries = 1
        for name, site in trace.nodes.items():
            if site["type"] != "sample" or _aside(site):
                continue
            fn = site["fn"]
            dims = [-f.dim for f in site["cond_indep_stack"] if f.vectorized]
            self.depth = max([self.depth, len(fn.batch_shape), *dims])
            if not site["is_observed"] and name not in draw:
                self.support[name] = states_of(name, fn).numpy()
                self.cells *= len(self.support[name])
            elif name not in draw:
                frames = [f for f in site["cond_indep_stack"] if f.vectorized]
                usual = math.prod(f.full_size / f.size for f in frames)
                self.weights.update(weighed({name: site["scale"] / usual}))
            entries = max(entries, site["log_prob"].numel())
        self.cells *= entries

    def outline(self, draw: Mapping[str, Tensor], factors: list[Factor]) -> None:
        """Describe its factors: where tables of all states together might be large, by a run of
        shapes alone, without memory."""
        if self.cells > _SMALL:
            try:
                with as_found(), FakeTensorMode(allow_non_fake_inputs=True):
                    self.tables(draw, factors)
                return
            except (RuntimeError, TypeError):  # Python takes a value for a number
                factors.clear()
        self.tables(draw, factors)

    def _trace(self, draw: Mapping[str, Tensor]) -> Any:
        with _whole_plates(lengths_of(self.args, self.kwargs)), _Drawn(draw):
            return poutine.trace(at_once(self.model)).get_trace(*self.args, **self.kwargs)

    def tables(
        self, draw: Mapping[str, Tensor], factors: list[Factor] | None = None
    ) -> list[Tensor]:
        """The tables of its factors, which are appended to a list where one is given."""
        with apart(), torch.no_grad(), _Enum(-1 - self.depth):
            trace = self._trace(draw)
            trace.compute_log_prob(lambda name, _: name not in draw or bool(self.support))
        sites = {
            name: site
            for name, site in trace.nodes.items()
            if site["type"] == "sample" and "unscaled_log_prob" in site and not _aside(site)
        }
        states = {  # the number that Pyro gives to the states of a site
            site["infer"]["_dim_to_id"][site["infer"]["_enumerate_dim"]]: name
            for name, site in sites.items()
            if name in self.support
        }
        out = []
        for name, site in sites.items():
            value = scale_and_mask(site["unscaled_log_prob"], mask=site["mask"])
            axes = Axes.of(
                value.shape,
                {dim: states[i] for dim, i in site["infer"].get("_dim_to_id", {}).items()},
                [(f.name, f.dim, f.size) for f in site["cond_indep_stack"] if f.vectorized],
                name if name in self.support else None,
            )
            if name in draw and not axes.variables:
                continue
            out.append(axes.moved(value, torch.permute).expand(axes.shape))
            if factors is not None:
                kind = kind_of(name in self.support, name in draw)
                variables = tuple(Variable(v) for v in axes.variables)
                factors.append(Factor(name, None, kind, variables, tuple(axes.plates), axes.shape))
        return out


def _aside(site: Any) -> bool:
    """Whether a sample site of Pyro's is none of the model's: rows of a plate, a deterministic."""
    return site_is_subsample(site) or bool(site["infer"].get("_deterministic"))


class _Drawn(Messenger):
    """Continuous latent sites and params have the values of a draw; to Pyro they are data."""

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.values = values

    def _pyro_sample(self, msg: Any) -> None:
        if msg["name"] in self.values and not msg["is_observed"]:
            msg["value"], msg["is_observed"] = self.values[msg["name"]], True

    def _pyro_param(self, msg: Any) -> None:
        if msg["name"] in self.values:
            msg["value"], msg["done"] = self.values[msg["name"]], True


class _First(Messenger):
    """Discrete sites have their first state, which is cheaper than a draw."""

    def _pyro_sample(self, msg: Any) -> None:
        fn = msg["fn"]
        if not msg["is_observed"] and is_finite(fn):
            msg["value"] = fn.enumerate_support(expand=False)[0].expand(fn.shape())
            msg["done"] = True


class _Enum(EnumMessenger):
    """Pyro's, which runs under `torch.vmap` as well: there a tensor has no `data`."""

    def _pyro_post_sample(self, msg: Any) -> None:
        value, fn = msg["value"], msg["fn"]
        if not isinstance(fn, TorchDistributionMixin) or value is None:
            return
        shape = value.shape[: value.dim() - fn.event_dim]
        ids = msg["infer"].setdefault("_dim_to_id", {})
        ids.update(self._param_dims.get(msg["name"], {}))
        self._value_dims[msg["name"]] = {
            dim: i for dim, i in ids.items() if len(shape) >= -dim and shape[dim] > 1
        }


@contextlib.contextmanager
def _whole_plates(lengths: frozenset[int]) -> Iterator[None]:
    """Plates that subsample data given whole, of one of these lengths, take all rows."""
    usual = SubsampleMessenger.__dict__["_subsample"]

    def subsample(name: str, size: Any = None, subsample_size: Any = None, *more: Any) -> Any:
        return usual.__func__(name, size, None if size in lengths else subsample_size, *more)

    messenger: Any = SubsampleMessenger
    messenger._subsample = staticmethod(subsample)
    try:
        yield
    finally:
        messenger._subsample = usual
