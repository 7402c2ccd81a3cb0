"""How likely rows are under a diffusion model: what `Diffusion` answers by its net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...arrays import Floats
from ...data import Encoded, ImageCodec
from ...data.hashing import mix, row_hashes
from ...density_estimator import DensityEstimator
from ...errors import InputError
from ...family_density import Density, cell_average
from ...rows import Rows
from ...settings import integer

if TYPE_CHECKING:
    from .trained import TrainedDiffusion

LOOKS = (0.1, 0.2, 0.4, 0.8, 1.6)  # noise that rows are denoised from, in their own deviations


class Scoring(DensityEstimator):
    """The densities of a diffusion model, and how well it denoises rows."""

    nets_: TrainedDiffusion

    def reconstruction_error(self, X: Any, y: Any = None, *, draws: int = 4) -> Floats:
        """(n,) how badly each row is restored from noise, a mean over levels of noise.

        Rows with noise of 0.1, 0.2, 0.4, 0.8 and 1.6 of their deviation are denoised. Of each level
        it is the mean over the row's values of the squared error in units of what is to be learnt
        (1 is the error of the best linear guess of values that are independent), or minus the log
        probability of a level.

        Args:
            X: rows as in `fit`.
            y: of a conditional fit, what each is conditioned on.
            draws: of noise at each level, a function of the row alone.
        """
        from .restoration import denoising_errors

        check_is_fitted(self)
        integer(1).check("draws", draws)
        data = self._dataset(X, reset=False)
        context = self._encoded_y(y, len(data))
        if context is None and self.context_ is not None:
            raise InputError(
                "Diffusion was fitted with y, on which denoising depends; give y, one a row."
            )
        rows = Rows(self._encode(data, draw=None), context=context, seeds=mix(row_hashes(data, 0)))
        return denoising_errors(self.nets_, rows, LOOKS, draws)

    # What the contract asks for

    def _draw_seed(self) -> int:
        return 0

    def _log_prob(self, rows: Rows, **how: Any) -> Density:
        return self._averaged(rows, [replace(rows.data, log_det=np.zeros(len(rows)))], **how)

    def _averaged(self, rows: Rows, places: Sequence[Encoded], **how: Any) -> Density:
        from .densities import Asked, by_bound, by_flow

        asked = Asked.of(self.nets_, **how)
        if asked.method == "bound":
            return by_bound(self.nets_, rows, places, asked)
        parts = []
        for place in places:
            part = by_flow(self.nets_, replace(rows, data=place), asked)
            parts.append(replace(part, values=part.values + place.log_det))
        return cell_average(parts)

    def _diagnosed(self, density: Density, **how: Any) -> Mapping[str, Any]:
        from .densities import Asked

        values = self.nets_.view.values
        found = dict(density.diagnostics)
        if isinstance(self.codec_, ImageCodec):
            found["bits_per_dim"] = -density.values / (values.numbers * np.log(2))
        asked = Asked.of(self.nets_, **how)
        return {**found, "advice": asked.advice(density)}
