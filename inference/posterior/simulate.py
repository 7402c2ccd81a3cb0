"""What simulation-based calibration simulates: theta* and data, from the prior or around data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...arrays import Array
from ...errors import InputError
from .forward import Called, forward
from .minibatch import TOTAL
from .replicate import Simulated, Values
from .sites import check_whole
from .target import Target

_SAME = 1e-6  # of log likelihoods, relative


def from_prior(target: Target, simulator: Callable[..., Any], n: int, seed: int) -> Simulated:
    """theta* from the prior and data from theta*, n times.

    Args:
        target: with data that are only looked at for their shapes.
        simulator: the model that both are drawn from, called as the target's is.

    Raises:
        InputError: if data cannot be simulated, or are not those of the target's model.
    """
    check_simulates(target)
    target.check_proper()
    names = [*target.sites.latents, *target.sites.observed]
    found = forward(
        Called(target.backend, simulator, target.args, target.kwargs),
        values={}, names=names, n=n, seed=seed,
    )  # fmt: skip
    for name in names:
        shape = target.sites[name].shape
        here = found[name].shape[1:] if name in found else None
        if here != shape:
            what = "does not have it" if here is None else f"draws values of shape {here}"
            raise InputError(
                f"the model has the {target.sites[name].words}, and the simulator {what}. Give a "
                "simulator with the sites of the model."
            )
    return Simulated(target, *_parted(target, found))


def around_data(
    target: Target, doubled: Target, draws: Mapping[str, Array], n: int, seed: int
) -> Simulated:
    """theta* from the posterior of data, n times, and beside these data simulated from theta*.

    Args:
        target: with the data.
        doubled: of the same model with every row given twice.
        draws: latent site -> (draw, ...) of the posterior.

    Raises:
        InputError: if there are fewer draws than n, or the rows are not independent given the
            latent sites.
    """
    check_simulates(target)
    total = len(next(iter(draws.values())))
    if total < n:
        raise InputError(
            f"{n} replications around a fit of {total} draws: each takes a draw of its own. Draw "
            "more, or give fewer replications."
        )
    spread = np.linspace(0, total - 1, n).round().astype(int)
    truth = {name: np.asarray(draws[name])[spread] for name in target.sites.latents}
    axes = _row_axes(target, doubled)
    _check_independent(target, doubled, truth, axes)
    found = forward(
        Called(target.backend, target.model, target.args, target.kwargs),
        values=truth, names=[*target.sites.observed], n=n, seed=seed,
    )  # fmt: skip
    data = {}
    for name, axis in axes.items():
        mine = np.broadcast_to(_observed(target, name), found[name].shape)
        data[name] = np.concatenate([mine, found[name]], axis=axis + 1)
    return Simulated(doubled, truth, data)


def check_simulates(target: Target) -> None:
    """Raise InputError if a model's data cannot be simulated."""
    check_whole(target.sites, "calibrate")
    for name in target.sites.of("factor"):
        raise InputError(
            f"the model adds the term {name!r} to its log density by factor, from which no data "
            "can be simulated. Write it as a site with obs, or by a distribution of its own."
        )


def doubled_rows(arguments: Any, rows: int) -> Any:
    """Arguments, of which each array with so many rows has them twice, as has `n_total`; arrays of
    the backend."""
    if isinstance(arguments, Mapping):
        twice = {name: doubled_rows(value, rows) for name, value in arguments.items()}
        return twice | ({TOTAL: 2 * rows} if arguments.get(TOTAL) == rows else {})
    if isinstance(arguments, tuple | list):
        return type(arguments)(doubled_rows(value, rows) for value in arguments)
    shape = getattr(arguments, "shape", ())
    if not shape or shape[0] != rows:
        return arguments
    if "numpy" in dir(arguments):
        import torch

        return torch.cat([arguments, arguments])
    import jax.numpy as jnp

    return jnp.concatenate([arguments, arguments])


def _row_axes(target: Target, doubled: Target) -> dict[str, int]:
    """The axis of rows of each observed site."""
    for name, site in target.sites.latents.items():
        here = doubled.sites.latents.get(name)
        if here is None or here.shape != site.shape:
            raise InputError(
                f"{site.words} becomes {here.words if here else 'another site'} where each row is "
                "given twice. " + _WRITE
            )
    axes = {}
    for name, site in target.sites.observed.items():
        shape = doubled.sites[name].shape if name in doubled.sites else ()
        found = [i for i, (a, b) in enumerate(zip(site.shape, shape, strict=False)) if b == 2 * a]
        if len(found) != 1 or len(shape) != len(site.shape):
            raise InputError(
                f"observed {site.words} has the shape {shape} where each row is given twice. "
                + _WRITE
            )
        axes[name] = found[0]
    return axes


_WRITE = (
    "Around a fit, data simulated are stacked below the data by rows: write the model so that the "
    "first axis of its arrays is that of rows which are independent given the latent sites, and no "
    "latent site has a value a row (groups by an index of each row, not by their place)."
)


def _check_independent(
    target: Target, doubled: Target, truth: Values, axes: Mapping[str, int]
) -> None:
    """Raise InputError if the likelihood of rows given twice is not that of rows, squared."""
    mine = {name: np.asarray(_observed(target, name)) for name in axes}
    twice = {name: np.concatenate([v, v], axis=axes[name]) for name, v in mine.items()}
    with target.precision():
        z = target.unconstrain({name: _like(target, value[0]) for name, value in truth.items()})
        once = float(target.log_likelihood(z))
        both = float(doubled.observing(twice).log_likelihood(z))
    if not abs(both - 2 * once) <= _SAME * max(1.0, abs(both)):
        raise InputError(
            f"the log likelihood of the rows is {once:.6g}, and of the rows given twice "
            f"{both:.6g}: the rows are not independent given the latent sites. " + _WRITE
        )


def _like(target: Target, value: Array) -> Any:
    if target.backend == "numpyro":
        return value
    import torch

    return torch.as_tensor(value)


def _observed(target: Target, name: str) -> Array:
    return np.asarray(target.sites.data[name])


def _parted(target: Target, found: Values) -> tuple[Values, Values]:
    latent, observed = target.sites.latents, target.sites.observed
    return {name: found[name] for name in latent}, {name: found[name] for name in observed}
