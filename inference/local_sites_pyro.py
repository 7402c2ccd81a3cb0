"""The sites of Pyro programs whose latents are local to a plate of rows: see `local_pyro`."""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import pyro
import torch
from pyro.distributions import Normal
from pyro.distributions.util import scale_and_mask
from pyro.poutine.messenger import Messenger
from pyro.poutine.plate_messenger import PlateMessenger
from pyro.poutine.runtime import _PYRO_STACK
from pyro.poutine.util import site_is_subsample
from torch import Tensor
from torch.distributions import Distribution, Independent

from .local_sites import Sites, check_rsample, given, summed

Draw = Callable[[str, Any, int], Tensor]  # (site, its distribution, K) -> (K, n, ...)


def rsample(name: str, fn: Any, samples: int) -> Tensor:
    """(K, n, ...) reparameterised draws of a site, by torch's random state."""
    check_rsample(name, fn)
    shape = (samples,) if len(fn.batch_shape) < 2 else ()
    if (
        isinstance(fn, Independent) and type(fn.base_dist) is Normal
    ):  # as its own rsample, in fewer operations
        m, s = fn.base_dist.loc, fn.base_dist.scale
        return torch.addcmul(m, s, torch.randn(shape + m.shape, dtype=m.dtype, device=m.device))
    found: Tensor = fn.rsample(shape)
    return found


def plate_of_rows(n: int, n_total: int | None = None) -> Any:
    """`pyro.plate("rows", ...)` of n rows out of `n_total`. While sites are read here one is kept
    for each size, since making one is most of what reading a site costs."""
    reading = bool(_PYRO_STACK) and isinstance(_PYRO_STACK[-1], Reader)
    return (_kept_plate if reading else _plate)(n, n_total or n)


def _plate(n: int, n_total: int) -> Any:
    return pyro.plate("rows", n_total, subsample=torch.arange(n), dim=-1)


class _Plate(PlateMessenger):
    """A plate that leaves alone what has as many rows as itself."""

    def _process_message(self, msg: Any) -> None:
        fn = msg["fn"]
        whole = isinstance(fn, Distribution) and fn.batch_shape[-1:] == (self.subsample_size,)
        if not whole or self.size != self.subsample_size:
            super()._process_message(msg)


@lru_cache
def _kept_plate(n: int, n_total: int) -> Any:
    return _Plate("rows", n_total, subsample=torch.arange(n), dim=-1)


class _Enough(Exception):
    """Raised where nothing more of a program is wanted."""


class Reader(Messenger):
    """Keeps the sites of what runs within it; latents are what `latent` says of their name and
    distribution; after `last` nothing more is run."""

    def __init__(self, latent: Callable[[str, Any], Tensor], last: str | None = None) -> None:
        super().__init__()
        self.latent, self.last, self.sites = latent, last, Sites()

    def _process_message(self, msg: Any) -> None:
        if msg["type"] != "sample" or site_is_subsample(msg):
            return
        if not msg["is_observed"]:
            msg["value"] = self.latent(msg["name"], msg["fn"])
        msg["done"] = True
        self.sites[msg["name"]] = msg

    def _postprocess_message(self, msg: Any) -> None:
        if msg["name"] == self.last:
            raise _Enough


def read(
    program: Callable[..., Any],
    *args: Any,
    latent: Callable[[str, Any], Tensor],
    last: str | None = None,
) -> Sites:
    """The sites of a model or guide.

    Args:
        latent: the value of a latent site, given its name and distribution.
        last: the site after which nothing is run; None runs all.
    """
    reader = Reader(latent, last)
    try:
        with reader:
            program(*args)
    except _Enough:
        pass
    return reader.sites


def draw(guide: Callable[..., Any], *args: Any, samples: int, by: Draw = rsample) -> Sites:
    """The sites of the guide, K values of each row drawn."""
    return read(guide, *args, latent=lambda name, fn: by(name, fn, samples))


def replay(program: Callable[..., Any], *args: Any, values: Mapping[str, Tensor]) -> Sites:
    """The sites of a model or guide whose latents have these values, (K, n, ...) each.

    Raises:
        InputError: if a latent has no value.
    """
    return read(program, *args, latent=lambda name, fn: given(values, name))


def site(fn: Any, value: Tensor) -> Any:
    """A site that no program draws."""
    return {"fn": fn, "value": value, "is_observed": False, "scale": 1.0, "mask": None}


def log_prob(site: Any) -> Tensor:
    """(K, n) or (n,) log density of a site's value, scaled and masked as the pair says."""
    found: Tensor = site["fn"].log_prob(site["value"])
    if bent(site):
        found = scale_and_mask(found, site["scale"], site["mask"])
    return found


def bent(site: Any) -> bool:
    return site["mask"] is not None or isinstance(site["scale"], Tensor) or site["scale"] != 1


def total(sites: Sites) -> Tensor:
    """(K, n) log density of all sites: log p(x, z) of a model, log q(z | x) of a guide."""
    whole: Tensor = summed({name: log_prob(site) for name, site in sites.items()})
    return whole
