"""Simulation-based calibration of a pair and a method: `Pair.calibrate`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...checks import seed_of
from ...errors import InputError
from ...inference.calibration import Calibration
from ...inference.posterior.forward import sites_of
from ...inference.posterior.quantities import Chosen, Quantities
from ...inference.posterior.replicate import Simulated, one_by_one
from ...inference.posterior.simulate import around_data, doubled_rows, from_prior
from ...inference.replications import calibrate
from ...progress import Clock, duration, terminal_bar
from ...settings import integer, number
from ...significance import LEVEL
from .base import Fitted
from .engines import engine
from .keywords import arguments, shared_out
from .predictive import prior_draws
from .program import Program

_REPLICATED = ("nuts", "hmc")  # chains that one program runs of all data sets


@dataclass(frozen=True)
class Replications:
    """How many data sets are simulated, and how ranks are taken.

    Attributes:
        n: data sets.
        num_ranked: draws that ranks are among, at most.
        thin: transitions between two of them where replications run at once; None takes as many as
            leave draws nearly independent, 20 at most.
        level: chance of any false alarm, over all test quantities together.

    Raises:
        InputError: if one of them cannot be.
    """

    n: int = 200
    num_ranked: int = 63
    thin: int | None = None
    level: float = LEVEL

    def __post_init__(self) -> None:
        integer(1).check("replications", self.n)
        integer(1).check("num_ranked", self.num_ranked)
        if self.thin is not None:
            integer(1).check("thin", self.thin)
        number(above=0, below=1).check("level", self.level)


class Calibrating(Program):
    """A pair whose engines can be checked."""

    def calibrate(
        self,
        *data: Any,
        method: str = "nuts",
        replications: int | Replications = 200,
        around: Fitted | None = None,
        simulator: Callable[..., Any] | None = None,
        quantities: Chosen = None,
        random_state: Any = 0,
        budget: str | float | None = None,
        progress: bool = False,
        **named: Any,
    ) -> Calibration:
        """Whether a method draws from the posterior of data that this model simulates.

        Each replication draws the latent sites from the prior and data given these, fits the data,
        and ranks the sites, the log likelihood and the log joint among the draws: see
        `inference.calibration`. "nuts" and "hmc" of a NumPyro pair run a hundred replications at
        once, one chain each, for which num_chains and num_samples play no part; all else is fitted
        one after the other.

        Args:
            data: what the model is called with, as for `fit`. Of what it observes, only the shapes
                matter, and it may be left out where the argument is called as the site is.
            method: the engine.
            replications: data sets to simulate; `Replications` says how ranks are taken, too.
            around: a fit of this pair to these data; draws the latent sites from it, and fits the
                data together with those simulated. The rows of the data, the first axis of the
                arrays, are to be independent given the latent sites, none of which may have a value
                a row.
            simulator: another model with the same sites, which simulates in place of this one.
            quantities: names of the latent sites to rank, or name -> function of the sites' values
                that gives a number or an array, in the language of the backend; None takes all
                sites. Of a mixture, whose labels a chain may never switch, rank what no labels
                change: `{"smallest": lambda v: v["mu"].min()}`. The log likelihood and the log
                joint are always ranked.
            random_state: the only source of randomness.
            budget: seconds, or such as "60s"; the replications done by then are kept, and so they
                are on an interrupt.
            progress: whether a terminal shows how far it is.
            named: the engine's settings, and the model's arguments by name.

        Raises:
            InputError: if the data, the model or the settings are wrong, or no data can be
                simulated from the model.
        """
        how = replications
        if not isinstance(how, Replications):
            integer(1).check("replications", how)
            how = Replications(how)
        n, num_ranked = how.n, how.num_ranked
        clock, seed = Clock(duration(budget)), seed_of(random_state)
        chosen = engine(method)
        of_engine, of_model = shared_out(self.model, method, chosen.settings, named)
        run, settings = chosen.runner(self.backend), chosen.declared(**of_engine)
        simulated = self._simulated(data, of_model, n, around, simulator, seed)
        example = {name: value[0] for name, value in simulated.truth.items()}
        ranked = Quantities(simulated.target, quantities, example)
        if self.backend == "numpyro" and method in _REPLICATED:
            from ...inference.posterior.replicated_chains import BLOCK, replicated_chains

            size = min(BLOCK, n)
            block = replicated_chains(
                simulated, ranked, method, settings, num_ranked, how.thin, seed, size
            )
        else:
            guide, size = (self.guide,) if chosen.guided else (), 1
            block = one_by_one(
                simulated, ranked, lambda target, fit: run(target, *guide, settings, fit),
                num_ranked, seed,
            )  # fmt: skip
        with terminal_bar("calibrate", show=progress, unit=" fits", total=n) as bar:

            def report(done: int) -> None:
                if bar is not None:
                    bar.update(done - bar.n)

            return calibrate(
                ranked.names, block, n,
                block=size, seed=seed, level=how.level, deadline=clock.left, report=report,
            )  # fmt: skip

    def _simulated(
        self,
        data: tuple[Any, ...],
        named: dict[str, Any],
        n: int,
        around: Fitted | None,
        simulator: Callable[..., Any] | None,
        seed: int,
    ) -> Simulated:
        if around is None:
            data, named = with_data(self, data, named)
            return from_prior(self.target(*data, **named), simulator or self.model, n, seed)
        if simulator is not None:
            raise InputError(
                "around and simulator are given: around a fit, data are simulated from its own "
                "model. Leave one of them out."
            )
        if around.program.model is not self.model:
            raise InputError("around is a fit of another model; give one of this pair.")
        target = around.target_of(data, named)
        rows = next((site.shape[0] for site in target.sites.observed.values() if site.shape), 0)
        args, kwargs = (doubled_rows(part, rows) for part in (target.args, target.kwargs))
        doubled = self.target(*args, **kwargs)
        draws = {name: a.reshape(-1, *a.shape[2:]) for name, a in around.draws.items()}
        return around_data(target, doubled, draws, n, seed)


def with_data(
    program: Program, data: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a model is called with, where arguments left out that are called as a site is, or are
    None, are drawn from the prior: what stands for data whose shapes alone matter."""
    names, _ = arguments(program.model)
    placed = dict(zip(names, data, strict=False)) | named
    absent = [name for name in names if placed.get(name) is None]
    args, kwargs = program.call(data, named)
    if not absent or len(data) > len(names):
        return data, named
    sites = sites_of(program.called(args, kwargs))
    drawn = [name for name in absent if name in sites and sites[name].kind != "deterministic"]
    if not drawn:
        return data, named
    values = prior_draws(program, data, named, 1, 0)
    return tuple(
        values[name][0] if name in drawn else value
        for name, value in zip(names, data, strict=False)
    ), named | {name: values[name][0] for name in drawn if names.index(name) >= len(data)}
