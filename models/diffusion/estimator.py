"""`Diffusion`: the class users meet, which binds a net, the training loop and a codec."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...arrays import Array, Floats
from ...artifact import Arrays
from ...capabilities import REACH, TRAINED, Capabilities
from ...data import Encoded
from ...errors import InputError
from ...fitting import Fit
from ...rows import Rows
from ...verdict import Reason
from ..nets.trained import Trained
from .component import Component
from .conditioning import Filling
from .films import Filmed
from .prompts import Prompted
from .scoring import Scoring
from .settings import IMPUTING, SAMPLING, SCORING, SETTINGS, DiffusionSettings

if TYPE_CHECKING:
    from .guidance import Guidance
    from .nets import Architecture
    from .trained import TrainedDiffusion


class Diffusion(DiffusionSettings, Trained, Prompted, Filmed, Scoring, Filling, Component):
    """A diffusion model: rows turn into noise, and a net learns to reverse it; with the linear path
    it is flow matching.

    Numbers are seen standardised, or by their margins where a table has levels (`margins`). Of the
    rows a tenth is held out, unless `fit` is given `validation`: their loss, at times and with
    noise that are fixed for each row, chooses the weights that are kept. What is None is chosen by
    the rows. In the trace, validation is minus that loss.

    Attributes:
        nets_: the trained net: `denoiser` gives E[x | x_t] of features.
        architecture_: what it is made of.
        batch_size_, n_steps_, n_epochs_: of the training.
    """

    name: ClassVar[str] = "diffusion"
    settings = SETTINGS["diffusion"]
    capabilities: ClassVar[Capabilities] = Capabilities(
        density="estimate",
        method="probability flow",
        scoring=SCORING,
        errors=True,
        discrete="native",
        conditional=True,
        told=True,
        sampling=SAMPLING,
        imputing=IMPUTING,
        imputes=True,
        holds=True,
        remedy="a wider net, more training",
        objective="minus the held-out loss",
        denoises=True,
        distribution="values",
        images=True,
        uses=TRAINED,
        reach=REACH,
    )

    nets_: TrainedDiffusion
    architecture_: Architecture

    # What the contract asks for

    def _conditions_on(self, y: Any) -> bool:
        asked = "prompts" if self.prompts else "conditional" if self.conditional else ""
        if asked and y is None:
            raise InputError(
                f"{asked} is True, and no y was given; give fit(X, y) one a row, or leave {asked} "
                "out."
            )
        return bool(asked)

    def _told(self) -> tuple[str, ...]:
        told = self.nets_.view.told_names
        return tuple(name for name in self.schema_.names if name in told)

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        from .fitting import fit_net

        if self.context_ is not None and len(self.context_.values) == 1:
            raise InputError(
                "y is the same for all rows, so that there is nothing to condition on. Give y of "
                "at least two values, or leave conditional and prompts out."
            )
        chosen = self._chosen() | {"words": self._words}
        found = fit_net(chosen, self.codec_, rows, fit, self._machine())
        self._take(found.nets)
        self._keep(found.training)
        return found.reasons

    def _resolved(self) -> Mapping[str, Any]:
        from ..nets.table_view import TableView

        noise, view = self.nets_.noise, self.nets_.view
        found = {
            "noise_mean": noise.mean - math.log(noise.sigma_data),
            "noise_spread": noise.spread,
            "margins": "ranks" if isinstance(view, TableView) and view.ranked else "none",
        }
        return {**super()._resolved(), **found}

    def _take(self, nets: TrainedDiffusion) -> None:
        self.nets_, self.architecture_ = nets, nets.architecture

    def _sample(
        self,
        n: int,
        rng: np.random.Generator,
        given: Encoded | None,
        context: Floats | None,
        guidance: float = 1.0,
        guidance_interval: Sequence[float] | None = None,
        **how: Any,
    ) -> Encoded:
        from .sampling import sampled

        if given is not None and self._holds(given):
            self._check_plain(guidance, how)
            return self._drawn_given(n, rng, given, context)
        seed, view = int(rng.integers(2**31 - 1)), self.nets_.view
        told = view.draw(n, given, rng)
        guided = self._guidance(guidance, guidance_interval)
        made = sampled(self.nets_, n, view.context(told, context), seed, guidance=guided, **how)
        return view.encoded(made, told, rng)

    def _guidance(self, weight: float, interval: Sequence[float] | None) -> Guidance:
        """How samples are guided.

        Raises:
            InputError: if the fit is conditional on nothing, or never went without it.
        """
        from .guidance import Guidance

        asked = Guidance.of(weight, interval)
        if asked.idle:
            return asked
        if not self.architecture_.context:
            raise InputError(
                f"guidance is {weight:g}, and this fit is conditional on nothing that samples "
                "could be guided to. Leave guidance out, or fit with conditional=True."
            )
        if not self.drop_context:
            raise InputError(
                f"guidance is {weight:g}, and drop_context was 0 in the fit: the net knows no rows "
                "without context, which guidance leads away from. Leave guidance out, or fit with "
                "drop_context=0.1."
            )
        return asked

    def _state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        view, arrays = self.nets_.view.state()
        state = {
            "architecture": self.architecture_.to_json(),
            "noise": self.nets_.noise.to_json(),
            "view": view,
        }
        named = {f"view.{name}": array for name, array in arrays.items()}
        return state | self._training_state(), named | self.nets_.arrays()

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        from .nets import Architecture
        from .plan import Noise
        from .trained import TrainedDiffusion
        from .views import restored_view

        of_view = {k.removeprefix("view."): v for k, v in arrays.items() if k.startswith("view.")}
        view = restored_view(state["view"], of_view)
        architecture = Architecture.from_json(state["architecture"])
        noise = Noise.from_json(state["noise"])
        self._take(TrainedDiffusion(architecture, view, noise, 0, self._device()))
        self.nets_.load(arrays)
        self._restore_training(state)
