"""The contract of every family that makes rows like those fitted, whether or not it has a density.

A family writes `_sample` on encoded arrays.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .coded import made_rows
from .data import Codec, Dataset, Encoded, ImageCodec, as_dataset
from .data.memory_limit import check_memory
from .data.rebuild import row_labels
from .data.stacking import in_layout
from .data.values import is_gap
from .errors import InputError
from .estimator import Estimator
from .fitting import Fit
from .goodness_of_fit import goodness_reasons
from .rows import Rows
from .settings import integer
from .verdict import Reason

_BYTES = 32  # that a value takes while it is drawn: its code, its double and a copy of each
_REDRAWS = 4  # times that samples beyond the whole numbers seen are drawn again


class Sampler(Estimator):
    """A model that makes rows like those it was fitted to."""

    # What a family writes

    @abstractmethod
    def _sample(
        self,
        n: int,
        rng: np.random.Generator,
        given: Encoded | None,
        context: NDArray[np.float64] | None,
        **how: Any,
    ) -> Encoded:
        """n encoded rows; `given` is one row with NaN and -1 where it is free, and `how` what was
        asked of the options that `capabilities.sampling` declares."""

    def _refitted(self, rows: Rows, fit: Fit) -> Self | None:
        """The same model fitted cheaply to these rows, fewer than those of the fit, which is left
        as it is; None where that is not cheap. The verdict judges it by the rows left out."""
        return None

    def _filled(self, rows: Rows, rng: np.random.Generator | None, **how: Any) -> Encoded | None:
        """Encoded rows with their gaps filled by draws given the rest of the row, or without `rng`
        by what is expected of them; None where the family cannot."""
        return None

    # What users call

    def sample(
        self,
        n: int = 1,
        given: Mapping[Any, Any] | None = None,
        *,
        y: Any = None,
        random_state: Any = None,
        expected: bool = False,
        clip: bool = False,
        **how: Any,
    ) -> Any:
        """Rows like those fitted: in the container that was fitted, its columns written as they
        were, images in their layout.

        Whole numbers stay within those that were seen: a row that goes beyond is drawn again, up to
        four times, and then brought to the nearest. So where a column of whole numbers ends
        abruptly, samples are those of the density given that they are within.

        Args:
            n: how many.
            given: column values to hold fixed, where the family can (`capabilities.conditions` or
                `capabilities.holds`), or where the fit is conditional on these columns
                (`capabilities.told`): those of them that are not given are then drawn from the
                rows fitted.
            y: for a conditional fit, what to condition on: one row for all, or n; None draws from
                the fitted `y`. Samples for the n rows of a pandas frame or series bear its labels.
            random_state: seed; None takes the estimator's own.
            expected: whether rows are those expected of draws of the latents, without the noise of
                their values, where the family has latents with a prior (`capabilities.prior`): of
                images, floats that are not rounded, within the range seen.
            clip: whether values of images beyond the range seen are brought to its ends. Levels
                never are beyond it; real values may be, as the density has them.
            how: options of how rows are drawn, named in the family's docstring, where it has any.

        Raises:
            InputError: if what is asked for is not what the fit can give, or an option is not one
                of the family's.
        """
        check_is_fitted(self)
        sampling = self.capabilities.sampling
        sampling.check_names(f"{type(self).__name__}.sample", how, "option")
        sampling.check(how)
        if clip and not isinstance(self.codec_, ImageCodec):
            raise InputError("clip=True is for images, and the fit is of none. Leave it out.")
        if expected:
            return self._expected(n, given, y, random_state, how)
        encoded = self._draw(n, given, y, random_state, **how)
        made = self._decoded(encoded, given, row_labels(y, len(encoded)))
        return self._within(made) if clip else made

    # Shared plumbing

    def _expected(
        self, n: int, given: Any, y: Any, random_state: Any, how: Mapping[str, Any]
    ) -> Any:
        """Rows expected of n draws of the latents."""
        if given is not None or how or not self.capabilities.prior:
            beside = "given columns" if given is not None else ", ".join(how)
            problem = f"with {beside}" if beside else f"of {type(self).__name__}, a model of none"
            raise InputError(
                f"expected=True {problem}; it decodes draws of a model's latents, with no column "
                "held fixed and no option. Leave it out."
            )
        self._check_number(n)
        self._refuse_unused(y)
        rng = np.random.default_rng(self._seed(random_state))
        context = None if self.context_ is None else self.context_.draw(n, y, rng)
        rows = self._expected_of_prior(int(n), self._seed(random_state), context)
        if not isinstance(self.codec_, ImageCodec):
            return self._decoded(rows, index=row_labels(y, n))
        images = np.asarray(rows.x, dtype=np.float64).reshape(-1, *self.codec_.shape)
        return self._within(in_layout(images, self.schema_.layout))

    def _expected_of_prior(self, n: int, seed: int, context: NDArray[np.float64] | None) -> Encoded:
        """The encoded rows expected of n draws of the latents, images in the units of the data;
        written where `capabilities.prior` says that there are latents with a prior."""
        raise NotImplementedError

    def _check_number(self, n: int) -> None:
        """Raise InputError unless n rows can be drawn and held."""
        integer(1).check("n", n)
        check_memory(f"n={n:,} rows", int(n) * self.n_features_in_ * _BYTES)

    def _within(self, images: NDArray[Any]) -> NDArray[Any]:
        """Images with their values in the range seen."""
        pixels = self.schema_.pixels
        assert pixels is not None
        return images.clip(pixels.low, pixels.high)

    def _goodness(self, rows: Rows, fit: Fit, reasons: Iterable[Reason]) -> list[Reason]:
        if any(reason.status == "failed" for reason in reasons):
            return []
        return goodness_reasons(self, rows, fit)

    def _told(self) -> tuple[str, ...]:
        """Names of the columns that the fit is conditional on (`capabilities.told`)."""
        return ()

    def _unbounded(
        self, n: int, given: Mapping[Any, Any] | None, y: Any, random_state: Any
    ) -> Dataset:
        """n rows as the density has them: whole numbers may go beyond those seen."""
        rows = self._draw(n, given, y, random_state, within=False)
        if not isinstance(self.codec_, Codec):
            return made_rows(self, self._decoded(rows))
        columns = self.codec_.decode(rows, within=False)
        return as_dataset({name: columns[name] for name in self.schema_.names}, self.schema_)

    def _draw(
        self,
        n: int,
        given: Mapping[Any, Any] | None,
        y: Any,
        random_state: Any,
        *,
        within: bool = True,
        **how: Any,
    ) -> Encoded:
        """n encoded rows; if `within`, with whole numbers that are, but for few, among those
        seen."""
        self._check_number(n)
        rng = np.random.default_rng(self._seed(random_state))
        fixed = None if given is None else self._fixed(given)
        self._refuse_unused(y)
        context = None if self.context_ is None else self.context_.draw(n, y, rng)
        rows = self._sample(int(n), rng, fixed, context, **how)
        if not isinstance(self.codec_, Codec) or not within:
            return rows
        held = () if given is None else tuple(self.schema_.named(given))
        for _ in range(_REDRAWS):
            beyond = np.flatnonzero(self.codec_.beyond(rows, held))
            if not len(beyond):
                break
            y_beyond = None if context is None else context[beyond]
            again = self._sample(len(beyond), rng, fixed, y_beyond, **how)
            rows = rows.put(beyond, again)
        return rows

    def _fixed(self, given: Mapping[str, Any]) -> Encoded:
        """One encoded row that holds the given values, NaN and -1 elsewhere.

        Raises:
            InputError: for a column that the fit lacks or cannot hold, or a value that is missing
                or that it never saw.
        """
        told = self._told()
        if not self.capabilities.conditions and not self.capabilities.holds and not told:
            name, way = type(self).__name__, ""
            if self.capabilities.told:
                way = f", and so can {name}(condition_on=[...]) that was fitted to be told of them"
            raise InputError(
                f"this {name} cannot hold columns fixed; ppgen.GaussianMixture can{way}."
            )
        others = [n for n in self.schema_.named(given) if told and n not in told]
        if others and not self.capabilities.holds:
            raise InputError(
                f"given {', '.join(others)}, and this fit is conditional on {', '.join(told)} "
                f"alone. Give no other, or fit with condition_on={[*told, *others]}."
            )
        assert isinstance(self.codec_, Codec)  # nothing that conditions models images
        row = Dataset.one_row(self.schema_, given)
        if gaps := [name for name in self.schema_.named(given) if is_gap(row.columns[name]).any()]:
            raise InputError(
                f"the value given of {', '.join(gaps)} is missing, which holds nothing. Give one, "
                "or leave the column out."
            )
        encoded = self.codec_.encode(row)
        if np.any(encoded.codes == -2) or not np.isfinite(encoded.log_det).all():
            raise InputError(
                f"given {dict(given)}, which the fit never saw: its probability is 0 and nothing "
                "follows from it. Give values that occur in the data."
            )
        if far := self._far(given, row, encoded):
            warnings.warn(far, UserWarning, stacklevel=4)
        return encoded

    def _far(self, given: Mapping[str, Any], row: Dataset, encoded: Encoded) -> str:
        """What is said of values given that are far from those fitted; "" where none is."""
        assert isinstance(self.codec_, Codec)
        beyond = "; ".join(self.codec_.far_beyond(row))
        return f"{beyond}: no row is near, and what follows is extrapolated." if beyond else ""
