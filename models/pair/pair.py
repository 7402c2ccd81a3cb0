"""`ppgen.Pair`: a user's model, and a guide where there is one, fitted by any engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...fitting import EngineFit
from ...inference.posterior.sites import check_whole
from ...progress import Clock, duration, progress_bar
from .engines import engine
from .fitted import PairFit
from .keywords import shared_out
from .program import Program


class Pair(Program):
    """A model in NumPyro or Pyro, and its guide.

    Args:
        model: called with the data; it draws latent sites, and observes the data by `obs`.
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
        random_state: int = 0,
        budget: str | float | None = None,
        progress: bool = False,
        **named: Any,
    ) -> PairFit:
        """Fit the posterior of the model's latent sites.

        Args:
            data: of the model: arrays, frames, columns, lists; numbers and others as they are.
            method: the engine; see `ppgen infer --help`.
            random_state: the only source of randomness.
            budget: seconds, or such as "60s"; what is drawn by then is kept.
            progress: whether a terminal shows how the fit goes.
            named: the engine's settings, and the model's arguments by name.

        Raises:
            InputError: if the data, the model or the settings are wrong.
        """
        chosen = engine(method)
        of_engine, of_model = shared_out(self.model, method, chosen.settings, named)
        run = chosen.runner(self.backend)
        clock = Clock(duration(budget))
        target = self.target(*data, **of_model)
        if chosen.whole:
            check_whole(target.sites, method)
        settings = chosen.declared(**of_engine)
        with progress_bar(method, clock, show=progress) as show:
            fit = EngineFit(random_state, clock, progress=show)
            given = (target, self.guide) if chosen.guided else (target,)
            posterior = run(*given, settings, fit)
        return PairFit(
            self, method, settings, target.sites, posterior, target, fit.trace, clock.seconds(),
            random_state,
        )  # fmt: skip

    @staticmethod
    def load(
        path: str | os.PathLike[str],
        model: Callable[..., Any],
        guide: Callable[..., Any] | str | None = None,
    ) -> PairFit:
        """The fit that `PairFit.save` wrote, of the same model."""
        raise InputError(f"{Path(path)} cannot be loaded.")
