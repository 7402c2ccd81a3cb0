"""`ppgen.Pair`: a user's model, and a guide where there is one, fitted by any engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ...arrays import Array
from ...artifact import fingerprint
from ...checkpoint import Checkpoints
from ...checks import seed_of
from ...errors import InputError
from ...fitting import EngineFit
from ...inference.posterior.repeats import check_repeats
from ...inference.posterior.sites import check_whole
from ...progress import Clock, duration, progress_bar
from .arguments import Call
from .checks import Checking
from .engines import engine
from .fitted import PairFit
from .keywords import shared_out
from .notes import notes, of_evidence
from .predictive import prior_draws
from .relabel import relabelled
from .saved import loaded


class Pair(Checking):
    """A model in NumPyro or Pyro, and its guide.

    Args:
        model: called with the data; it draws latent sites, and observes the data by `obs`. Or the
            name of a pair that ships, such as "eight_schools".
        guide: called as the model is; the name of an autoguide; None leaves it to the engine.
        backend: what the model is written in, "numpyro" or "pyro".

    Example:
        pair = ppgen.Pair(model)
        fit = pair.fit(X, y, method="nuts", random_state=0)
    """

    def fit(
        self,
        *data: Any,
        method: str = "nuts",
        random_state: Any = 0,
        budget: str | float | None = None,
        progress: bool = False,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        **named: Any,
    ) -> PairFit:
        """Fit the posterior of the model's latent sites.

        Args:
            data: of the model: arrays, frames, columns, lists; numbers and others as they are.
            method: the engine; `ppgen infer --settings` lists them.
            random_state: the only source of randomness.
            budget: seconds, or such as "60s"; what is drawn by then is kept.
            progress: whether a terminal shows how the fit goes.
            checkpoint_dir: where a long fit by "svi" keeps its state, to go on after a stop.
            named: the engine's settings, and the model's arguments by name.

        Raises:
            InputError: if the data, the model or the settings are wrong.
        """
        clock = Clock(duration(budget))
        chosen = engine(method)
        of_engine, of_model = shared_out(self.model, method, chosen.settings, named)
        run = chosen.runner(self.backend)
        target = self.target(*data, **of_model)
        if chosen.whole:
            check_whole(target.sites, method)
        check_repeats(target)
        settings, seed = chosen.declared(**of_engine), seed_of(random_state)
        call = Call.of(self.model, target.args, target.kwargs, target.sites.data)
        checkpoints = None
        if checkpoint_dir is not None:
            if not chosen.resumes:
                raise InputError(
                    f"method {method!r} keeps no state to go on from, and checkpoint_dir is given. "
                    "Leave it out; a budget or an interrupt keeps what is drawn by then."
                )
            guide = self.guide if isinstance(self.guide, str) else None
            what = fingerprint(method, asdict(settings), seed, call.to_json(), guide)
            checkpoints = Checkpoints(checkpoint_dir, what)
        with progress_bar(method, clock, show=progress) as show:
            fit = EngineFit(seed, clock, checkpoints, progress=show)
            given = (target, self.guide) if chosen.guided else (target,)
            posterior = run(*given, settings, fit)
        if chosen.chains:
            posterior = relabelled(target, posterior)
        return PairFit(
            self, method, settings, target.sites, posterior, call, target, fit.trace,
            clock.seconds(), seed, notes(target) + of_evidence(target, posterior.log_evidence),
        )  # fmt: skip

    def prior(self, n: int, *data: Any, random_state: Any = 0, **named: Any) -> dict[str, Array]:
        """n draws of all sites from the prior, observed ones too.

        Args:
            data, named: what the model is called with; what it observes may be None.

        Returns:
            Site -> (n, ...).

        Raises:
            InputError: if a site is improper.
        """
        return prior_draws(self, data, named, n, random_state)

    @staticmethod
    def load(
        path: str | os.PathLike[str],
        model: Callable[..., Any] | str,
        guide: Callable[..., Any] | str | None = None,
    ) -> PairFit:
        """The fit that `PairFit.save` wrote.

        Args:
            path: the folder.
            model, guide: those that were fitted: a run holds no code.

        Raises:
            InputError: if there is no run, it is damaged, or the model has other sites.
        """
        return loaded(PairFit, path, model, guide)
