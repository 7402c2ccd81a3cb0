"""How far a row is from what a decoder makes of its code.

With y the features of a row of D values (see `values`) and r what the decoder gives, the error is
the mean over the D values of

    squared             (y - r)^2,                          summed over the indicators of a level,
    cross-entropy       -y log s(r) - (1 - y) log(1 - s(r)),    s the logistic function,
                        -log softmax(r)_k                   where k is the level.

A level that the fit never saw counts as the least likely one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Array
from ...data import Codec, ImageCodec
from ...errors import InputError
from .values import Values

if TYPE_CHECKING:
    from torch import Tensor

_SOME = 4096  # rows that give the centre and spread of real images


@dataclass(frozen=True)
class Reconstruction:
    """How rows are compared.

    Attributes:
        values: of a row.
        loss: "squared" or "cross_entropy", of the numbers, and
        levels_loss: of the levels.
    """

    values: Values
    loss: str = "squared"
    levels_loss: str = "cross_entropy"

    def features(self, x: Tensor) -> Tensor:
        """(n, F) features of stored rows (n, D)."""
        from .features import features

        return features(self.values, self.values.enter(x))

    def expected(self, raw: Tensor) -> Tensor:
        """(n, F) values and probabilities of decoder outputs."""
        import torch

        numbers = raw[:, : self.values.numbers]
        parts = [torch.sigmoid(numbers) if self.loss == "cross_entropy" else numbers]
        for at in self.values.indicators:
            r = raw[:, at]
            parts.append(torch.softmax(r, 1) if self.levels_loss == "cross_entropy" else r)
        return torch.cat(parts, 1)

    def errors(self, raw: Tensor, y: Tensor) -> Tensor:
        """(n,) errors of decoder outputs (n, F) for features (n, F)."""
        import torch.nn.functional as F

        r, t = raw[:, : self.values.numbers], y[:, : self.values.numbers]
        if self.loss == "cross_entropy":
            total = F.binary_cross_entropy_with_logits(r, t, reduction="none").sum(1)
        else:
            total = (t - r).square().sum(1)
        for at in self.values.indicators:
            r, t = raw[:, at], y[:, at]
            if self.levels_loss == "squared":
                total = total + (t - r).square().sum(1)
                continue
            log_p = F.log_softmax(r, 1)
            seen = t.sum(1) > 0
            total = total - (t * log_p).sum(1).where(seen, log_p.amin(1))
        return total / self.values.size

    def start(self, y: Tensor) -> Tensor:
        """(F,) decoder outputs that are best for all features y alike: where a fit begins."""
        import torch

        numbers, mean = self.values.numbers, y.mean(0)
        out = mean.clone()
        if self.loss == "cross_entropy":
            out[:numbers] = torch.logit(mean[:numbers].clamp(1e-3, 1 - 1e-3))
        if self.levels_loss == "cross_entropy":
            out[numbers:] = torch.log(mean[numbers:].clamp(min=1e-3))
        return out

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return {**self.values.to_json(), "loss": self.loss, "levels_loss": self.levels_loss}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Reconstruction:
        """What `to_json` wrote."""
        losses = {name: body[name] for name in ("loss", "levels_loss")}
        values = {name: value for name, value in body.items() if name not in losses}
        return cls(Values.from_json(values), **losses)


def reconstruction(
    codec: Codec | ImageCodec, loss: str, x: Array, rows: NDArray[np.int64]
) -> Reconstruction:
    """How rows are compared: standardised columns by squares and levels by the cross-entropy; of
    images, levels over the greatest there is, and real values as they are where they lie in [0, 1],
    otherwise centred and scaled.

    Args:
        loss: "auto", "squared" or "cross_entropy".
        x: (n, d) encoded values.
        rows: numbers of those to fit to; all are looked at for the greatest level, and some for the
            centre and spread of real images.

    Raises:
        InputError: if the loss does not suit the values, or there is none to model.
    """
    if isinstance(codec, ImageCodec):
        return _images(codec, loss, x, rows)
    if not codec.continuous_names and not codec.discrete_names:
        raise InputError(
            "every column is constant or empty: there is nothing to encode. Give columns that vary."
        )
    if loss == "cross_entropy" and codec.continuous_names:
        raise InputError(
            f"the cross-entropy compares levels; column {codec.continuous_names[0]!r} is "
            'continuous. Leave loss out: each column gets its own, or take loss="squared".'
        )
    apart = "cross_entropy" if loss == "auto" else loss
    return Reconstruction(Values.of(codec), levels_loss=apart)


def _images(codec: ImageCodec, loss: str, x: Array, rows: NDArray[np.int64]) -> Reconstruction:
    pixels = codec.pixels
    between = pixels.kind != "real" or (pixels.whole and pixels.low >= 0 and pixels.high <= 1)
    if loss == "cross_entropy" and not between:
        raise InputError(
            f"the cross-entropy compares values between 0 and 1; the images have {pixels}. Scale "
            '(X - X.min()) / (X.max() - X.min()), or take loss="squared".'
        )
    if loss == "auto":
        loss = "cross_entropy" if pixels.kind == "binary" else "squared"
    shift, scale = 0.0, 1.0
    if pixels.kind == "levels":
        scale = float(max(x[at].max() for at in np.array_split(rows, -(-len(rows) // _SOME))))
    elif not between:
        some = np.asarray(x[rows[:: max(1, len(rows) // _SOME)]], dtype=np.float64)
        shift, scale = float(some.mean()), float(some.std()) or 1.0
    return Reconstruction(replace(Values.of(codec), shift=shift, scale=scale), loss, loss)
