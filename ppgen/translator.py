"""The contract of every family that brings rows of one domain to another: X to Y, and back.

`fit(X, y)` takes the rows of both. The second domain is read, encoded and written as the first is,
with a schema, a codec and a container of its own. A family writes `_translated` on encoded arrays.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import cache
from typing import Any, Self

from sklearn.utils.validation import check_is_fitted

from .arrays import Floats
from .capabilities import Capabilities
from .coded import Coded
from .data import Encoded, Schema
from .data.codecs import codec_from_json
from .data.rebuild import row_labels
from .data.units import unit_hashes
from .errors import InputError
from .estimator import Estimator
from .rows import Rows, Target


class Side(Coded):
    """The second domain of a translation.

    Args:
        who: the model that it is a domain of.
        capabilities: of the model.

    Attributes:
        data_fingerprint_: a hash of its rows as fitted.
    """

    data_fingerprint_: str

    def __init__(self, who: str, capabilities: Capabilities) -> None:
        self.who = who
        self.capabilities = capabilities  # type: ignore[misc]
        self.context_ = None

    def _called(self) -> str:
        return self.who

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return {
            "schema": self.schema_.to_json(),
            "codec": self.codec_.to_json(),
            "container": self.container_,
            "data": self.data_fingerprint_,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any], who: str, capabilities: Capabilities) -> Self:
        """What `to_json` wrote."""
        side = cls(who, capabilities)
        side.schema_ = Schema.from_json(body["schema"])
        side.codec_ = codec_from_json(body["codec"])
        side.container_, side.data_fingerprint_ = body["container"], body["data"]
        return side


class Translator(Estimator):
    """A model of two domains, `capabilities.translates`.

    Attributes:
        target_: the second domain: its schema, codec and container.
    """

    target_: Side

    # What a family writes

    @abstractmethod
    def _translated(self, rows: Encoded, *, back: bool) -> Encoded:
        """Encoded rows of the first domain as rows of the second; `back`, the other way."""

    # What users call

    def translate(self, X: Any) -> Any:
        """Rows of the first domain as rows of the second.

        Args:
            X: rows as those given to `fit` as X.

        Returns:
            As many rows, in the order given, in the container, layout and type of those given to
            `fit` as y.
        """
        check_is_fitted(self)
        made = self._translated(self._encode(self._dataset(X, reset=False)), back=False)
        return self.target_._decoded(made, index=row_labels(X, len(made)))

    def translate_back(self, y: Any) -> Any:
        """Rows of the second domain as rows of the first.

        Args:
            y: rows as those given to `fit` as y.

        Returns:
            As many rows, in the order given, in the container, layout and type of those given to
            `fit` as X.
        """
        check_is_fitted(self)
        side = self.target_
        made = self._translated(side._encode(side._dataset(y, reset=False)), back=True)
        return self._decoded(made, index=row_labels(y, len(made)))

    # The steps of a fit

    def _given(
        self, data: Encoded, y: Any, weights: Floats | None = None, *, held_out: bool = False
    ) -> Rows:
        who = type(self).__name__
        if weights is not None:
            raise InputError(f"sample_weight is given, and {who} weighs all rows alike. Leave it.")
        if y is None and held_out:
            raise InputError("validation has one domain only; give validation=(X, y).")
        if y is None:
            raise InputError(
                f"{who} requires y to be passed, but the target y is None: the rows of the domain "
                "to translate to. Call fit(X, y)."
            )
        if getattr(y, "ndim", None) == 1:
            raise InputError(
                f"y holds {len(y)} single values, as labels are; {who} expects the rows of the "
                "domain to translate to, such as images (n, height, width). Call fit(X, y) with "
                "the rows of both."
            )
        side = self.target_ if held_out else Side(who, self.capabilities)
        rows = side._dataset(y, reset=not held_out)
        if not held_out:
            self._check_enough(rows)
            side.schema_, side.container_ = rows.schema, rows.like
            side.codec_ = self._fit_codec(rows, None)
            side.data_fingerprint_ = rows.fingerprint()
            self.target_ = side
        if self.capabilities.paired and len(rows) != len(data):
            raise InputError(
                f"X has {len(data)} rows and y {len(rows)}; {who} learns from pairs, row i of X "
                "with row i of y. Give as many of both, in one order, or take ppgen.CycleGAN, "
                "which needs no pairs."
            )
        return Rows(data, target=Target(side._encode(rows), cache(lambda: unit_hashes(rows))))
