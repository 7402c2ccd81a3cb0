"""How a fit reads rows and writes them: schema, codec, container, and the `y` it is given."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data

from .arrays import Floats
from .capabilities import Capabilities
from .checks import check_no_gaps
from .conditioning import Conditioning
from .data import AnyCodec, Codec, Dataset, Encoded, ImageCodec, Schema, as_dataset, rebuild
from .data.dequantise import offsets
from .data.pillow_values import is_picture
from .data.rebuild import mixed_labels
from .data.recording_codec import RecordingCodec
from .data.sequence_codec import SequenceCodec
from .data.sequences import in_container, sequences
from .data.stacking import dimensions, in_layout, in_shape
from .data.torch_rows import is_torch_dataset
from .errors import FitError, InputError


class Coded(BaseEstimator):  # type: ignore[misc]
    """A model whose rows are encoded before it sees them, and decoded after it makes them.

    Attributes:
        schema_: the columns, or what images or sequences are, as fitted.
        codec_: how rows become what the model works in.
        container_: what the rows fitted came in.
        context_: what the fit is conditional on, or None.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    schema_: Schema
    codec_: AnyCodec
    container_: str
    context_: Conditioning | None

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.capabilities.missing
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return cast(Tags, tags)

    def _dataset(self, X: Any, *, reset: bool) -> Dataset:
        if is_torch_dataset(X) or is_picture(X):
            X = as_dataset(X)
        # What is no table of two dimensions is for `as_dataset` to read or to refuse.
        named = isinstance(X, Dataset | Mapping | str) or not hasattr(X, "__len__")
        named = named or dimensions(X) != 2
        named = named or (not reset and not self.schema_.columns)
        named = named or mixed_labels(X)  # which scikit-learn refuses
        named = named or (not reset and self._has_more(X))
        named = named or (not reset and not self._as_they_came())
        who = self._called()
        if not named:
            try:
                validate_data(self, X, reset=reset, skip_check_array=True)
            except ValueError as error:  # whose first words scikit-learn's own checks ask for
                raise InputError(" ".join(str(error).split())) from None
        schema = None if reset else self.schema_
        if schema is not None and schema.sequence and not isinstance(X, Dataset):
            X = sequences(X)
        data = as_dataset(X, schema, estimator=who)
        if reset and (named or data.images is not None or data.schema.left_out):
            self._remember_names(data)
        can, what = self.capabilities, ""
        if data.images is not None and not can.images:
            what = "images"
        elif data.schema.sequence and not can.sequences:
            what = "sequences"
        if data.schema.columns and not can.tables:
            what = "a table"
        if what:
            kinds = {"tables": can.tables, "images": can.images, "sequences": can.sequences}
            able = " and ".join(kind for kind, models in kinds.items() if models)
            give = "a table, one row a case"
            if not can.tables:
                give = "images, (n, height, width) or (n, channels, height, width)"
                give += ", or ppgen.sequences(X)" if can.sequences else ""
            were = "was" if what == "a table" else "were"
            raise InputError(f"{who} models {able}; {what} {were} given. Give {give}.")
        return data

    def _as_they_came(self) -> bool:
        """Whether the columns of the fit are those that it was given, none left out or added."""
        return not self.schema_.left_out and not any(c.of for c in self.schema_.columns)

    def _has_more(self, X: Any) -> bool:
        """Whether a frame has all columns of the fit and others, which are left out."""
        fitted: Any = getattr(self, "feature_names_in_", ())
        called: Any = getattr(X, "column_names", None)  # of Arrow
        called = getattr(X, "columns", ()) if called is None else called
        return len(fitted) > 0 and set(called) > set(fitted)

    def _called(self) -> str:
        """Who reads the rows, for messages."""
        return type(self).__name__

    def _remember_names(self, data: Dataset) -> None:
        """What scikit-learn keeps of the columns, where it has not seen the rows itself."""
        shape = data.schema.image_shape
        self.n_features_in_ = len(data.schema.columns) if shape is None else math.prod(shape)
        if data.schema.sequence:
            self.n_features_in_ = data.sequences[0].size
        if (
            not data.schema.columns
            or data.like.startswith("numpy")
            or any(c.written for c in data.schema.columns)
        ):
            self.__dict__.pop("feature_names_in_", None)
        else:
            self.feature_names_in_ = np.array(data.schema.names, dtype=object)

    def _encode(
        self, data: Dataset, *, gaps: bool = False, fitted: bool = False, **noise: Any
    ) -> Encoded:
        """Rows encoded, their cells filled in; `noise` says with which draw (see `offsets`), and
        draw=None leaves each at the middle of its cell. `gaps` may be left in them even where the
        model was not fitted to any. Numbers further out than the family's arithmetic reaches are
        brought in; `fitted` rows keep their density all the same."""
        if not isinstance(self.codec_, Codec):
            return self.codec_.encode(data)
        noisy = self.codec_.dequantised and noise.get("draw") is not None
        cells = len(self.codec_.continuous_names) if noisy else 0
        encoded = self.codec_.encode(data, offsets(data, cells, **noise) if cells else None)
        if not self.capabilities.missing and not gaps:
            check_no_gaps(self.codec_, encoded, type(self).__name__)
        reach = self.capabilities.reach
        if fitted:
            _check_reach(encoded.x, self.codec_.continuous_names, reach)
        return encoded.within(reach, fitted=fitted)

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
        if isinstance(self.codec_, SequenceCodec | RecordingCodec):
            return in_container(self.codec_.decode(encoded), self.container_)
        columns = self.codec_.decode(encoded)
        if given is not None:
            held = Dataset.one_row(self.schema_, given).columns
            names = self.schema_.named(given)
            columns |= {name: np.repeat(held[name], len(encoded)) for name in names}
        return rebuild(columns, self.schema_, self.container_, index)

    def _returned(self, data: Dataset, encoded: Encoded) -> Any:
        """Encoded rows in place of rows given: in their container, under their labels."""
        if isinstance(self.codec_, ImageCodec):
            return in_layout(self.codec_.decode(encoded), data.layout)
        if isinstance(self.codec_, SequenceCodec | RecordingCodec):
            return in_container(self.codec_.decode(encoded), data.like)
        return data.replaced(self.codec_.decode(encoded))

    def _encoded_y(self, y: Any, n: int) -> NDArray[np.float64] | None:
        """(n, k) numbers for a `y` that was given; None where none was.

        Raises:
            InputError: if the fit is of X alone, so that y could only be ignored, or y is not one a
                row.
        """
        self._refuse_unused(y)
        if y is None or self.context_ is None:
            return None
        return self.context_.encode(y, n)

    def _refuse_unused(self, y: Any) -> None:
        """Raise InputError if a `y` is given to a fit of X alone."""
        if y is None or self.context_ is not None:
            return
        name = type(self).__name__
        if not self.capabilities.conditional:
            way = (
                f"; {name} models no p(X | y), as ppgen.NormalizingFlow().fit(X, y) and "
                "ppgen.VAE(conditional=True).fit(X, y) do."
            )
        else:
            setting = "conditional=True" if "conditional" in self.get_params() else ""
            way = f", or model p(X | y): {name}({setting}).fit(X, y)."
        raise InputError(
            f"y was given, and this fit is of X alone: y would be ignored. Leave y out{way}"
        )


def _check_reach(x: Floats, names: Sequence[str], reach: float) -> None:
    """Raise FitError if most values of a column are further out than arithmetic reaches."""
    reach = min(reach, float(np.finfo(x.dtype).max))
    far, known = (np.abs(x) > reach).sum(axis=0), (~np.isnan(x)).sum(axis=0)
    for name, beyond, among in zip(names, far.tolist(), known.tolist(), strict=True):
        if 2 * beyond > among:
            raise FitError(
                f"the variance of column {name!r} is beyond double precision; divide its values "
                "by a power of ten."
            )


def made_rows(model: Coded, rows: Any) -> Dataset:
    """Rows that a model made, as a `Dataset`."""
    schema = model.schema_
    if schema.image_shape is None:
        return as_dataset(sequences(rows) if schema.sequence else rows, schema)
    # Expected pixels lie between the levels that were fitted, which `as_dataset` would refuse.
    images = in_shape(np.asarray(rows, np.float64), schema.image_shape, schema.layout)
    return Dataset(schema, like="numpy:float64", images=images)
