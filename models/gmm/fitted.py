"""What a fitted mixture answers: densities, samples, components, criteria, conditionals, gaps."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...arrays import Ints
from ...conditioned import Conditioned
from ...data import Codec, Encoded
from ...family_density import Density, cell_average
from ...rows import Rows
from ...scoring import placed
from .. import priors
from ..by_engine import ByEngine
from . import conditional
from .parameters import CovarianceType, Floats, Mixture
from .selection import Criteria, criteria
from .weighted_rows import WeightedRows, score

_DRAWS = 200  # of a posterior, that a row's density is averaged over


class FittedMixture(ByEngine, Conditioned):
    """A mixture once it is fitted; `GaussianMixture` fits it."""

    codec_: Codec
    mixture_: Mixture
    covariance_type: CovarianceType
    engine_settings: Mapping[str, Any] | None

    _draws = 0  # of the posterior that a marginal or conditional mixture comes from

    def _set(self, mixture: Mixture) -> None:
        """Take a mixture as the fitted one."""
        self.mixture_, self._layout = mixture, columns_of(self.codec_)
        self.weights_, self.means_ = mixture.weights, mixture.means
        self.covariances_, self.probs_ = mixture.covariances, mixture.probs
        self.precisions_cholesky_ = mixture.precisions_cholesky()
        self.dof_ = mixture.dof
        self.n_components_ = mixture.n_components

    def _n_draws(self) -> int:
        """How many draws the predictive mixture is the mean over, 0 for a fit by EM."""
        if self.posterior_ is None:
            return self._draws
        chains, draws = self.posterior_["w"].shape[:2]
        return min(_DRAWS, int(chains * draws))

    def _predictive(self) -> Mixture:
        """The mixture of predictions: that of EM, or the mean over the posterior as one mixture."""
        if self.posterior_ is None:
            return self.mixture_
        from .posterior import predictive_mixture

        return predictive_mixture(self.posterior_, self.covariance_type, _DRAWS)

    def _log_prob(self, rows: Rows, **how: Any) -> Density:
        x, codes = rows.data.x, rows.data.codes
        if not (draws := self._n_draws()):
            return Density(score(self._predictive(), x, codes)[1])
        from .uncertainty import mean_density

        return mean_density(self._predictive(), draws, x, codes)

    def _diagnosed(self, density: Density, **how: Any) -> Mapping[str, Any]:
        from ..predictive import diagnostics

        return diagnostics(density, draws) if (draws := self._n_draws()) else {}

    def _log_prob_draws(self, data: Encoded) -> Floats:
        """(draws, n) log densities under draws of the parameters."""
        from .posterior import log_prob_draws

        assert self.posterior_ is not None
        x = np.asarray(data.x, dtype=np.float64)
        return log_prob_draws(self.posterior_, self.covariance_type, x, data.codes)

    def _prior(self) -> priors.Prior | None:
        if self.posterior_ is None or self._units is None:
            return None
        from .prior import Prior
        from .settings import CONCENTRATIONS, ENGINE_SETTINGS

        centre, spread = self._units
        options = ENGINE_SETTINGS[self.engine].values(self.engine_settings or {})
        prior = Prior(
            self.n_components_, centre, spread, 0.5 * spread,
            tuple(int(n) for n in self.codec_.n_levels), self.covariance_type,
            **{name: float(options[name]) for name in CONCENTRATIONS},
            student=self.mixture_.dof is not None,
        )  # fmt: skip
        return priors.Independent(prior.sites())

    def _sample_draws(self, kept: Ints, n: int, rng: np.random.Generator) -> Encoded:
        """n rows under each of some draws of the parameters, one draw after another."""
        from .posterior import mixtures

        assert self.posterior_ is not None
        each = mixtures(self.posterior_, self.covariance_type, kept)
        rows = [conditional.sample(mixture, n, rng) for mixture in each]
        x, codes = (np.concatenate([row[i] for row in rows]) for i in range(2))
        return Encoded(x, codes, np.zeros(len(x)))

    def _sample(
        self,
        n: int,
        rng: np.random.Generator,
        given: Encoded | None,
        context: Floats | None,
        **how: Any,
    ) -> Encoded:
        fixed = None if given is None else (given.x[0].astype(np.float64), given.codes[0])
        x, codes, component = conditional.sample(self._predictive(), n, rng, fixed)
        if how.get("labels"):  # as one code more, which stays with its row
            own = component % (len(self._predictive().weights) // max(1, self._n_draws()))
            codes = np.concatenate([codes, own[:, None].astype(np.int32)], axis=1)
        return Encoded(x, codes, np.zeros(n))

    def sample(
        self,
        n: int = 1,
        given: Mapping[Any, Any] | None = None,
        *,
        labels: bool = False,
        y: Any = None,
        random_state: Any = None,
        **how: Any,
    ) -> Any:
        """Rows like those fitted; see `Sampler.sample`. With `labels`, a pair: the rows, and the
        component (n,) that each was drawn from."""
        if not labels:
            return super().sample(n, given, y=y, random_state=random_state, **how)
        check_is_fitted(self)
        self.capabilities.sampling.check_names(f"{type(self).__name__}.sample", how, "option")
        drawn = self._draw(n, given, y, random_state, labels=True)
        rows = Encoded(drawn.x, drawn.codes[:, :-1], drawn.log_det)
        return self._decoded(rows, given), np.asarray(drawn.codes[:, -1], dtype=np.intp)

    def _distribution(self, backend: Literal["numpyro", "pyro"], context: Floats | None) -> Any:
        from ..distributions.columns import Columns
        from .distribution import distribution

        columns = Columns.of(self.codec_, type(self).__name__)
        return distribution(self._predictive(), columns, backend)

    def _posterior_dims(self) -> dict[str, dict[str, list[Any]]]:
        from .posterior import dims

        names = self.codec_.continuous_names
        levels = {column.name: column.levels for column in self.codec_.discrete}
        return dims(self.posterior_ or {}, self.covariance_type, names, levels)

    @property
    def precisions_(self) -> Floats:
        """Inverses of the covariances, in scikit-learn's shapes."""
        check_is_fitted(self)
        factor = self.precisions_cholesky_
        if self.covariance_type in ("diag", "spherical"):
            return np.square(factor)
        return np.asarray(factor @ np.swapaxes(factor, -1, -2))

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None, **how: Any) -> Ints:
        """Fit, and the likeliest component (n,) of each row; arguments as of `fit`."""
        return self.fit(X, y, sample_weight, **how).predict(X)

    def predict_proba(self, X: Any) -> Floats:
        """(n, k) probability of each component for each row; NaN where the row has probability 0
        under all of them, which a warning says."""
        check_is_fitted(self)
        rows = self._encode(self._dataset(X, reset=False), draw=None)
        p, log_prob = score(self.mixture_, rows.x, rows.codes)
        never = ~np.isfinite(log_prob + rows.log_det) | (rows.codes == -2).any(axis=1)
        if never.any():
            warnings.warn(
                f"{never.sum()} of {len(p)} rows have probability 0 under all components: they "
                "belong to none, and their probabilities are not known (NaN; predict gives -1).",
                UserWarning,
                stacklevel=2,
            )
        return np.where(never[:, None], np.nan, p)

    def predict(self, X: Any) -> Ints:
        """(n,) likeliest component of each row, -1 where it has probability 0 under all."""
        p = self.predict_proba(X)
        none = np.isnan(p).any(axis=1)
        return np.where(none, -1, np.nan_to_num(p).argmax(axis=1)).astype(np.intp)

    def bic(self, X: Any) -> float:
        """Bayesian information criterion on rows, in the units of the data; lower is better."""
        return self._criteria(X).bic

    def icl(self, X: Any) -> float:
        """Integrated completed likelihood on rows, in the units of the data; lower is better."""
        return self._criteria(X).icl

    def aic(self, X: Any) -> float:
        """Akaike information criterion on rows, in the units of the data; lower is better."""
        criteria = self._criteria(X)
        return 2 * criteria.n_parameters - 2 * criteria.log_likelihood

    def _conditioned(self, row: Encoded, free: Sequence[str]) -> Self:
        known = np.asarray(row.x[0], dtype=np.float64), row.codes[0]
        return self._over(conditional.condition(self._predictive(), *known), free)

    def _marginal(self, columns: Sequence[str]) -> Self:
        x, codes = (
            np.array([j for j, column in enumerate(every) if column in columns], dtype=np.intp)
            for every in (self.codec_.continuous_names, self.codec_.discrete_names)
        )
        return self._over(conditional.marginal(self._predictive(), x, codes), columns)

    def _filled(self, rows: Rows, rng: np.random.Generator | None, **how: Any) -> Encoded:
        x = np.asarray(rows.data.x, dtype=np.float64)
        x, codes, _ = conditional.impute(self._predictive(), x, rows.data.codes, rng)
        return Encoded(x, codes, rows.data.log_det)

    def _over(self, mixture: Mixture, names: Sequence[str]) -> Self:
        """This estimator over some of its columns, with a mixture of them."""
        out = self._selected(names)
        out.posterior_, out.sample_stats_, out._draws = None, {}, self._n_draws()
        out.covariance_type = mixture.covariance_type
        out._set(mixture)
        return out

    def _far_out(self, row: Encoded) -> float | None:
        return conditional.far_out(self._predictive(), row.x[0], row.codes[0])

    def _criteria(self, X: Any) -> Criteria:
        check_is_fitted(self)
        data = self._dataset(X, reset=False)
        at = placed(self, data)
        whole = criteria(WeightedRows.of(at.rows, self.codec_.n_levels), self.mixture_)
        parts = [
            Density(score(self.mixture_, place.x, place.codes)[1] + place.log_det)
            for place in at.places
        ]
        return whole.at(float(cell_average(parts).without(at.impossible).values.sum()))


def columns_of(codec: Codec) -> tuple[Any, ...]:
    """The columns that a mixture is of: names and kinds, and of discrete ones the levels."""
    continuous = ((w.column.name, w.column.kind) for w in codec.warps)
    return (*continuous, *((c.name, tuple(c.levels)) for c in codec.discrete))
