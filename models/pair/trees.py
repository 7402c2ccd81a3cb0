"""A fitted pair as a DataTree, for ArviZ, and its table of means and errors.

| group | what | dimensions |
|---|---|---|
| `posterior` | draws of latent and deterministic sites | chain, draw, plates, the site's own |
| `sample_stats` | of the draws | chain, draw |
| `prior` | draws of these from the prior, where it is proper | chain, draw, ... |
| `log_likelihood` | of observed sites, discrete ones summed out | chain, draw, plates |
| `log_prior` | log density of each latent site in its support | chain, draw |
| `posterior_predictive` | observed sites drawn anew | chain, draw, plates |
| `observed_data` | what the model observed | plates |
| `constant_data` | arrays that the model was called with besides | plates |

An observed site has one name in all of them. Dimensions are the model's plates; those without one
are numbered after the site. One that bears the name of a site has an underscore behind it. What is
observed in a loop by `scan` cannot be drawn with its data given, and leaves out two groups. Which
groups there are not, and why, is the tree's attribute `missing`.

Values that a mask leaves out stay NaN in `observed_data`: `fit.loo_pit()` and `plot_loo_pit` give
them no place, and `arviz_stats.loo_pit` would put them below all draws.

`arviz_stats.loo` takes the draws as exact. Of an approximation, `fit.loo()` weighs them, and so
does `arviz_stats.loo_approximate_posterior(tree, stats.lp, stats.log_q)`, `stats` those of the
tree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ...arrays import Array
from ...inference.enumerated_groups import STEP, unnamed
from ...inference.posterior.sites import Site, positional
from ...row_variables import MAX_VALUES
from ...tree import free, variables
from ...version import __version__
from .arguments import numbers
from .pointwise import Likelihoods
from .predictive import Predictive, prior_draws
from .saved import Saved

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import DataTree

GROUPS = (
    "posterior",
    "sample_stats",
    "prior",
    "log_likelihood",
    "log_prior",
    "posterior_predictive",
    "observed_data",
    "constant_data",
)
_OF_ROWS = ("observed_data", "constant_data")
_OF_DRAWS = ("sample_stats", "log_prior")


class Trees(Predictive, Likelihoods, Saved):
    """A fit as ArviZ sees it."""

    def to_datatree(
        self,
        *data: Any,
        groups: tuple[str, ...] = GROUPS,
        num_prior: int = 500,
        coords: Mapping[str, Any] | None = None,
        random_state: Any = 0,
        **named: Any,
    ) -> DataTree:
        """An ArviZ DataTree of the fit. Of very many draws of very many observations it has every
        so manieth, as its attribute `thinned` says.

        Args:
            data, named: what the model was fitted to; only a fit that was loaded needs them, and
                without them it has `posterior` and `sample_stats`.
            groups: those wanted of the groups above.
            num_prior: draws from the prior.
            coords: labels of dimensions, such as plates.
            random_state: seed of what is drawn.
        """
        from arviz_base import dict_to_dataset
        from xarray import DataTree

        size = sum(math.prod(site.shape) for site in self.sites.observed.values())
        step = 1
        if {"log_likelihood", "posterior_predictive"} & {*groups}:
            step = max(1, math.ceil(math.prod(self.shape) * size / MAX_VALUES))
        fit = self if step == 1 else self._thinned(step)
        has_data = self.target is not None or bool(data or named)
        values, units = fit._groups(data, named, groups, num_prior, random_state)
        taken = {name for group in values.values() for name in group}
        dims = self._dims(taken, values.get("constant_data", {}))
        labels = dict(coords or {})
        made = {}
        for group, each in values.items():
            sample = [] if group in _OF_ROWS else ["chain", "draw"]
            own: dict[Any, Any] = {n: dims[n] for n in each if n in dims}
            if group in _OF_DRAWS:
                own = {}
            if group == "log_likelihood":
                own = {n: self._dims_of_units(n, units[n], taken) for n in each}
            used = {dim for named_dims in own.values() for dim in named_dims}
            made[group] = dict_to_dataset(
                each,
                dims=own,
                coords={d: labels[d] for d in used if d in labels},
                sample_dims=sample,
            )
        tree = DataTree.from_dict(made)
        tree.attrs = self._about() | {"thinned": step}
        if missing := self._missing([g for g in groups if g not in values], has_data):
            tree.attrs["missing"] = missing
        return tree

    def _missing(self, groups: list[str], has_data: bool) -> str:
        """Why there are not these groups, in words."""
        latents, observed = self.sites.latents.values(), self.sites.observed.values()
        if not has_data:
            given = [g for g in groups if g not in ("posterior", "sample_stats")]
            why = {"the fit was loaded; give the data that it was fitted to": given}
        else:
            improper = [site.name for site in latents if site.improper]
            looped = [site.name for site in observed if site.looped]
            why = {
                f"{', '.join(improper)} improper": ["prior"] if improper else [],
                f"{', '.join(looped)} observed in a loop": (
                    ["prior", "posterior_predictive"] if looped else []
                ),
                "the prior of a continuous site depends on a discrete one": ["log_prior"],
            }
        said = {reason: [g for g in named if g in groups] for reason, named in why.items()}
        return "; ".join(f"{', '.join(named)}: {reason}" for reason, named in said.items() if named)

    def _thinned(self, step: int) -> Self:
        """The same with every so manieth draw."""
        draws, stats = (
            {name: values[:, ::step] for name, values in each.items()}
            for each in (self.draws, self.stats)
        )
        posterior = replace(self.posterior, draws=draws, stats=stats)
        return replace(self, posterior=posterior, judged=self.verdict_)

    def summary(self, **how: Any) -> DataFrame:
        """Means, standard deviations, intervals, effective sample sizes and R-hat of each latent
        site's elements; `how` goes to `arviz_stats.summary`."""
        summary: Any = import_module("arviz_stats").summary
        table: DataFrame = summary(self.to_datatree(groups=("posterior",)), **how)
        return table

    def _groups(
        self,
        data: tuple[Any, ...],
        named: dict[str, Any],
        wanted: tuple[str, ...],
        num_prior: int,
        random_state: Any,
    ) -> tuple[dict[str, dict[str, Array]], dict[str, tuple[str, ...]]]:
        """Group -> variable -> values; and the plates of the units of `log_likelihood`."""
        units: dict[str, tuple[str, ...]] = {}
        groups: dict[str, dict[str, Array]] = {}
        has_data = self.target is not None or bool(data or named)
        latents, observed = self.draws, self.sites.observed
        forward: dict[str, Array] = {}
        drawn = "posterior_predictive" in wanted or self.sites.deterministic
        looped = any(site.looped for site in observed.values())
        if has_data and drawn and not looped:
            forward = self.predictive(*data, random_state=random_state, **named)
        fixed = {name: forward[name] for name in self._fixed() if name in forward}
        groups["posterior"] = {**latents, **fixed}
        if self.stats:
            groups["sample_stats"] = dict(self.stats)
        if has_data:
            target = self.target_of(data, named)
            improper = any(site.improper for site in self.sites.latents.values())
            if "prior" in wanted and not improper and not looped:
                args, kwargs = target.args, target.kwargs
                prior = prior_draws(self.program, args, kwargs, num_prior, random_state)
                groups["prior"] = {n: prior[n][None] for n in groups["posterior"] if n in prior}
            if "log_likelihood" in wanted:
                found = self._pointwise(target, "others")
                groups["log_likelihood"] = found.values
                units = {variables([n])[n]: plates for n, plates in found.plates.items()}
            if "log_prior" in wanted and not self._told_by_states(target):
                groups["log_prior"] = target.log_priors(latents)
            if "posterior_predictive" in wanted and not looped:
                groups["posterior_predictive"] = {n: forward[n] for n in observed}
            groups["observed_data"] = {n: np.asarray(target.sites.data[n]) for n in observed}
            groups["constant_data"] = self._constant(target.args, target.kwargs, taken=observed)
        named_so = {
            group: {variables(list(values))[name]: value for name, value in values.items()}
            for group in GROUPS
            if group in wanted and (values := groups.get(group))
        }
        return named_so, units

    def _fixed(self) -> list[str]:
        """Deterministic sites that latent ones determine: not those that discrete ones change."""
        return [] if self.sites.discrete else list(self.sites.deterministic)

    def _constant(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], taken: Mapping[str, Any]
    ) -> dict[str, Array]:
        """Arrays among the arguments, but those observed."""
        named = dict(zip(positional(self.program.model, len(args)), args, strict=True)) | dict(
            kwargs
        )
        observed = {a.name for a in self.call.arguments if a.observes}
        arrays = {name: numbers(value) for name, value in named.items() if name not in observed}
        return {
            name: array
            for name, array in arrays.items()
            if array is not None and name not in taken and name not in self.draws
        }

    def _dims(self, taken: set[str], constant: Mapping[str, Array]) -> dict[str, list[str]]:
        """The dimensions of each variable: plates, and numbered ones."""
        dims = {name: _dims_of(site, taken) for name, site in self.sites.items()}
        sizes = {
            plate.size: free(plate.name, taken)
            for site in self.sites.observed.values()
            for plate in site.plates
        }
        for name, array in constant.items():
            each = [sizes.get(n, free(f"{name}_dim_{i}", taken)) for i, n in enumerate(array.shape)]
            dims[name] = [
                dim if each.count(dim) == 1 else f"{name}_dim_{i}" for i, dim in enumerate(each)
            ]
        return {variables([name])[name]: found for name, found in dims.items()}

    def _dims_of_units(self, name: str, plates: tuple[str, ...], taken: set[str]) -> list[str]:
        """The dimensions of log likelihoods: those of the observed site that are left."""
        site = self.sites.get(name)
        if site is None:  # of several sites
            return [free(plate.replace("/", "|"), taken) for plate in plates]
        batch = len(site.shape) - site.event_dim
        numbers = {plate.name: batch + plate.dim for plate in site.plates}
        numbers |= {unnamed(-i): batch - i for i in range(1, batch + 1)} | {STEP: 0}
        dims = _dims_of(site, taken)
        return [dims[numbers[plate]] for plate in plates]

    def _about(self) -> dict[str, Any]:
        return {
            "inference_library": "ppgen",
            "inference_library_version": __version__,
            "method": self.method,
            "backend": self.program.backend,
            "verdict": str(self.verdict_),
            "sampling_time": self.seconds,
        }


def _dims_of(site: Site, taken: set[str]) -> list[str]:
    batch = len(site.shape) - site.event_dim
    plates = {batch + plate.dim: plate.name for plate in site.plates}
    named = [plates.get(i, f"{site.name}_dim_{i}") for i in range(len(site.shape))]
    return [free(dim.replace("/", "|"), taken) for dim in named]
