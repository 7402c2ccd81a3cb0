"""The mixture that users meet (model: `parameters`; EM: `em`; pair: `pyro`, `numpyro`)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any, ClassVar, Self

from numpy.typing import NDArray

from ...artifact import Arrays
from ...capabilities import Capabilities
from ...data import Codec
from ...errors import FitError
from ...fitting import Fit
from ...rows import Rows
from ...verdict import Reason
from .fit_em import fit_em, of_parameters
from .fitted import FittedMixture, columns_of
from .parameters import Mixture
from .settings import SETTINGS, MixtureSettings
from .weighted_rows import WeightedRows, check_range

_REFIT_STEPS = 10  # of EM on fewer rows, from where a fit ended


class GaussianMixture(MixtureSettings, FittedMixture):
    """A mixture of Gaussians, or of Student's t (`tails`), where rows lie far out; with categorical
    columns, of these times tables.

    Fitted by EM its densities are exact. Those of a posterior ("svi", "nuts") are means over 200 of
    its draws: estimates, with a standard error, k-hat and effective number of draws for each row.
    The error is that of the draws; a row where few of them decide has none (NaN), and its value is
    likely to be too low.

    Attributes:
        weights_, means_, covariances_, precisions_, precisions_cholesky_: as in scikit-learn, over
            the encoded columns.
        dof_: (k,) degrees of freedom of Student's t; None of Gaussians.
        probs_: a table (k, levels) for each discrete column.
        n_components_, converged_, n_iter_, lower_bound_, lower_bounds_: of the fit that was kept;
            the bounds are mean log densities a row, one an iteration, in the units of the data.
        selection_: scores of the sizes tried, where `n_components` is a criterion.
    """

    name: ClassVar[str] = "gmm"
    settings = SETTINGS["gmm"]
    codec_: Codec
    capabilities: ClassVar[Capabilities] = Capabilities(
        density="exact",
        discrete="native",
        scaling="none",
        missing=True,
        conditions=True,
        predicts="component",
        draws=True,
        distribution="differentiable",
        engines=("em", "svi", "nuts"),
        backends=("numpyro", "pyro"),
        uses=("budget", "checkpoint_dir"),
    )

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        before = self._before() if self.warm_start else None
        weighted = WeightedRows.of(rows, self.codec_.n_levels)
        check_range(weighted, self.codec_.continuous_names)
        result = fit_em(weighted, self, fit, before)
        self.selection_ = [row._asdict() for row in result.table]
        self.converged_, self.n_iter_ = result.converged, result.n_iter
        self.lower_bounds_, self.lower_bound_ = result.bounds, result.bounds[-1]
        mixture, reasons = result.mixture, result.reasons
        self.sample_stats_ = {}
        self._draws, self._units = 0, None
        if self.engine != "em":
            from .bayes import fit_bayes, units_of

            self._units = units_of(weighted, mixture.covariance_type)
            mixture, self.posterior_, self.sample_stats_, reasons = fit_bayes(
                weighted, mixture, self.engine, self.backend, self.engine_settings or {}, fit
            )
        self._set(mixture)
        reasons = [*reasons, *of_parameters(mixture)]
        if draws := self._n_draws():
            from .uncertainty import of_rows_fitted

            reasons += of_rows_fitted(self._predictive(), draws, weighted.x, weighted.codes)
        return reasons

    def _resolved(self) -> Mapping[str, Any]:
        return {"n_components": self.n_components_}

    def _before(self) -> Mixture | None:
        """Where a warm start goes on; None, with a warning, if columns or settings changed."""
        mixture: Mixture | None = getattr(self, "mixture_", None)
        if mixture is None:
            return None
        sizes = isinstance(self.n_components, str) or self.n_components == mixture.n_components
        same = {
            "the number of components": sizes,
            "covariance_type": self.covariance_type == mixture.covariance_type,
            "tails": (self.tails == "student") == (mixture.dof is not None),
            "the columns or their levels": columns_of(self.codec_) == self._layout,
        }
        changed = [name for name, kept in same.items() if not kept]
        if not changed:
            return mixture
        warnings.warn(
            f"warm_start begins afresh: {' and '.join(changed)} changed since the last fit.",
            UserWarning,
            stacklevel=4,
        )
        return None

    def _refitted(self, rows: Rows, fit: Fit) -> Self | None:
        if self.engine != "em":
            return None
        other = copy(self)
        other.n_components, other.warm_start = self.n_components_, True
        other.max_iter = min(self.max_iter, _REFIT_STEPS)
        try:
            list(other._fit(rows, Fit(fit.seed, fit.schema, fit.clock, within=True)))
        except FitError:  # a column that varies in the rows left out alone
            return None
        return other

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        m = self.mixture_
        arrays = {"weights": m.weights, "means": m.means, "covariances": m.covariances}
        arrays |= {f"probs.{j}": p for j, p in enumerate(m.probs)}
        arrays |= {} if m.dof is None else {"dof": m.dof}
        ended, stats = self._ended()
        body = {
            "covariance_type": m.covariance_type,
            "lower_bound": float(self.lower_bound_),
            "lower_bounds": [float(bound) for bound in self.lower_bounds_],
            "selection": self.selection_,
            "draws": self._draws,
        }
        return body | ended, arrays | stats

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        probs = tuple(arrays[f"probs.{j}"] for j in range(len(self.codec_.n_levels)))
        kind, dof = state["covariance_type"], arrays.get("dof")
        parts = (arrays["weights"], arrays["means"], arrays["covariances"])
        self._set(Mixture(*parts, kind, probs, dof))
        self._restore_ended(state, arrays)
        self.lower_bound_, self.selection_ = state["lower_bound"], state["selection"]
        self.lower_bounds_ = state.get("lower_bounds", [self.lower_bound_])
        self._draws = int(state.get("draws", 0))
