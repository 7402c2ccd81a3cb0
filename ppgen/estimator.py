"""What every family's estimator does alike: reading rows, schema and codec, weights, budget, seeds,
verdict, checkpoints and saving.

A family declares its `capabilities` and `settings` and writes `_fit`, `_state` and `_restore` on
encoded arrays; one with a density derives from `DensityEstimator`.
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from .artifact import Arrays, digest, fingerprint
from .capabilities import Capabilities
from .checkpoint import Checkpoints
from .checks import check_no_gaps, check_weights, seed_of, unused_reasons
from .columns import column_reasons
from .conditioning import Context
from .data import Codec, Dataset, Encoded, ImageCodec, Schema, as_dataset, rebuild
from .data.dequantise import offsets
from .data.rebuild import mixed_labels
from .data.stacking import dimensions, in_layout
from .data.units import unit_hashes
from .data.values import is_gap
from .errors import FitError, InputError
from .fitting import Fit
from .lazy import named
from .progress import Clock, duration
from .progress_bar import progress_bar
from .rows import Rows
from .saving import save_fit
from .settings import Settings
from .verdict import Reason, Verdict

_JUDGING = 0.5  # seconds at most, and a tenth of a budget, that the goodness of a fit may take


class Estimator(BaseEstimator, ABC):  # type: ignore[misc]
    """A model that is fitted to rows and saved.

    Hyper-parameters are keyword arguments of `__init__`, stored as given; fitted attributes end in
    `_`.

    Attributes:
        schema_: the columns, or what the images are, as fitted.
        codec_: how rows become what the model works in.
        verdict_: whether the fit can be trusted, and why not.
        trace_: the training record, a dict a step.
        posterior_: draws of the parameters, name -> (chain, draw, ...), or None.
        fit_seconds_: wall-clock seconds of the fit.
        weighted_: whether rows had weights other than 1.
        weights_fingerprint_: SHA-256 of these, "" where all were 1, None where it is not known.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    settings: ClassVar[Settings] = Settings()
    random_state: Any
    context_: Context | None

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "settings" in cls.__dict__:
            cls.__doc__ = cls.settings.document(cls.__doc__)

    # What a family writes
    # --------------------------------------------------------------------------------------------

    @abstractmethod
    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        """Set the fitted attributes; return what was found."""

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
            self.context_ = Context.fit(y, len(data), weights)
        if self.context_ is None:
            return Rows(data, weights)
        if y is None:
            raise InputError(
                "validation has no y, but the fit is conditional; give validation=(rows, y)."
            )
        return Rows(data, weights, self.context_.encode(y, len(data)))

    @abstractmethod
    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The fitted attributes as JSON and arrays."""

    @abstractmethod
    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        """Set the fitted attributes from what `_state` gave."""

    # What users call

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        validation: Any = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        budget: str | float | None = None,
        progress: bool = False,
    ) -> Self:
        """Fit to rows.

        Args:
            X: rows: array (n, d), frame of pandas, Polars or Arrow, or a `Dataset`.
            y: what to condition on, where the family can (`capabilities.conditional`); otherwise
                ignored.
            sample_weight: (n,) weights; a weight of 2 counts as the row given twice.
            validation: held-out rows, or a pair (rows, y), for early stopping; never trained on.
            checkpoint_dir: where a long fit keeps its state; the same fit started again goes on
                from there.
            budget: a duration such as "60s" that the fit plans to end within.
            progress: show a bar on a terminal.

        Of validation, checkpoint_dir and budget, what plays no part in this family's fits
        (`capabilities.uses`) is named in the verdict.

        Raises:
            InputError: if what was given cannot be modelled.
            FitError: if the fit failed.
        """
        self.settings.check(self.get_params(deep=False))
        seconds = duration(budget)
        clock = Clock(seconds)
        data = self._dataset(X, reset=True)
        if len(data) < self.capabilities.min_rows:
            raise InputError(
                f"{len(data)} sample{'s' * (len(data) != 1)} given (n_samples = {len(data)}); "
                f"{type(self).__name__} needs "
                f"at least {self.capabilities.min_rows} rows. Give more rows."
            )
        weights = check_weights(sample_weight, len(data))
        self.weighted_: bool = weights is not None and bool((weights != 1).any())
        self.weights_fingerprint_: str | None = digest(weights) if self.weighted_ else ""
        seed = seed_of(self.random_state)
        self.schema_: Schema = data.schema
        self.container_: str = data.like
        self.codec_: Codec | ImageCodec = self._fit_codec(data, weights)
        self.data_fingerprint_: str = data.fingerprint()
        self.context_ = None
        with progress_bar(self.name, clock, show=progress) as show:
            told = Fit(seed=seed, schema=self.schema_, clock=clock, progress=show)
            if seconds is not None and self.capabilities.density is not None:
                told.judging = min(_JUDGING, seconds / 10)
            told.units = cache(lambda: unit_hashes(data, seed))
            rows = self._given(self._encode(data, draw=0, seed=seed, apart=True), y, weights)
            if self.codec_.dequantised:
                told.redraw = lambda epoch: self._encode(data, draw=epoch, seed=seed, apart=True)
            if validation is not None:
                pair = validation if isinstance(validation, tuple) else (validation, None)
                held_out = self._dataset(pair[0], reset=False)
                told.validation = self._given(
                    self._encode(held_out, draw=0), pair[1], held_out=True
                )
                told.validation_units = lambda: unit_hashes(held_out)
            if checkpoint_dir is not None:
                of = [weights, rows.context, rows.labels]
                if told.validation is not None:
                    held = told.validation
                    of += [held.data.x, held.data.codes, held.context, held.labels]
                told.checkpoints = Checkpoints(
                    checkpoint_dir, self._fingerprint(seed, seconds, *map(digest, of))
                )
            self.posterior_: dict[str, NDArray[Any]] | None = None
            reasons = list(self._fit(rows, told))
            if self.capabilities.density is not None:
                of_columns = column_reasons(self.schema_, data, self.codec_, rows.data, weights)
                reasons = [*of_columns, *reasons]
                reasons += self._goodness(rows, told, reasons)
            reasons += unused_reasons(
                self._uses(),
                type(self).__name__,
                validation=validation,
                budget=budget,
                checkpoint_dir=checkpoint_dir,
            )
        self.verdict_ = Verdict.of(reasons)
        self.trace_ = told.trace
        self.fit_seconds_ = clock.seconds()
        if told.checkpoints is not None:
            told.checkpoints.clear()
        if self.verdict_.status == "failed":
            raise FitError(str(self.verdict_))
        return self

    def _goodness(self, rows: Rows, fit: Fit, reasons: Iterable[Reason]) -> list[Reason]:
        """What held-out rows say of the fit; nothing where there is no density or no fit."""
        return []

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save to a folder that `ppgen.load` reads: numbers and JSON, no code."""
        check_is_fitted(self)
        return save_fit(self, path)

    # Shared plumbing

    def to_datatree(self, X: Any, y: Any = None, **more: Any) -> Any:
        """An ArviZ DataTree of the fit and these rows; see `ppgen.to_datatree`."""
        return named("ppgen.analysis.datatree", "to_datatree")(self, X, y, **more)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "verdict_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.capabilities.missing
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return cast(Tags, tags)

    def _dataset(self, X: Any, *, reset: bool) -> Dataset:
        # What is no table of two dimensions is for `as_dataset` to read or to refuse.
        named = isinstance(X, Dataset | Mapping) or dimensions(X) != 2
        named = named or (not reset and self.schema_.image_shape is not None)
        named = named or mixed_labels(X)  # which scikit-learn refuses
        if not named:
            validate_data(self, X, reset=reset, skip_check_array=True)
        schema = None if reset else self.schema_
        data = as_dataset(X, schema, estimator=type(self).__name__)
        if reset and (named or data.images is not None):
            self._remember_names(data)
        if data.schema.sequence or (data.images is not None and not self.capabilities.images):
            what = "images" if data.schema.image_shape else "sequences"
            raise InputError(
                f"{type(self).__name__} models tables; {what} were given. Give a table, one row a "
                "case."
            )
        return data

    def _uses(self) -> tuple[str, ...]:
        """Which of `validation`, `budget` and `checkpoint_dir` these settings look at."""
        return self.capabilities.uses

    def _conditions_on(self, y: Any) -> bool:
        """Whether `y` is what the rows are modelled given."""
        return self.capabilities.conditional and y is not None

    def _fit_codec(self, data: Dataset, weights: NDArray[np.float64] | None) -> Codec | ImageCodec:
        if data.images is not None:
            return ImageCodec(data.schema)
        return Codec.fit(
            data,
            scaling=self.capabilities.scaling,
            discrete=self.capabilities.discrete,
            weights=weights,
        )

    def _remember_names(self, data: Dataset) -> None:
        """What scikit-learn keeps of the columns, where it has not seen the rows itself."""
        shape = data.schema.image_shape
        self.n_features_in_ = len(data.schema.columns) if shape is None else math.prod(shape)
        if data.like.startswith("numpy") or any(c.written for c in data.schema.columns):
            self.__dict__.pop("feature_names_in_", None)
        else:
            self.feature_names_in_ = np.array(data.schema.names, dtype=object)

    def _encode(self, data: Dataset, **noise: Any) -> Encoded:
        """Rows encoded, their cells filled in; `noise` says with which draw (see `offsets`), and
        draw=None leaves each at the middle of its cell."""
        if isinstance(self.codec_, ImageCodec):
            return self.codec_.encode(data)
        noisy = self.codec_.dequantised and noise.get("draw") is not None
        cells = len(self.codec_.continuous_names) if noisy else 0
        encoded = self.codec_.encode(data, offsets(data, cells, **noise) if cells else None)
        if not self.capabilities.missing:
            check_no_gaps(self.codec_, encoded, type(self).__name__)
        return encoded

    def _decoded(
        self, encoded: Encoded, given: Mapping[Any, Any] | None = None, index: Any = None
    ) -> Any:
        """Encoded rows in the container that was fitted, images in its layout.

        Args:
            encoded: rows.
            given: column -> the value that all rows have there.
            index: labels of the rows, for a frame of pandas.
        """
        if isinstance(self.codec_, ImageCodec):
            return in_layout(self.codec_.decode(encoded), self.schema_.layout)
        columns = self.codec_.decode(encoded)
        if given is not None:
            held = Dataset.one_row(self.schema_, given).columns
            known = {name: v for name, v in held.items() if not is_gap(v).any()}
            columns |= {name: np.repeat(v, len(encoded)) for name, v in known.items()}
        return rebuild(columns, self.schema_, self.container_, index)

    def _returned(self, data: Dataset, encoded: Encoded) -> Any:
        """Encoded rows in place of rows given: in their container, under their labels."""
        if isinstance(self.codec_, ImageCodec):
            return in_layout(self.codec_.decode(encoded), data.layout)
        return data.replaced(self.codec_.decode(encoded))

    def _fingerprint(self, *of: Any) -> str:
        """What a checkpoint belongs to: the family, its settings, the rows, and `of`."""
        params = {
            k: np.asarray(v).tolist() if isinstance(v, np.ndarray) else repr(v)
            for k, v in self.get_params().items()
        }
        return fingerprint(self.name, params, self.data_fingerprint_, of)
