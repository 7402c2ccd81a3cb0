"""The Gaussian mixture that users meet (the model is in `parameters`, EM in `em`, the Bayesian pair
in `pyro` and `numpyro`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ...artifact import Arrays
from ...capabilities import Capabilities
from ...data import Codec, Dataset, Encoded
from ...density import LogDensity
from ...density_estimator import DensityEstimator
from ...errors import InputError, did_you_mean
from ...fitting import Fit
from ...verdict import Reason
from . import conditional
from .em import Rows, posterior
from .fit_em import fit_em
from .parameters import CovarianceType, Floats, Mixture
from .selection import criteria

_DRAWS = 200  # of a posterior, that a row's density is averaged over


class GaussianMixture(DensityEstimator):
    """A mixture of Gaussians; with categorical columns, of Gaussians times tables.

    Fitted by EM its densities are exact. Those of a posterior ("svi", "nuts") are means over 200 of
    its draws: estimates, with a standard error for each row.

    Args:
        n_components: how many, or "bic" or "icl" to choose up to `max_components`.
        covariance_type: "full", "tied", "diag" or "spherical".
        tol: gain of the mean log density a row, in nats, below which EM stops.
        reg_covar: added to each variance, as a share of the column's own variance.
        max_iter: most iterations of EM.
        n_init: starts that are tried.
        init_params: "k-means++" (refined by k-means) or "random" rows.
        weights_init, means_init, precisions_init: a start of your own, in the units of the data (of
            its logarithm for positive columns), in scikit-learn's shapes.
        warm_start: whether a second `fit` starts where the first ended.
        max_components: most components that are tried.
        split_merge: whether components are split and merged after a start.
        categorical_prior: pseudo-rows a component, spread evenly over the levels of each table.
        engine: "em", or "svi" or "nuts" for a posterior over the parameters.
        backend: "numpyro" or "pyro", for engine "svi".
        engine_settings: of the engine and its prior (see `bayes`), such as {"num_samples": 1000}.
        random_state: seed.

    Attributes:
        weights_, means_, covariances_, precisions_cholesky_: as in scikit-learn, over the encoded
            columns.
        probs_: a table (k, levels) for each discrete column.
        n_components_, converged_, n_iter_, lower_bound_: of the fit that was kept.
        selection_: scores of the sizes tried, where `n_components` is a criterion.
    """

    name: ClassVar[str] = "gmm"
    codec_: Codec
    _draws = 0  # of a posterior, whose components a marginal or conditional mixture has
    capabilities: ClassVar[Capabilities] = Capabilities(
        density="exact",
        discrete="native",
        scaling="none",
        missing=True,
        conditions=True,
        draws=True,
        engines=("em", "svi", "nuts"),
        backends=("numpyro", "pyro"),
        uses=("budget", "checkpoint_dir"),
    )

    def __init__(
        self,
        n_components: int | Literal["bic", "icl"] = "bic",
        *,
        covariance_type: CovarianceType = "full",
        tol: float = 1e-4,
        reg_covar: float = 1e-6,
        max_iter: int = 200,
        n_init: int = 4,
        init_params: Literal["k-means++", "random"] = "k-means++",
        weights_init: ArrayLike | None = None,
        means_init: ArrayLike | None = None,
        precisions_init: ArrayLike | None = None,
        warm_start: bool = False,
        max_components: int = 10,
        split_merge: bool = True,
        categorical_prior: float = 1.0,
        engine: Literal["em", "svi", "nuts"] = "em",
        backend: Literal["numpyro", "pyro"] = "numpyro",
        engine_settings: Mapping[str, Any] | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.warm_start = warm_start
        self.max_components = max_components
        self.split_merge = split_merge
        self.categorical_prior = categorical_prior
        self.engine = engine
        self.backend = backend
        self.engine_settings = engine_settings
        self.random_state = random_state

    # What the contract asks for

    def _fit(
        self, data: Encoded, weights: Floats | None, context: Floats | None, fit: Fit
    ) -> Iterable[Reason]:
        if self.engine not in self.capabilities.engines:
            raise InputError(
                f"engine is {self.engine!r}; expected one of "
                f"{', '.join(self.capabilities.engines)}."
                + did_you_mean(str(self.engine), self.capabilities.engines)
            )
        if weights is not None and (weights == 0).any():
            data, weights = data.take(weights > 0), weights[weights > 0]
        rows = Rows(data.x, data.codes, self.codec_.n_levels, weights)
        result = fit_em(
            rows, self, fit, getattr(self, "mixture_", None) if self.warm_start else None
        )
        self.selection_ = [row._asdict() for row in result.table]
        self.converged_, self.n_iter_, self.lower_bound_ = (
            result.converged,
            result.n_iter,
            result.objective,
        )
        reasons = result.reasons
        mixture = result.mixture
        self.sample_stats_: dict[str, Floats] = {}
        self._draws = 0
        if self.engine != "em":
            from .bayes import fit_bayes

            mixture, self.posterior_, self.sample_stats_, reasons = fit_bayes(
                np.asarray(data.x, dtype=np.float64),
                data.codes,
                weights,
                self.codec_.n_levels,
                mixture.n_components,
                engine=self.engine,
                backend=self.backend,
                covariance_type=self.covariance_type,
                seed=fit.seed,
                settings=self.engine_settings or {},
                fit=fit,
                start=mixture,
            )
        self._set(mixture)
        return reasons

    def _uses(self) -> tuple[str, ...]:
        # The other engines keep no state.
        return self.capabilities.uses if self.engine == "svi" else ("budget",)

    def _log_prob(self, data: Encoded, context: Floats | None) -> Floats:
        return posterior(self._predictive(), data.x, data.codes)[1]

    def _score_rows(self, data: Dataset, y: Any) -> LogDensity:
        found, draws = super()._score_rows(data, y), self._n_draws()
        if not draws:
            return found
        from .uncertainty import draws_stderr

        middle = self._encode(data, draw=None)
        stderr = draws_stderr(self._predictive(), draws, middle.x, middle.codes)
        if found.stderr is not None:
            stderr = np.hypot(stderr, found.stderr)
        kind = "estimate" if found.kind == "exact" else found.kind
        return replace(found, kind=kind, stderr=stderr)

    def _n_draws(self) -> int:
        """How many draws' components the predictive mixture has, 0 for a fit by EM."""
        if self.posterior_ is None:
            return self._draws
        chains, draws = self.posterior_["w"].shape[:2]
        return min(_DRAWS, int(chains * draws))

    def _predictive(self) -> Mixture:
        """What rows are predicted by: the mixture, or all the mixtures of the posterior as one."""
        if self.posterior_ is None:
            return self.mixture_
        from .posterior import predictive_mixture

        return predictive_mixture(self.posterior_, self.covariance_type, _DRAWS)

    def _log_prob_draws(self, data: Encoded, draws: int | None = None) -> Floats:
        """(draws, n) log densities under draws of the parameters."""
        from .posterior import log_prob_draws

        assert self.posterior_ is not None
        x = np.asarray(data.x, dtype=np.float64)
        return log_prob_draws(self.posterior_, self.covariance_type, x, data.codes, draws)

    def _sample(
        self, n: int, rng: np.random.Generator, given: Encoded | None, context: Floats | None
    ) -> Encoded:
        fixed = (
            None if given is None else (np.asarray(given.x[0], dtype=np.float64), given.codes[0])
        )
        x, codes = conditional.sample(self._predictive(), n, rng, fixed)
        return Encoded(x, codes, np.zeros(n))

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        m = self.mixture_
        arrays: dict[str, NDArray[Any]] = {
            "weights": m.weights,
            "means": m.means,
            "covariances": m.covariances,
        }
        arrays |= {f"probs.{j}": p for j, p in enumerate(m.probs)}
        arrays |= {f"sample_stats.{name}": np.asarray(a) for name, a in self.sample_stats_.items()}
        body = {
            "covariance_type": m.covariance_type,
            "converged": bool(self.converged_),
            "n_iter": int(self.n_iter_),
            "lower_bound": float(self.lower_bound_),
            "selection": self.selection_,
            "draws": self._draws,
        }
        return body, arrays

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        probs = tuple(arrays[f"probs.{j}"] for j in range(len(self.codec_.n_levels)))
        kind = state["covariance_type"]
        self._set(Mixture(arrays["weights"], arrays["means"], arrays["covariances"], kind, probs))
        self.sample_stats_ = {
            name.removeprefix("sample_stats."): a
            for name, a in arrays.items()
            if name.startswith("sample_stats.")
        }
        self.converged_, self.n_iter_ = state["converged"], state["n_iter"]
        self.lower_bound_, self.selection_ = state["lower_bound"], state["selection"]
        self._draws = int(state.get("draws", 0))

    def _method(self) -> str:
        draws = self._n_draws()
        return f"mean over {draws} posterior draws" if draws else "closed form"

    def _posterior_dims(self) -> dict[str, dict[str, list[Any]]]:
        from .posterior import dims

        discrete = {c.name: c.levels for c in self.codec_.discrete}
        return dims(
            self.posterior_ or {}, self.covariance_type, self.codec_.continuous_names, discrete
        )

    def _set(self, mixture: Mixture) -> None:
        self.mixture_ = mixture
        self.weights_, self.means_, self.covariances_ = (
            mixture.weights,
            mixture.means,
            mixture.covariances,
        )
        self.precisions_cholesky_ = mixture.precisions_cholesky()
        self.probs_ = mixture.probs
        self.n_components_ = mixture.n_components

    # Components

    def predict_proba(self, X: Any) -> Floats:
        """(n, k) probability of each component for each row."""
        return self._posterior(X)[0]

    def predict(self, X: Any) -> NDArray[np.intp]:
        """(n,) likeliest component of each row."""
        return np.asarray(self.predict_proba(X).argmax(axis=1), dtype=np.intp)

    def bic(self, X: Any) -> float:
        """Bayesian information criterion on rows; lower is better."""
        return criteria(self._rows(X), self.mixture_).bic

    def icl(self, X: Any) -> float:
        """Integrated completed likelihood, as a criterion; lower is better."""
        return criteria(self._rows(X), self.mixture_).icl

    def aic(self, X: Any) -> float:
        """Akaike information criterion on rows; lower is better."""
        found = criteria(self._rows(X), self.mixture_)
        return 2 * found.n_parameters - 2 * found.log_likelihood

    # Queries

    def condition(self, given: Mapping[Any, Any]) -> Self:
        """p(the other columns | these values), a mixture of this class again.

        A rounded column is conditioned on at the middle of its cell.

        Args:
            given: column name or label -> value.

        Raises:
            InputError: for an unknown column, a value that the fit never saw, or no column left
                free.
        """
        check_is_fitted(self)
        row = self._given(given)
        fixed = self.schema_.named(given)
        free = [name for name in self.schema_.names if name not in fixed]
        known = np.asarray(row.x[0], dtype=np.float64), row.codes[0]
        return self._over(conditional.condition(self._predictive(), *known), free)

    def marginal(self, columns: Iterable[Any]) -> Self:
        """p(some columns), a mixture of this class again."""
        check_is_fitted(self)
        names = [self.schema_[name].name for name in columns]
        free = [name for name in self.schema_.names if name in names]
        x = np.array(
            [j for j, c in enumerate(self.codec_.continuous_names) if c in free], dtype=np.intp
        )
        codes = np.array(
            [j for j, c in enumerate(self.codec_.discrete_names) if c in free], dtype=np.intp
        )
        return self._over(conditional.marginal(self._predictive(), x, codes), free)

    def impute(self, X: Any, *, draw: bool = False, random_state: Any = None) -> Any:
        """Rows with their gaps filled, in the container they came in.

        Args:
            X: rows.
            draw: fill each gap with a draw given the rest of its row; otherwise with the
                conditional mean (of the logarithm for positive columns, which makes it a
                median-like value there) or the likeliest level.
            random_state: seed of the draws; None takes the estimator's own.
        """
        from ...checks import seed_of

        check_is_fitted(self)
        data = self._dataset(X, reset=False)
        encoded = self.codec_.encode(data)
        rng = (
            np.random.default_rng(
                seed_of(self.random_state if random_state is None else random_state)
            )
            if draw
            else None
        )
        x, codes = conditional.impute(
            self._predictive(), np.asarray(encoded.x, dtype=np.float64), encoded.codes, rng
        )
        return data.filled(self.codec_.decode(Encoded(x, codes, encoded.log_det)))

    def _over(self, mixture: Mixture, names: list[str]) -> Self:
        """This estimator over some of its columns, with a mixture of them."""
        if not names:
            raise InputError(
                "all columns are given, so none is left to say anything about; leave one free."
            )
        out = type(self)(**self.get_params())
        out.schema_ = self.schema_.select(names)
        out.codec_ = self.codec_.select(names)
        out.container_, out.context_, out.posterior_ = self.container_, None, None
        out.covariance_type = mixture.covariance_type
        out.n_features_in_ = len(names)
        if hasattr(self, "feature_names_in_"):
            out.feature_names_in_ = np.array(names, dtype=object)
        for name in (
            "data_fingerprint_",
            "verdict_",
            "trace_",
            "fit_seconds_",
            "converged_",
            "n_iter_",
            "lower_bound_",
            "selection_",
        ):
            setattr(out, name, getattr(self, name))
        out.sample_stats_, out._draws = {}, self._n_draws()
        out._set(mixture)
        return out

    def _rows(self, X: Any) -> Rows:
        check_is_fitted(self)
        encoded = self.codec_.encode(self._dataset(X, reset=False))
        return Rows(encoded.x, encoded.codes, self.codec_.n_levels, None)

    def _posterior(self, X: Any) -> tuple[Floats, Floats]:
        rows = self._rows(X)
        return posterior(self.mixture_, rows.x, rows.codes)
