"""What a pair's model gives when it is run forward, from the prior or from the posterior's draws.

A latent site has its value of the draw. One in a plate that observed sites stand in belongs to
their rows: with other rows than those fitted it is drawn anew, given the draw's values of all
others. So is a site of groups whose number is another.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ...arrays import Array
from ...checks import seed_of
from ...errors import InputError
from ...inference.posterior.forward import forward, sites_of
from ...inference.posterior.minibatch import TOTAL
from ...inference.posterior.sites import Site, Sites
from ...progress import terminal_bar
from ...settings import integer
from .arguments import Call
from .base import Fitted
from .program import Program


class Predictive(Fitted):
    """Posterior predictive draws."""

    def predictive(
        self,
        *data: Any,
        n_draws: int | None = None,
        random_state: Any = 0,
        progress: bool = False,
        **named: Any,
    ) -> dict[str, Array]:
        """Draws of the observed and deterministic sites.

        Args:
            data, named: what the model is called with; what it observes may be left out, or be
                None. Nothing stands for the data that were fitted.
            n_draws: of the posterior's draws of each chain, evenly spread, no more than there are;
                None takes all.
            random_state: seed of the draws.
            progress: whether a terminal shows how far it is.

        Returns:
            Site -> (chain, draw, ...).

        Raises:
            InputError: if the model has other sites with these data, they are needed and not given,
                or there are fewer draws.
        """
        args, kwargs, same = self._called(data, named)
        redrawn = self._redrawn(args, kwargs, same)
        chains, draws = self.shape
        if n_draws is not None:
            integer(1).check("n_draws", n_draws)
            if n_draws > draws:
                raise InputError(
                    f"n_draws is {n_draws:,}, and each chain has {draws:,}. Leave n_draws out for "
                    "all of them; for more, fit with more draws."
                )
        kept = np.linspace(0, draws - 1, min(draws, n_draws or draws)).round().astype(int)
        n = chains * len(kept)
        values = {
            name: value[:, kept].reshape(n, *value.shape[2:])
            for name, value in self.draws.items()
            if name not in redrawn
        }
        for name in self.sites.of("param"):
            value = np.asarray(self.posterior.guide[name])
            values[name] = np.broadcast_to(value, (n, *value.shape))
        names = [*self.sites.observed, *self.sites.deterministic]
        with terminal_bar("predictive", show=progress, unit=" draws", total=n) as bar:
            found = forward(
                self.program.called(args, kwargs),
                values=values, names=names, n=n, seed=seed_of(random_state),
                tell=(lambda done: None) if bar is None else bar.update,
            )  # fmt: skip
        return {name: a.reshape(chains, len(kept), *a.shape[1:]) for name, a in found.items()}

    def _called(
        self, data: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any], bool]:
        """What the model is called with, and whether that is what it was fitted to."""
        if not data and not named:
            target = self.target_of((), {})
            return target.args, target.kwargs, True
        args, kwargs = self.program.call(data, self._with_none(data, named))
        self._check_told(data, named)
        call = Call.of(self.program.model, args, kwargs, {})
        observed = {a.name for a in self.call.arguments if a.observes}
        call = Call(tuple(a for a in call.arguments if a.name not in observed))
        return args, kwargs, self.call.same_rows(call)

    def _with_none(self, data: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        """Named arguments with None for what the model observes and needs to be given."""
        try:
            signature = inspect.signature(self.program.model)
            bound = signature.bind_partial(*data, **named)
        except TypeError:
            return named  # said when the call is checked
        absent = {
            a.name: None
            for a in self.call.arguments
            if a.observes
            and a.name not in bound.arguments
            and a.name in signature.parameters
            and signature.parameters[a.name].default is inspect.Parameter.empty
        }
        return {**named, **absent}

    def _check_told(self, data: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Raise InputError if an argument of the fit would now silently have its default."""
        told = inspect.signature(self.program.model).bind_partial(*data, **named).arguments
        known = {TOTAL, *self.sites.observed, *told, *named}
        for a in self.call.arguments:
            given = a.shape is not None or a.value is not None
            if given and not a.observes and a.name not in known and "[" not in a.name:
                raise InputError(
                    f"the model was fitted with {a.name}, which has its default here. Give "
                    f"{a.name} again, or another value of it; None where it is to be left out."
                )

    def _redrawn(self, args: tuple[Any, ...], kwargs: dict[str, Any], same: bool) -> set[str]:
        """The latent sites that have no value in a draw of the posterior."""
        found = sites_of(self.program.called(args, kwargs))
        check_same(self.sites, found)
        if same:
            return set()
        rows = {p.name for site in self.sites.observed.values() for p in site.plates}
        return {
            name
            for name, site in self.sites.latents.items()
            if found[name].shape != site.shape or any(p.name in rows for p in site.plates)
        }


def check_same(fitted: Sites, found: Sites) -> None:
    """Raise InputError if a model's sites are not those that were fitted, sizes of plates aside."""
    for name, site in fitted.of("latent", "discrete", "observed").items():
        here = found.get(name)
        if here is None or here.kind in ("deterministic", "param", "factor"):
            raise InputError(
                f"the fit has the {site.words}, which the model does not draw here; it has "
                f"{', '.join(found) or 'no sites'}. Give the model that was fitted."
            )
        if _kind(here) != _kind(site):
            raise InputError(
                f"the fit has the {site.words}, and the model the {here.words}. Give the model "
                "that was fitted."
            )
        if site.kind != "observed" and _own(here) != _own(site):
            raise InputError(
                f"the fit has the {site.words}, and with these arguments the model has the "
                f"{here.words}. Give the model that was fitted, with as many columns."
            )
    for name, site in found.latents.items():
        if name not in fitted:
            raise InputError(
                f"the model draws the {site.words}, which the fit does not have; it has "
                f"{', '.join(fitted)}. Give the model that was fitted."
            )


def _kind(site: Site) -> str:
    """The support without its limits, which may depend on the data."""
    return site.support.partition(",")[0].partition("(")[0]


def _own(site: Site) -> tuple[int | None, ...]:
    """The shape without what plates have to do with; of observed sites, of one event."""
    batch = len(site.shape) - site.event_dim
    if site.kind == "observed" or (not site.plates and site.kind == "discrete"):
        return ()
    plates = {batch + plate.dim for plate in site.plates}
    return tuple(None if i in plates else size for i, size in enumerate(site.shape))


def prior_draws(
    program: Program,
    data: tuple[Any, ...],
    named: dict[str, Any],
    n: int,
    random_state: Any,
) -> dict[str, Array]:
    """Site -> (n, ...): all sites of the model, drawn from the prior.

    Raises:
        InputError: if a site is improper, or the model cannot be called.
    """
    integer(1).check("n", n)
    args, kwargs = program.call(data, named)
    called = program.called(args, kwargs)
    sites = sites_of(called)
    for site in sites.latents.values():
        if site.improper:
            raise InputError(
                f"{site.words} is improper, so there are no draws from the prior. Give it a proper "
                "distribution."
            )
    return forward(
        called,
        values={}, names=[n for n, s in sites.items() if s.kind not in ("factor", "param")],
        n=n, seed=seed_of(random_state),
    )  # fmt: skip
