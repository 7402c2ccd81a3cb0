"""What the sites of a pair add up to, whatever the backend: log densities of each row and draw, and
closed forms of divergences (see `local_objective`).

A site is a backend's message: a dict with "fn", "value", "is_observed" and "scale".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import InputError
from .local_objective import check_shape, check_sites, same_order

Sites = dict[str, Any]  # name -> site


class Terms(NamedTuple):
    """Of each draw and row (K, n): log p(x | z), and of each latent site log p(z), log q(z | x)."""

    log_x: Any
    log_p: dict[str, Any]
    log_q: dict[str, Any]

    @property
    def log_ratio(self) -> Any:
        """(K, n) log q(z | x) - log p(z)."""
        return summed(self.log_q) - summed(self.log_p)

    @property
    def log_w(self) -> Any:
        """(K, n) log weights."""
        return self.log_x - self.log_ratio


@dataclass(frozen=True)
class Backend:
    """Sums over sites, by the arrays and distributions of one backend.

    Attributes:
        xp: `torch` or `jax.numpy`.
        log_prob: log density of a site's value, scaled and masked as the pair says.
        bent: whether a site is scaled or masked.
        independent: the backend's class of distributions with event dimensions added.
        kl_divergence: of two of its distributions, NotImplementedError if it knows none.
    """

    xp: Any
    log_prob: Callable[[Any], Any]
    bent: Callable[[Any], bool]
    independent: type[Any]
    kl_divergence: Callable[[Any, Any], Any]

    def terms(self, q: Sites, p: Sites, log_q: dict[str, Any] | None = None) -> Terms:
        """The terms of draws.

        Args:
            q, p: sites of the guide, and of the model replayed with its draws.
            log_q: instead of what `q` says.
        """
        log_p = self.log_probs(q, latents(p))
        return Terms(self.log_x(q, p), log_p, self.log_probs(q, q) if log_q is None else log_q)

    def log_x(self, q: Sites, p: Sites) -> Any:
        """(K, n) log p(x | z): the sum of all observed sites."""
        seen = self.log_probs(q, {name: site for name, site in p.items() if site["is_observed"]})
        check_sites(q, latents(p), seen)
        whole = summed(seen)
        return whole if whole.ndim == 2 else self.xp.broadcast_to(whole, _size(q))

    def log_probs(self, q: Sites, sites: Sites) -> dict[str, Any]:
        """Log densities of sites by name, each of the size of the guide's draws."""
        values = {name: self.log_prob(site) for name, site in sites.items()}
        for name, value in values.items():
            check_shape(name, tuple(value.shape), *_size(q))
        return values

    def divergences(self, q: Sites, p: Sites) -> tuple[Any, list[int]] | None:
        """(n, J) closed forms of KL_j, means over the draws where they depend on other latents, and
        how many latents each is of; None where there are none."""
        model = latents(p)
        if not same_order(q, model) or any(map(self.bent, (*q.values(), *model.values()))):
            return None
        each: list[Any] = []
        sizes: list[int] = []
        for name, site in q.items():
            above, below = site["fn"], model[name]["fn"]
            size = math.prod(above.event_shape)
            if self.elementwise(above) and self.elementwise(below):  # one KL of each latent
                above, below = above.base_dist, below.base_dist
            try:
                kl = self.kl_divergence(above, below)
            except NotImplementedError:
                return None
            if site["fn"].batch_shape[:-1] or model[name]["fn"].batch_shape[:-1]:
                kl = kl.mean(0)
            each.append(kl.reshape(site["value"].shape[1], -1))
            sizes += [size // each[-1].shape[1]] * each[-1].shape[1]
        return (self.xp.concatenate(each, 1) if len(each) > 1 else each[0]), sizes

    def parts(
        self, q: Sites, p: Sites, fixed: Callable[[], dict[str, Any]] | None = None
    ) -> tuple[Any, Any, list[int]]:
        """(n,) E_q log p(x | z) by the draws, (n, J) divergences, and how many latents each is of.

        Args:
            fixed: gives log q with phi held fixed; None takes what `q` says.
        """
        closed = self.divergences(q, p)
        if closed is not None:
            seen = self.log_x(q, p)
            return (seen[0] if len(seen) == 1 else seen.mean(0)), *closed
        t = self.terms(q, p, None if fixed is None else fixed())
        size = sum(math.prod(site["fn"].event_shape) for site in q.values())
        return t.log_x.mean(0), t.log_ratio.mean(0)[:, None], [size]

    def elementwise(self, fn: Any) -> bool:
        """Whether the values of an event are independent."""
        return isinstance(fn, self.independent) and not fn.base_dist.event_shape


def _size(q: Sites) -> tuple[int, int]:
    """K and n."""
    draws, rows = next(iter(q.values()))["value"].shape[:2]
    return draws, rows


def latents(sites: Sites) -> Sites:
    """The sites that are no data, in their order."""
    return {name: site for name, site in sites.items() if not site["is_observed"]}


def values_of(sites: Sites) -> dict[str, Any]:
    """The values of latents."""
    return {name: site["value"] for name, site in latents(sites).items()}


def given(values: Mapping[str, Any], name: str) -> Any:
    """The value of a latent; InputError if there is none."""
    if name not in values:
        raise InputError(f"site {name!r} is a latent of the model and none of the guide.")
    return values[name]


def summed(parts: Mapping[str, Any]) -> Any:
    first, *others = parts.values()
    for other in others:
        first = first + other
    return first


def check_rsample(name: str, fn: Any) -> None:
    """Raise InputError if a site of the guide has no reparameterised draws."""
    if not fn.has_rsample:
        raise InputError(
            f"the guide draws {name!r} from {type(fn).__name__}, which has no reparameterised "
            "draws, and the gradient goes through them. Take a continuous distribution, or train "
            "by inference.svi with TraceEnum_ELBO."
        )
