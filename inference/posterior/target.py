"""The density that engines work on: the log joint of a pair's model as a function of a flat vector.

Each continuous latent site theta_s is a bijection of an unconstrained vector z_s in R^(p_s); z in
R^p stacks them. With the discrete sites d summed out,

    log_prior(z)      = log sum_d p(theta(z), d) + log |d theta / d z|
    log_joint(z)      = log sum_d p(theta(z), d, data) + log |d theta / d z|
    log_likelihood(z) = log_joint(z) - log_prior(z).

Terms that a model adds by `factor` belong to the likelihood.
"""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar, Literal

from ...arrays import Array
from ...errors import InputError
from .sites import Sites, elements

Backend = Literal["numpyro", "pyro"]
TRIES = 100  # starts that are tried before a model is said to have none


class Target(ABC):
    """The log joint of a model that was called with its data.

    Its functions of z are pure. Those of NumPyro go through jit, vmap and grad, in double precision
    within `precision()`; those of Pyro take and give tensors, through autograd, and through
    torch.func where no site is discrete.

    Attributes:
        backend: "numpyro" or "pyro".
        model, args, kwargs: the user's, and what it is called with.
        sites: of the model.
        size: p.
    """

    backend: ClassVar[Backend]
    model: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    sites: Sites
    size: int

    @abstractmethod
    def precision(self) -> AbstractContextManager[Any]:
        """Double precision for what is computed within, and the process as it was afterwards."""

    @abstractmethod
    def observing(self, values: Mapping[str, Any]) -> Target:
        """The same with other values of observed sites, of the same shapes."""

    @abstractmethod
    def log_joint(self, z: Any) -> Any:
        """Scalar, of z (p,)."""

    @abstractmethod
    def log_prior(self, z: Any) -> Any:
        """Scalar, of z (p,)."""

    @abstractmethod
    def log_parts(self, z: Any) -> tuple[Any, Any]:
        """Log prior and log likelihood of z (p,)."""

    def log_likelihood(self, z: Any) -> Any:
        """Scalar, of z (p,)."""
        return self.log_parts(z)[1]

    @abstractmethod
    def constrain(self, z: Any, with_deterministic: bool = False) -> dict[str, Any]:
        """The value of each latent site, in its support; those of deterministic sites if wanted."""

    @abstractmethod
    def unconstrain(self, values: Mapping[str, Any]) -> Any:
        """z (p,) of the values of all latent sites."""

    @abstractmethod
    def log_density(self, values: Mapping[str, Any]) -> Array:
        """(n,) log joint densities of values (n, ...) of all latent sites in their supports:
        `log_joint` without log |d theta / d z|; -inf outside them."""

    @abstractmethod
    def log_priors(self, draws: Mapping[str, Array]) -> dict[str, Array]:
        """(chain, draw) log density of each latent site in its support, given those that it depends
        on, of its draws (chain, draw, ...). There are none where sites are discrete."""

    @abstractmethod
    def draw_prior(self, key: Any) -> Any:
        """z (p,) drawn from the prior.

        Raises:
            InputError: if a site is improper.
        """

    @abstractmethod
    def start(self, key: Any, jitter: float = 2.0) -> Any:
        """z (p,), uniform in [-jitter, jitter]^p, where log joint and gradient are finite.

        Raises:
            InputError: if there is no such place in a hundred tries; it names the site.
        """

    @abstractmethod
    def terms(self, z: Any) -> dict[str, float]:
        """The log density of each site at z, by name; for errors."""

    @cached_property
    def coordinates(self) -> list[str]:
        """The names of the p elements of z, such as "theta[3]"."""
        latents = self.sites.latents.items()
        return [one for name, site in latents for one in elements(name, site.unconstrained)]

    def _slices(self) -> Iterator[tuple[str, slice, tuple[int, ...]]]:
        """Each latent site, its part of z and the shape of that."""
        start = 0
        for name, site in self.sites.latents.items():
            end = start + math.prod(site.unconstrained)
            yield name, slice(start, end), site.unconstrained
            start = end

    def _check_given(self, values: Mapping[str, Any]) -> None:
        """Raise InputError if a latent site has no value."""
        for name in self.sites.latents:
            if name not in values:
                raise InputError(
                    f"there is no value of site {name!r}; give one of each of "
                    f"{', '.join(self.sites.latents)}."
                )

    def check_proper(self) -> None:
        """Raise InputError if the prior has no draws."""
        for site in self.sites.latents.values():
            if site.improper:
                raise InputError(
                    f"{site.words} is improper, so there are no draws from the prior. Give it a "
                    'proper distribution, or take a method that needs none, such as "nuts".'
                )

    def no_start(self, z: Any) -> InputError:
        """The error that no start was found, with what the sites have at z."""
        terms = self.terms(z)
        bad = {name: value for name, value in terms.items() if not math.isfinite(value)}
        if not bad:
            return InputError(
                f"the gradient of the log joint is not finite at any of {TRIES} starts, though "
                "each site's log density is. Look for sqrt, abs or where at 0 in the model."
            )
        sites = "; ".join(f"{self.sites[name].words} has {value}" for name, value in bad.items())
        return InputError(
            f"the log joint is not finite at any of {TRIES} starts: {sites}. Look at the "
            "parameters of these distributions: a scale of 0 or below, an overflow of exp, data "
            "far outside what the prior allows."
        )


def make_target(
    model: Callable[..., Any],
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    backend: Backend = "numpyro",
) -> Target:
    """The target of a model called with these arguments.

    Raises:
        InputError: if the model is of the other backend, raises, has a site that cannot be fitted,
            has nothing to infer or observes nothing.
    """
    check_backend(model, backend)
    made: Target = import_module(f".target_{backend}", __package__).make(
        model, tuple(args), dict(kwargs or {})
    )
    return made


def check_backend(model: Callable[..., Any], backend: Backend) -> None:
    """Raise InputError if a model's own code names the other backend, and not this one."""
    function = inspect.unwrap(getattr(model, "func", model))
    if not inspect.isfunction(function):
        return
    found = inspect.getclosurevars(function)
    held = [*found.nonlocals.values(), *found.globals.values()]
    names = [getattr(value, "__module__", None) or getattr(value, "__name__", "") for value in held]
    used = {str(name).partition(".")[0] for name in names}
    (other,) = {"numpyro", "pyro"} - {backend}
    if other in used and backend not in used:
        raise InputError(
            f"the model is written in {other}, and backend is {backend!r}. Give backend={other!r}."
        )
