"""Simulation-based calibration of a pair and a method: `Pair.calibrate`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...checks import seed_of
from ...errors import InputError
from ...inference.calibration import Calibration
from ...inference.posterior.replicate import Simulated, names, one_by_one
from ...inference.posterior.simulate import around_data, doubled_rows, from_prior
from ...inference.replications import calibrate
from ...progress import Clock, duration, terminal_bar
from ...settings import integer
from ...significance import LEVEL
from .base import Fitted
from .engines import engine
from .keywords import shared_out
from .program import Program


class Calibrating(Program):
    """A pair whose engines can be checked."""

    def calibrate(
        self,
        *data: Any,
        method: str = "nuts",
        replications: int = 200,
        around: Fitted | None = None,
        simulator: Callable[..., Any] | None = None,
        num_ranked: int = 63,
        level: float = LEVEL,
        random_state: Any = 0,
        budget: str | float | None = None,
        progress: bool = False,
        **named: Any,
    ) -> Calibration:
        """Whether a method draws from the posterior of data that this model simulates.

        Each replication draws the latent sites from the prior and data given these, fits the data,
        and ranks the sites, the log likelihood and the log joint among the draws: see
        `inference.calibration`. Replications are fitted one after the other.

        Args:
            data: what the model is called with, as for `fit`. Of what it observes, only the shapes
                matter.
            method: the engine.
            replications: data sets to simulate.
            around: a fit of this pair to these data; draws the latent sites from it, and fits the
                data together with those simulated. The rows of the data, the first axis of the
                arrays, are to be independent given the latent sites, none of which may have a value
                a row.
            simulator: another model with the same sites, which simulates in place of this one.
            num_ranked: draws that ranks are among, at most.
            level: chance of any false alarm, over all test quantities together.
            random_state: the only source of randomness.
            budget: seconds, or such as "60s"; the replications done by then are kept, and so they
                are on an interrupt.
            progress: whether a terminal shows how far it is.
            named: the engine's settings, and the model's arguments by name.

        Raises:
            InputError: if the data, the model or the settings are wrong, or no data can be
                simulated from the model.
        """
        for name, value in (("replications", replications), ("num_ranked", num_ranked)):
            integer(1).check(name, value)
        clock, seed = Clock(duration(budget)), seed_of(random_state)
        chosen = engine(method)
        of_engine, of_model = shared_out(self.model, method, chosen.settings, named)
        run, settings = chosen.runner(self.backend), chosen.declared(**of_engine)
        simulated = self._simulated(data, of_model, replications, around, simulator, seed)
        guide = (self.guide,) if chosen.guided else ()
        block = one_by_one(
            simulated, lambda target, fit: run(target, *guide, settings, fit), num_ranked, seed
        )
        with terminal_bar("calibrate", show=progress, unit=" fits", total=replications) as bar:

            def report(done: int) -> None:
                if bar is not None:
                    bar.update(done - bar.n)

            return calibrate(
                names(simulated.target), block, replications,
                block=1, seed=seed, level=level, deadline=clock.left, report=report,
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
