"""What models with codes answer: decode, and with a code for each row encode, reconstruct, embed.

With f the encoder and g the decoder, z = f(x) is a row's code and g(z) the row expected of it. As a
scikit-learn transformer, `transform` gives the codes and `inverse_transform` decodes them.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, cast

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import check_is_fitted

from ..arrays import Floats
from ..data import Dataset, Encoded, ImageCodec
from ..data.rebuild import row_labels
from ..data.stacking import Layout, in_layout
from ..errors import InputError
from ..estimator import Estimator
from ..rows import Rows


class Decoder(Estimator):
    """A model that makes rows of codes (n, k).

    Attributes:
        latent_dim_: k.
    """

    latent_dim_: int

    @abstractmethod
    def _rows(self, z: Floats, context: Floats | None) -> Encoded:
        """The encoded rows expected of codes (n, k); of images, in the units of the data."""

    def decode(self, Z: Any, y: Any = None) -> Any:
        """The rows expected of codes.

        Args:
            Z: (n, k) codes.
            y: for a conditional fit, one for all codes or one each.

        Returns:
            For a table, rows in the container that was fitted, under the row labels of a frame of
            codes; for images, floats in the layout that was fitted and in the units of the data,
            not rounded.
        """
        check_is_fitted(self)
        z = self._checked(Z)
        context = self._context(y, len(z), one_for_all=True)
        return self._shown(Z, self._rows(z, context))

    def _shown(self, Z: Any, rows: Encoded) -> Any:
        """Encoded rows as `decode` gives those of codes Z."""
        if isinstance(self.codec_, ImageCodec):
            return self._pictures(rows, self.schema_.layout)
        return self._decoded(rows, index=row_labels(Z, len(rows)))

    def _pictures(self, rows: Encoded, layout: Layout) -> Floats:
        assert isinstance(self.codec_, ImageCodec)
        images = np.asarray(rows.x, dtype=np.float64).reshape(-1, *self.codec_.shape)
        return in_layout(images, layout)

    def _context(self, y: Any, n: int, *, one_for_all: bool = False) -> Floats | None:
        self._refuse_unused(y)
        if self.context_ is None:
            return None
        if y is None:
            raise InputError(
                f"{type(self).__name__} was fitted with y, and codes depend on it; give y, one a "
                "row."
            )
        rows = self.context_.encode(y)
        if one_for_all and len(rows) == 1:
            return np.repeat(rows, n, axis=0)
        if len(rows) != n:
            raise InputError(f"y has {len(rows)} rows, X has {n}; give one y a row.")
        return rows

    def _checked(self, Z: Any) -> Floats:
        try:
            z = np.asarray(Z, dtype=np.float64)
        except (ValueError, TypeError):
            raise InputError(
                f"the codes are no array of numbers; expected (n, {self.latent_dim_}), as `encode` "
                "gives them."
            ) from None
        if z.ndim != 2 or z.shape[1] != self.latent_dim_:
            raise InputError(
                f"codes of shape {z.shape} given; expected (n, {self.latent_dim_}), as `encode` "
                "gives them."
            )
        if not len(z):
            raise InputError(f"no codes given (shape {z.shape}); give at least one.")
        if not np.isfinite(z).all():
            raise InputError("the codes hold NaN or infinite values; give finite ones.")
        return z


class LatentEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Decoder):  # type: ignore[misc]
    """A model that gives rows codes, and codes rows."""

    @abstractmethod
    def _codes(self, rows: Rows) -> Floats:
        """(n, k) codes of encoded rows."""

    def encode(self, X: Any, y: Any = None) -> Floats:
        """(n, k) codes of rows: the mean of q(z | x), or an autoencoder's bottleneck.

        Args:
            X: rows as in `fit`.
            y: for a conditional fit, what to condition on, one a row.
        """
        return self._codes(self._seen(X, y)[1])

    def reconstruct(self, X: Any, y: Any = None) -> Any:
        """Rows encoded and decoded again, as `decode` gives them: in the container and layout, and
        under the labels, of the rows given."""
        data, seen = self._seen(X, y)
        rows = self._rows(self._codes(seen), seen.context)
        if isinstance(self.codec_, ImageCodec):
            return self._pictures(rows, data.layout)
        return self._returned(data, rows)

    def transform(self, X: Any) -> Floats:
        """(n, k) codes, as scikit-learn's transformers give them: with `set_output`, a frame under
        the labels of the rows."""
        codes, asked = self.encode(X), _get_output_config("transform", self)["dense"]
        if asked != "pandas" or not isinstance(X, Dataset) or X.index is None:
            return codes
        # scikit-learn finds the labels of frames only, and adds the names of the codes.
        import pandas as pd

        return cast(Floats, pd.DataFrame(codes, X.index))

    def inverse_transform(self, Z: Any) -> Any:
        """`decode`, under scikit-learn's name."""
        return self.decode(Z)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # codes are always float64
        return cast(Tags, tags)

    @property
    def _n_features_out(self) -> int:
        return self.latent_dim_

    def _seen(self, X: Any, y: Any) -> tuple[Dataset, Rows]:
        check_is_fitted(self)
        data = self._dataset(X, reset=False)
        return data, Rows(self._middle(data), context=self._context(y, len(data)))

    def _middle(self, data: Dataset) -> Encoded:
        """Rows encoded, those that are rounded at the middle of their cells."""
        return self._encode(data, draw=None)
