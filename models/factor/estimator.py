"""Factor analysis and probabilistic PCA as users meet them (pair: `pyro`, `numpyro`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2
from sklearn.utils.validation import check_is_fitted

from ...arrays import Floats, Ints
from ...artifact import Arrays
from ...capabilities import Capabilities
from ...conditioned import Conditioned
from ...data import Codec, Encoded
from ...errors import FitError
from ...family_density import Density
from ...fitting import Fit
from ...rows import Rows
from ...settings import integer
from ...verdict import Reason
from .. import predictive, priors
from ..by_engine import ByEngine
from ..gmm.weighted_rows import WeightedRows, check_range
from ..latent import LatentEstimator
from . import factors
from .factors import Factors
from .fit_ml import fit_ml
from .settings import ENGINE_SETTINGS, SETTINGS, FactorSettings

_REFIT_STEPS = 10  # of EM on fewer rows, from where a fit ended
_SEEN = 1e-9  # share of rows
_ROWS_JUDGED = 1000  # of the rows fitted


class FactorAnalysis(FactorSettings, ByEngine, LatentEstimator, Conditioned):
    """Columns that vary together because a few factors move them, each with noise of its own:
    x = mean + W z + noise.

    With noise="isotropic" it is probabilistic PCA. Without gaps the fit is in closed form, or needs
    a search over the noise alone; with gaps it is by EM, which uses every value that is there. Its
    densities are exact. Those of a posterior ("svi", "nuts") are means over 200 of its draws, with
    a standard error; codes are then those of the mean parameters.

    Codes are the posterior means of the factors, independent of each other given a row, the most
    telling first, with the largest loading of each (on standardised columns) positive.

    Attributes:
        n_components_, latent_dim_: k.
        components_: (k, d) loadings W', as in scikit-learn, over the encoded columns: the units of
            the data, of the logarithm for positive columns.
        noise_variance_, mean_: (d,) of the same.
        communalities_: (d,) share of a column's variance that is the factors'.
        converged_, n_iter_, lower_bound_: of the fit; the last is the mean log density a row.
        selection_: scores of the numbers of factors tried, where `n_components` is "bic".
    """

    name: ClassVar[str] = "factor"
    settings = SETTINGS["factor"]
    codec_: Codec
    capabilities: ClassVar[Capabilities] = Capabilities(
        density="exact",
        scaling="none",
        missing=True,
        conditions=True,
        latents=True,
        prior=True,
        draws=True,
        distribution="differentiable",
        engines=("em", "svi", "nuts"),
        backends=("numpyro", "pyro"),
        uses=("budget", "checkpoint_dir"),
    )

    def _resolved(self) -> Mapping[str, Any]:
        return {"n_components": self.n_components_}

    # What users call

    def get_covariance(self) -> Floats:
        """(d, d) covariance of the encoded columns."""
        check_is_fitted(self)
        return np.asarray(self.factors_.covariances()[0])

    def bic(self, X: Any) -> float:
        """Bayesian information criterion on rows, in the units of the data; lower is better."""
        from .fit_ml import n_parameters

        values, d = self.score_samples(X), len(self.mean_)
        p = n_parameters(d, self.n_components_, self)
        return float(-2 * values.sum() + p * np.log(max(len(values), 2)))

    def posterior_covariance(self, X: Any) -> Floats:
        """(n, k, k) covariance of each row's factors given what the row has."""
        seen = factors.posterior(self.factors_, self._matrix(self._seen(X, None)[1]))
        return np.asarray(seen.covariance[seen.pattern])

    def sample_latents(self, n: int, *, random_state: Any = None) -> Floats:
        """(n, k) codes drawn from the prior."""
        check_is_fitted(self)
        integer(1).check("n", n)
        rng = np.random.default_rng(self._seed(random_state))
        return rng.standard_normal((n, self.latent_dim_))

    def sample_posterior(
        self, X: Any, y: Any = None, *, n: int = 1, random_state: Any = None
    ) -> Floats:
        """(n, rows, k) draws of each row's factors given the row, whose mean `encode` gives."""
        integer(1).check("n", n)
        seen = factors.posterior(self.factors_, self._matrix(self._seen(X, y)[1]))
        rng = np.random.default_rng(self._seed(random_state))
        noise = rng.standard_normal((n, *seen.mean.shape))
        roots = seen.roots()[seen.pattern]
        return np.asarray(seen.mean + np.einsum("rkl,nrl->nrk", roots, noise))

    # What the contract asks for

    def _expected_of_prior(self, n: int, seed: int, context: Floats | None) -> Encoded:
        return self._rows(self.sample_latents(n, random_state=seed), context)

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        return self._fit_from(rows, fit, None)

    def _fit_from(self, rows: Rows, fit: Fit, before: Factors | None) -> list[Reason]:
        weighted, names = WeightedRows.of(rows, ()), self.codec_.continuous_names
        check_range(weighted, names)
        result = fit_ml(weighted, self, names, fit, before)
        self.selection_, self.lower_bound_ = result.table, result.objective
        self.converged_, self.n_iter_ = result.converged, result.n_iter
        self.sample_stats_, self._units = {}, None
        if self.engine == "em" or not names:
            self._set(result.factors)
            return result.reasons + self._independent()
        if fit.interrupted:
            raise KeyboardInterrupt  # the posterior has yet to begin
        from .bayes import fit_bayes, of_draws

        self.posterior_, self.sample_stats_, reasons, self._units = fit_bayes(
            weighted, result.factors, self, fit
        )
        self._set(of_draws(self.posterior_))
        some = np.linspace(0, len(weighted) - 1, min(len(weighted), _ROWS_JUDGED))
        density = self._mean_density(weighted.x[some.round().astype(int)])
        reasons += predictive.few_draws(density.stderr, len(self.predictive_.weights))
        return reasons + self._independent()

    def _independent(self) -> list[Reason]:
        """What a fit without factors means."""
        if self.n_components_:
            return []
        what = "no factors: columns are taken as independent, and encode gives no codes."
        return [Reason("ok", what)]

    def _set(self, found: Factors) -> None:
        """Take a model, or the mean over draws of it, as the fitted one."""
        self.predictive_ = found
        point = found if len(found.weights) == 1 else found.mean()
        self.factors_ = point
        self.latent_dim_ = self.n_components_ = point.n_components
        self.components_, self.noise_variance_ = point.loadings[0].T, point.noise[0]
        self.mean_ = point.means[0]
        common = np.square(point.loadings[0]).sum(axis=1)
        self.communalities_ = common / (common + self.noise_variance_)

    def _refitted(self, rows: Rows, fit: Fit) -> Self | None:
        if self.engine != "em":
            return None
        other = copy(self)
        other.n_components, other.max_components = self.n_components_, None
        other.max_iter = min(self.max_iter, _REFIT_STEPS) if self._gaps(rows) else self.max_iter
        try:
            other._fit_from(rows, Fit(fit.seed, fit.schema, fit.clock, within=True), self.factors_)
        except FitError:  # a column that varies in the rows left out alone
            return None
        return other

    @staticmethod
    def _gaps(rows: Rows) -> bool:
        return bool(np.isnan(rows.data.x).any())

    @staticmethod
    def _matrix(rows: Rows) -> Floats:
        return np.asarray(rows.data.x, dtype=np.float64)

    def _log_prob(self, rows: Rows, **how: Any) -> Density:
        if len(self.predictive_.weights) > 1:
            return self._mean_density(rows.data.x)
        return Density(factors.components(self.predictive_, rows.data.x)[:, 0])

    def _mean_density(self, x: NDArray[Any]) -> Density:
        """The mean over the posterior's draws, with its errors."""
        weights = self.predictive_.weights

        def score(rows: slice) -> tuple[Floats, Floats]:
            logs = factors.components(self.predictive_, x[rows])
            return factors.shares(weights, logs), factors.log_density(self.predictive_, logs)

        return predictive.mean_density(score, weights, len(x), len(weights))

    def _diagnosed(self, density: Density, **how: Any) -> Mapping[str, Any]:
        draws = len(self.predictive_.weights)
        return predictive.diagnostics(density, draws) if draws > 1 else {}

    def _log_prob_draws(self, data: Encoded) -> Floats:
        """(draws, n) log densities under draws of the parameters."""
        from .bayes import of_draws

        assert self.posterior_ is not None
        return factors.components(of_draws(self.posterior_, None), data.x).T

    def _prior(self) -> priors.Prior | None:
        if self.posterior_ is None or self._units is None:
            return None
        from .prior import Prior

        (centre, spread), options = self._units, self.engine_settings or {}
        scale = float(ENGINE_SETTINGS[self.engine].values(options)["loading_scale"])
        t, isotropic = 0.5 * np.square(spread), self.noise == "isotropic"
        prior = Prior(self.n_components_, centre, spread, t, scale * spread, isotropic)
        return priors.Independent(prior.sites())

    def _sample_draws(self, kept: Ints, n: int, rng: np.random.Generator) -> Encoded:
        """n rows under each of some draws of the parameters, one draw after another."""
        from .bayes import of_draws

        assert self.posterior_ is not None
        each = of_draws(self.posterior_, None)
        rows = [factors.sample(each.alone(int(s)), n, rng) for s in kept]
        return self._encoded(np.concatenate(rows))

    def _distribution(self, backend: Literal["numpyro", "pyro"], context: Floats | None) -> Any:
        from ..distributions.columns import Columns
        from ..distributions.components import Components
        from ..distributions.making import of_components

        columns, p = Columns.of(self.codec_, type(self).__name__), self.predictive_
        made = Components(
            p.weights,
            columns.continuous,
            columns.discrete,
            p.means,
            scale=np.sqrt(p.noise),
            loadings=p.loadings,
        )
        return of_components([made], columns, backend)

    def _posterior_dims(self) -> dict[str, dict[str, list[Any]]]:
        names = {"mu": ["feature"], "psi": ["feature"], "W": ["feature", "factor"]}
        coords: dict[str, list[Any]] = {"feature": list(self.codec_.continuous_names)}
        if self.n_components_:
            coords["factor"] = list(range(self.n_components_))
        return {"dims": {name: names[name] for name in self.posterior_ or {}}, "coords": coords}

    def _sample(
        self,
        n: int,
        rng: np.random.Generator,
        given: Encoded | None,
        context: Floats | None,
        **how: Any,
    ) -> Encoded:
        fixed = None if given is None else given.x[0].astype(np.float64)
        return self._encoded(factors.sample(self.predictive_, n, rng, fixed))

    @staticmethod
    def _encoded(x: Floats) -> Encoded:
        return Encoded(x, np.empty((len(x), 0), np.int32), np.zeros(len(x)))

    def _codes(self, rows: Rows) -> Floats:
        return factors.posterior(self.factors_, self._matrix(rows)).mean

    def _rows(self, z: Floats, context: Floats | None) -> Encoded:
        return self._encoded(self.mean_ + z @ self.components_)

    def _filled(self, rows: Rows, rng: np.random.Generator | None, **how: Any) -> Encoded:
        filled = factors.impute(self.predictive_, self._matrix(rows), rng)
        return Encoded(filled, rows.data.codes, rows.data.log_det)

    def _far_out(self, row: Encoded) -> float | None:
        x = row.x.astype(np.float64)
        m = int((~np.isnan(x)).sum())
        draws = range(len(self.predictive_.weights))
        distance = min(factors.posterior(self.predictive_, x, s).distance[0] for s in draws)
        return float(np.sqrt(distance)) if m and chi2.sf(distance, m) < _SEEN else None

    def _conditioned(self, row: Encoded, free: Sequence[str]) -> Self:
        return self._over(self.predictive_.given(row.x[0].astype(np.float64)), free)

    def _marginal(self, columns: Sequence[str]) -> Self:
        names = self.codec_.continuous_names
        kept: Ints = np.array([j for j, name in enumerate(names) if name in columns], dtype=np.intp)
        return self._over(self.predictive_.columns(kept), columns)

    def _over(self, found: Factors, names: Sequence[str]) -> Self:
        """This estimator over some of its columns, with a model of them."""
        out = self._selected(names)
        out.posterior_, out.sample_stats_ = None, {}
        out._set(found)
        return out

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        p = self.predictive_
        arrays = {"weights": p.weights, "means": p.means, "loadings": p.loadings, "noise": p.noise}
        body = {"lower_bound": float(self.lower_bound_), "selection": self.selection_}
        ended, stats = self._ended()
        return body | ended, arrays | stats

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        names = ("weights", "means", "loadings", "noise")
        self._set(Factors(*(arrays[name] for name in names)))
        self._restore_ended(state, arrays)
        self.lower_bound_, self.selection_ = state["lower_bound"], state["selection"]
