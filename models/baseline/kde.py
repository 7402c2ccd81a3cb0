"""Kernel density estimate: one Gaussian kernel a row, standardised; see `kernel_mixture`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...artifact import Arrays
from ...capabilities import Capabilities
from ...data import Encoded
from ...density_estimator import DensityEstimator
from ...family_density import Density
from ...fitting import Fit
from ...rows import Rows
from ...verdict import Reason, warning
from .kernel_mixture import KernelSum, thinned_reasons
from .settings import SETTINGS, KernelSettings


class KernelDensity(KernelSettings, DensityEstimator):
    """Kernel density estimate with a leave-one-out bandwidth.

    Attributes:
        bandwidth_: h, as a share of the data's own spread.
        leave_one_out_: the score that h maximises, in nats a row and in the units of the data: each
            row's density under the kernels of all others but its copies.
        effective_kernels_: mean effective number of other kernels in a row's density.
        at_edge_: whether the bandwidth is at an end of the range searched.
    """

    name: ClassVar[str] = "kde"
    settings = SETTINGS["kde"]
    capabilities: ClassVar[Capabilities] = Capabilities(
        density="exact", distribution="differentiable", uses=("budget",)
    )

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        data, weights = rows.data, rows.weights
        units, rng = fit.units(), fit.rng()
        shares = np.ones(len(data)) if weights is None else weights
        kernels, of_kernels = KernelSum.placed(data.x, shares, rng, self.max_rows, units)
        with fit.heeding():
            kernels = kernels.searched(of_kernels, rng, fit.deadline())
        log_det = float(np.average(data.log_det, weights=weights))
        self._set(replace(kernels, leave_one_out=kernels.leave_one_out + log_det))
        reasons = [*thinned_reasons([kernels], "rows"), *kernels.reasons()]
        if fit.deadline() == 0 and np.isnan(kernels.leave_one_out):
            left = "the interrupt" if fit.interrupted else "the budget"
            what = f"{left} left no time to search for the bandwidth, which is Scott's rule."
            reasons += warning(what, "Raise the budget.")
        return reasons

    def _set(self, kernels: KernelSum) -> None:
        self.kernels_ = kernels
        self.bandwidth_ = kernels.bandwidth
        self.leave_one_out_ = kernels.leave_one_out
        self.effective_kernels_ = kernels.effective
        self.at_edge_ = kernels.at_edge

    def _refitted(self, rows: Rows, fit: Fit) -> Self:
        other = copy(self)
        other._set(self.kernels_.on(rows.data.x, rows.weights, fit.rng(), self.max_rows))
        return other

    def _log_prob(self, rows: Rows, **how: Any) -> Density:
        return Density(self.kernels_.log_prob(rows.data.x))

    def _sample(
        self,
        n: int,
        rng: np.random.Generator,
        given: Encoded | None,
        context: Floats | None,
        **how: Any,
    ) -> Encoded:
        return Encoded(self.kernels_.sample(n, rng), np.empty((n, 0), np.int32), np.zeros(n))

    def _distribution(self, backend: Literal["numpyro", "pyro"], context: Floats | None) -> Any:
        from ..distributions.columns import Columns
        from ..distributions.making import of_components

        columns = Columns.of(self.codec_, type(self).__name__)
        return of_components([self.kernels_.components(columns.continuous)], columns, backend)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        return {}, dict(self.kernels_.arrays())

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        self._set(KernelSum.from_arrays(dict(arrays)))
