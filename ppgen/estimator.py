"""What every family's fit does alike: weights, budget, seeds, held-out rows, checkpoints, verdict.

A family declares its `capabilities` and `settings` and writes `_fit`, `_state` and `_restore` on
encoded rows; one that samples derives from `Sampler`, one with a density from `DensityEstimator`.
"""

from __future__ import annotations

import inspect
import os
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from functools import cache
from types import FunctionType
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from .artifact import digest, fingerprint
from .checkpoint import Checkpoints
from .checks import check_weights, no_distribution, seed_of, unused_reasons
from .columns import column_reasons
from .conditioning import Conditioning, Context
from .data import AnyCodec, Dataset, Encoded
from .data.codecs import fit_codec
from .data.units import unit_hashes
from .datatree import to_datatree
from .errors import FitError, InputError
from .fitting import Fit
from .keywords import check_keywords, keywords_checked
from .progress import Clock, duration, progress_bar
from .rows import Rows
from .saving import Saved
from .settings import Settings, choice
from .verdict import Reason, Verdict

_JUDGING = 0.5  # seconds at most, and a tenth of a budget, that the goodness of a fit may take


class Estimator(Saved):
    """A model that is fitted to rows and saved.

    Hyper-parameters are keyword arguments of `__init__`, stored as given; fitted attributes end in
    `_` (`Coded` and `Saved` have those of every fit).
    """

    settings: ClassVar[Settings] = Settings()
    random_state: Any

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "settings" in cls.__dict__:
            cls.__doc__ = cls.settings.document(cls.__doc__)
            if isinstance(cls.__init__, FunctionType):
                # Errors of calls name the class that was called, not where its settings stand.
                cls.__init__.__qualname__ = f"{cls.__qualname__}.__init__"
        if "capabilities" in cls.__dict__:
            for method, options in cls.capabilities.options.items():
                cls.__doc__ = options.document_options(cls.__doc__, method)

    def __new__(cls, *values: Any, **words: Any) -> Self:
        """Refuse words that are no settings, naming the nearest that is."""
        if not words.keys() <= {*cls.settings.names, "random_state"}:
            known = dict([*inspect.signature(cls.__init__).parameters.items()][1:])
            if all(p.kind != p.VAR_KEYWORD for p in known.values()):  # or a subclass takes any
                check_keywords(cls.__name__, words, known, "setting")
        made: Self = super().__new__(cls)
        return made

    # What a family writes
    # --------------------------------------------------------------------------------------------

    @abstractmethod
    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        """Set the fitted attributes; return the reasons for the verdict."""

    def _given(
        self,
        data: Encoded,
        y: Any,
        weights: NDArray[np.float64] | None = None,
        *,
        held_out: bool = False,
    ) -> Rows:
        """The rows that `_fit` sees of what `fit` was given: `y` is what a conditional fit
        conditions on. Of held-out rows it is read as that of the fit was."""
        if not held_out and self._conditions_on(y):
            context = self._fit_context(y, len(data), weights)
            self.context_ = context.read_as(self.schema_.reading)
        if self.context_ is None:
            return Rows(data, weights)
        if y is None:
            raise InputError(
                "validation has no y, but the fit is conditional; give validation=(rows, y)."
            )
        return Rows(data, weights, self.context_.encode(y, len(data)))

    def _conditions_on(self, y: Any) -> bool:
        """Whether `y` is what the rows are modelled given."""
        return self.capabilities.conditional and y is not None

    def _fit_context(self, y: Any, n: int, weights: NDArray[np.float64] | None) -> Conditioning:
        """What is read of the `y` of n rows."""
        return Context.fit(y, n, weights)

    def _uses(self) -> tuple[str, ...]:
        """Which of `validation`, `budget` and `checkpoint_dir` these settings look at."""
        return self.capabilities.uses

    def _goodness(self, rows: Rows, fit: Fit, reasons: Iterable[Reason]) -> list[Reason]:
        """What held-out rows say of the fit; nothing where there are no samples or no fit."""
        return []

    def _chosen(self) -> dict[str, Any]:
        """The declared settings as fits read them, whatever the constructor of a subclass takes."""
        return {s.name: s.taken(getattr(self, s.name)) for s in self.settings}

    def _resolved(self) -> Mapping[str, Any]:
        """What this fit took for settings that were left open, by their names."""
        return {}

    def _distribution(
        self, backend: Literal["numpyro", "pyro"], context: NDArray[np.float64] | None
    ) -> Any:
        """The fitted density as a distribution of a backend, in the units of the data; written
        where `capabilities.distribution` says that there is one.

        Args:
            backend: "numpyro" or "pyro".
            context: (n, k) the encoded `y` of a conditional fit.
        """
        raise NotImplementedError

    # What users call

    @property
    def settings_(self) -> dict[str, Any]:
        """All settings as this fit took them: those given, the defaults of the rest, and what was
        chosen where None, "auto" or another word left one open."""
        of = self.settings_by_origin()
        taken = of["default"] | of["given"] | of["chosen"]
        return {name: taken[name] for name in self.settings.names}

    def settings_by_origin(self) -> dict[str, dict[str, Any]]:
        """The same, as those "given" that are no defaults, those "chosen" by the fit, and each
        "default"."""
        check_is_fitted(self)
        return self.settings.by_origin(self._chosen(), self._resolved())

    @keywords_checked
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        validation: Any = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        budget: str | float | Clock | None = None,
        progress: bool = False,
    ) -> Self:
        """Fit to rows.

        An interrupt (Ctrl-C) ends a fit that has begun to learn: what it came to is kept, and the
        verdict and `interrupted_` say so. A second one while that is judged ends it without a fit.

        Args:
            X: rows: array (n, d), frame of pandas, Polars or Arrow, images, or a `Dataset`.
            y: what to condition on, where the family can (`capabilities.conditional`), the labels
                of a family that needs them (`capabilities.supervised`), or the rows of the second
                domain of a translation (`capabilities.translates`); otherwise ignored.
            sample_weight: (n,) weights; a weight of 2 counts as the row given twice.
            validation: held-out rows, or a pair (rows, y), for early stopping; never trained on.
            checkpoint_dir: where a long fit keeps its state; the same fit started again goes on
                from there.
            budget: a duration such as "60s" that the fit plans to end within; or the clock of one
                that began before, as where data were read within it.
            progress: show a bar on a terminal, and lines now and then elsewhere.

        Of validation, checkpoint_dir and budget, what plays no part in this family's fits
        (`capabilities.uses`) is named in the verdict.

        Raises:
            InputError: if what was given cannot be modelled.
            FitError: if the fit failed.
            KeyboardInterrupt: if it was interrupted before there was anything to keep.
        """
        self.settings.check(self._chosen())
        clock = budget if isinstance(budget, Clock) else Clock(duration(budget))
        began = clock.seconds()
        data = self._dataset(X, reset=True)
        self._check_enough(data)
        weights = check_weights(sample_weight, len(data))
        self._describe(data, weights)
        with progress_bar(self.name, clock, show=progress) as show:
            fit = Fit(seed_of(self.random_state), self.schema_, clock, progress=show)
            rows = self._prepare(fit, data, y, weights)
            if validation is not None:
                self._hold_out(fit, validation)
            if checkpoint_dir is not None:
                fit.checkpoints = Checkpoints(checkpoint_dir, self._fingerprint_of(fit, rows))
            try:
                reasons = list(self._fit(rows, fit))
            except KeyboardInterrupt:
                what = f"interrupted before the {self.name} had learnt anything; nothing is kept."
                raise KeyboardInterrupt(what) from None
            reasons += [] if self.context_ is None else self.context_.reasons()
            spread, seen = bool(self.capabilities.samples), (data, self.codec_, rows.data, weights)
            with fit.heeding():
                reasons = [*column_reasons(self.schema_, *seen, spread=spread), *reasons]
            reasons += self._goodness(rows, fit, reasons)
            reasons = [*fit.interrupt_reasons(self._uses()), *reasons]
        reasons += unused_reasons(
            self._uses(),
            type(self).__name__,
            validation=validation,
            budget=budget,
            checkpoint_dir=checkpoint_dir,
        )
        self.verdict_ = Verdict(tuple(reasons))
        self.trace_ = fit.trace
        self.fit_seconds_, self.interrupted_ = clock.seconds() - began, fit.interrupted
        if fit.checkpoints is not None and not fit.interrupted:
            fit.checkpoints.clear()
        if self.verdict_.status == "failed":
            raise FitError(str(self.verdict_))
        return self

    def to_datatree(self, X: Any = None, y: Any = None, **more: Any) -> Any:
        """An ArviZ DataTree of the fit and these rows; see `ppgen.to_datatree`."""
        return to_datatree(self, X, y, **more)

    def as_distribution(self, backend: Literal["numpyro", "pyro"], y: Any = None) -> Any:
        """The fitted density as a distribution of NumPyro or Pyro: a prior or a likelihood in a
        model of yours, which needs the fit no more.

        Values are vectors (..., D) in the units of the data: the columns of the fit in their order,
        without those that do not vary, a vector of one entry for a single column. A level is its
        number among the `levels` of its column in `schema_`, counted from 0. `support` has the
        range of each column. The density of a rounded column is that of the values before they were
        rounded, which `log_density` averages over the cell. Rows have no gaps.

        Pyro's compute in double precision, NumPyro's in that of JAX: double under
        `jax.enable_x64(True)`. Sites with levels are observed or drawn; Pyro enumerates those of
        levels alone, of up to 10,000 rows.

        Args:
            backend: "numpyro" or "pyro".
            y: for a conditional fit, what to condition on: one row, or n for n distributions, a
                batch of them.

        Raises:
            InputError: if the family has no density, columns have none at their values (counts,
                levels that the family fills with noise), or a conditional fit is given no y.
        """
        return self._distribution(backend, self._given_to_distribution(backend, y))

    # Shared plumbing

    def _given_to_distribution(self, backend: Any, y: Any) -> NDArray[np.float64] | None:
        """The encoded `y` of a distribution; InputError if there is none of this fit."""
        check_is_fitted(self)
        choice("numpyro", "pyro").check("backend", backend)
        if self.capabilities.distribution is None:
            raise InputError(no_distribution(type(self).__name__, self.capabilities))
        self._refuse_unused(y)
        if self.context_ is not None and y is None:
            raise InputError(
                "this fit is conditional on y, and no y was given; give one row, or one for each "
                "distribution of a batch."
            )
        return None if self.context_ is None else self.context_.encode(y)

    # The steps of a fit

    def _whole(self) -> Self:
        """This fit; where it was interrupted, the interrupt is raised: of a fit that is a part of
        something larger the user means all."""
        if self.interrupted_:
            raise KeyboardInterrupt
        return self

    def _seed(self, random_state: Any) -> int:
        """The seed of draws; None takes the estimator's own."""
        return seed_of(self.random_state if random_state is None else random_state)

    def _check_enough(self, data: Dataset) -> None:
        n, least = len(data), self.capabilities.min_rows
        if n < least:
            raise InputError(
                f"{n} sample{'s' * (n != 1)} given (n_samples = {n}); {type(self).__name__} needs "
                f"at least {least} rows. Give more rows."
            )

    def _describe(self, data: Dataset, weights: NDArray[np.float64] | None) -> None:
        """Set what is known of the rows before they are modelled."""
        self.weighted_ = weights is not None and bool((weights != 1).any())
        self.weights_fingerprint_ = digest(weights) if self.weighted_ else ""
        self.schema_, self.container_ = data.schema, data.like
        self.codec_ = self._fit_codec(data, weights)
        self.data_fingerprint_ = data.fingerprint()
        self.context_, self.posterior_, self.given_ = None, None, {}

    def _fit_codec(self, data: Dataset, weights: NDArray[np.float64] | None) -> AnyCodec:
        can = self.capabilities
        return fit_codec(data, weights, scaling=can.scaling, discrete=can.discrete)

    def _prepare(
        self, fit: Fit, data: Dataset, y: Any, weights: NDArray[np.float64] | None
    ) -> Rows:
        """The rows fitted; sets how `fit` fills their cells in anew, and their units."""
        if fit.clock.budget is not None and self.capabilities.samples:
            fit.judging = min(_JUDGING, fit.clock.budget / 10)
        fit.units = cache(lambda: unit_hashes(data, fit.seed))
        how: dict[str, Any] = {"seed": fit.seed, "apart": True, "fitted": True}
        if self.codec_.dequantised:
            fit.redraw = lambda epoch: self._encode(data, draw=epoch, **how)
        return self._given(self._encode(data, draw=0, **how), y, weights)

    def _hold_out(self, fit: Fit, validation: Any) -> None:
        """Tell `fit` of held-out rows, or a pair (rows, y)."""
        pair = validation if isinstance(validation, tuple) else (validation, None)
        if len(pair) != 2:
            raise InputError(
                f"validation is a tuple of {len(pair)}; expected rows, or a pair (rows, y)."
            )
        X, y = pair
        data = self._dataset(X, reset=False)
        fit.validation = self._given(self._encode(data, draw=0), y, held_out=True)
        fit.validation_units = lambda: unit_hashes(data)

    def _fingerprint_of(self, fit: Fit, rows: Rows) -> str:
        arrays = [rows.weights, rows.context, rows.labels]
        arrays += [] if rows.target is None else [rows.target.data.x]
        if (held := fit.validation) is not None:
            arrays += [held.data.x, held.data.codes, held.context, held.labels]
            arrays += [] if held.target is None else [held.target.data.x]
        return self._fingerprint(fit.seed, fit.clock.budget, *map(digest, arrays))

    def _fingerprint(self, *parts: Any) -> str:
        """What a checkpoint belongs to: the family, its settings, the rows, and `parts`."""
        params = {
            k: np.asarray(v).tolist() if isinstance(v, np.ndarray) else repr(v)
            for k, v in self.get_params().items()
        }
        return fingerprint(self.name, params, self.data_fingerprint_, parts)
