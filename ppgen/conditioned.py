"""What a model of columns answers of some of them, given others: gaps, marginals, conditionals.

A family that fills gaps derives from `Imputer` and writes `_filled`; one whose conditionals and
marginals are models of its own kind derives from `Conditioned` and writes `_conditioned` and
`_marginal` besides.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from . import html
from .checks import seed_of
from .data import Codec, Dataset, Encoded, ImageCodec
from .data.column import Column
from .data.hashing import mix, row_hashes
from .density_estimator import DensityEstimator
from .errors import InputError
from .rows import Rows


def _text(column: Column, value: Any) -> str:
    """A value that was given, for the reader."""
    simple = isinstance(value, str | bool | int | float | np.number)
    return column.shown(value) if simple else str(value)


class Imputer(DensityEstimator):
    """A model that fills gaps."""

    codec_: Codec | ImageCodec

    def impute(self, X: Any, *, draw: bool = False, random_state: Any = None, **how: Any) -> Any:
        """Rows with their gaps filled and all else as it was, in the container they came in.

        Args:
            X: rows. Images have no gaps.
            draw: fill each gap with a draw given the rest of its row; otherwise with what is
                expected of it: the conditional mean (of the logarithm for positive columns, which
                makes it a median-like value there) or the likeliest level.
            random_state: seed of what is drawn; None takes the estimator's own.
            how: options, named in the family's docstring, where it has any.

        Raises:
            InputError: if the rows are not those of the fit, the fit is conditional on y, or the
                family cannot draw.
        """
        check_is_fitted(self)
        options, name = self.capabilities.imputing, type(self).__name__
        options.check_names(f"{name}.impute", how, "option", ("draw", "random_state"))
        options.check(how)
        if self.context_ is not None:
            raise InputError("a fit that is conditional on y does not fill gaps; fit without y.")
        data = self._dataset(X, reset=False)
        if isinstance(self.codec_, ImageCodec):
            return np.array(data.to_native())
        own = self._draw_seed()
        if random_state is None:
            random_state = self.random_state if own is None else own
        seed = seed_of(random_state)
        seeds = None if own is None else mix(row_hashes(data, seed))
        rows = Rows(self._encode(data, gaps=True, draw=None), seeds=seeds)
        filled = self._filled(rows, np.random.default_rng(seed) if draw else None, **how)
        if filled is None:
            raise InputError(f"{name} fills gaps with what is expected of them; leave draw out.")
        return data.filled(self.codec_.decode(filled))


class Conditioned(Imputer):
    """A model whose conditionals and marginals are models of the same class."""

    codec_: Codec

    # What a family writes

    @abstractmethod
    def _conditioned(self, row: Encoded, free: Sequence[str]) -> Self:
        """p(the free columns | the values of one encoded row, NaN and -1 where it is free)."""

    @abstractmethod
    def _marginal(self, columns: Sequence[str]) -> Self:
        """p(some columns)."""

    def _far_out(self, row: Encoded) -> float | None:
        """How far the values of an encoded row are from where the model has rows, in standard
        deviations; None if it is nothing unusual, or not known."""
        return None

    @property
    def _plugged_in(self) -> bool:
        """Whether conditionals and marginals are those at the means of the parameters, while the
        fit's own densities are means over draws of them."""
        return False

    # What users call

    def condition(self, given: Mapping[Any, Any]) -> Self:
        """p(the other columns | these values), a model of this class again.

        A rounded column is conditioned on at the middle of its cell.

        Args:
            given: column name or label -> value.

        Raises:
            InputError: for an unknown column, a value that the fit never saw, or no column left
                free.
        """
        check_is_fitted(self)
        row, fixed = self._fixed(given), self.schema_.named(given)
        free = [name for name in self.schema_.names if name not in fixed]
        out = self._conditioned(row, free)
        texts = {name: _text(self.schema_[name], value) for name, value in fixed.items()}
        out.given_ = {**self.given_, **texts}
        return out

    def marginal(self, columns: Iterable[Any]) -> Self:
        """p(some columns), a model of this class again."""
        check_is_fitted(self)
        names = [self.schema_[name].name for name in columns]
        return self._marginal([name for name in self.schema_.names if name in names])

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        plain: str = super().__repr__(N_CHAR_MAX)
        if not self.given_:
            return plain
        given = ", ".join(f"{name} = {value}" for name, value in self.given_.items())
        return f"{plain} of {', '.join(self.schema_.names)} given {given}"

    def _repr_mimebundle_(self, **how: Any) -> dict[str, str]:
        """What a notebook shows: a conditional in words, any other as scikit-learn does."""
        if not self.given_:
            bundle: dict[str, str] = super()._repr_mimebundle_(**how)
            return bundle
        return {"text/plain": repr(self), "text/html": html.block(html.line(repr(self)))}

    # Shared plumbing

    def _far(self, given: Mapping[str, Any], row: Dataset, encoded: Encoded) -> str:
        said, far = super()._far(given, row, encoded), self._far_out(encoded)
        if said or far is None:
            return said
        fixed = self.schema_.named(given)
        names = self.codec_.continuous_names
        values = ", ".join(f"{name}={fixed[name]!r}" for name in names if name in fixed)
        return (
            f"given {values}, which is {far:.1f} standard deviations from where the model has "
            "rows: few lie there, and what follows rests on its tails."
        )

    def _selected(self, names: Sequence[str]) -> Self:
        """This estimator over some of its columns; what it knows of them is for the family to
        set."""
        if not names:
            raise InputError(
                "all columns are given, so none is left to say anything about; leave one free."
            )
        out = copy(self)
        out.schema_, out.codec_ = self.schema_.select(names), self.codec_.select(names)
        out.n_features_in_ = len(names)
        if hasattr(self, "feature_names_in_"):
            out.feature_names_in_ = np.array(names, dtype=object)
        return out
