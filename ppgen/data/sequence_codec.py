"""Sequences of one length into what a model works in, and back.

A sequence v of T steps with C channels becomes one row of C T numbers, a channel after the other,

    z_ct = (v_tc - m_c) / s_c,

with m_c and s_c the mean and the standard deviation of channel c over all steps of the rows fitted,
so that log p(v) = log p(z) - T sum_c log s_c. A channel that is constant is 0 in z and stays so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .contents import Contents
from .encoded import Encoded
from .real_steps import RealSteps

_SAME_LENGTH = "Cut or pad them to one length, or resample them"


@dataclass(frozen=True)
class SequenceCodec(RealSteps):
    """The map of sequences to `Encoded` and back; made by `fit`.

    Attributes:
        shape: (C, T).
        axis: whether rows have an axis of channels, (T, C), or are (T,).
        centre, scale: of each channel; a scale of 0 is that of a constant one.
        dtype: of what `decode` gives.
        rate: steps per second of the sequences fitted, None where they had none.
    """

    of: ClassVar[str] = "sequences"

    shape: tuple[int, int]
    axis: bool
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    dtype: str = "float64"
    rate: int | None = None

    @classmethod
    def fit(cls, data: Contents, weights: NDArray[np.float64] | None = None) -> SequenceCodec:
        """The codec of these sequences; rows of weight 0 do not count.

        Raises:
            InputError: if they differ in length, channels or rate.
        """
        first = data.sequences[0]
        channels = first.shape[1] if first.ndim == 2 else 1
        if len(set(data.rates)) > 1:
            raise InputError(
                f"sequences of {', '.join(map(str, sorted(set(data.rates))))} steps per second "
                "given; expected one rate. Resample them to one."
            )
        single = data.like.endswith(":float32")
        codec = cls(
            (channels, len(first)),
            first.ndim == 2,
            (0.0,) * channels,
            (1.0,) * channels,
            "float32" if single else "float64",
            data.rates[0] if data.rates else None,
        )
        stacked = codec._stacked(data, "the first of them")
        share = None if weights is None else np.repeat(weights, len(first))
        per_channel = np.moveaxis(stacked, 1, 0).reshape(channels, -1)
        centre = np.average(per_channel, axis=1, weights=share)
        spread = np.average((per_channel - centre[:, None]) ** 2, axis=1, weights=share)
        constant = per_channel.min(axis=1) == per_channel.max(axis=1)
        centre = np.where(constant, per_channel[:, 0], centre)
        scale = np.where(constant, 0.0, np.sqrt(spread))
        return cls(
            codec.shape,
            codec.axis,
            tuple(centre.tolist()),
            tuple(scale.tolist()),
            codec.dtype,
            codec.rate,
        )

    @property
    def dimension(self) -> int:
        """C T."""
        return math.prod(self.shape)

    def encode(self, data: Contents) -> Encoded:
        """Sequences as (n, C T) standardised numbers.

        Raises:
            InputError: if one has another length, other channels or another rate than the fit's.
        """
        other = sorted(set(data.rates) - {self.rate}) if self.rate is not None else []
        if other:
            raise InputError(
                f"sequences of {other[0]} steps per second given; the fit is of {self.rate}. "
                "Resample them."
            )
        _, safe, log_scale = self._scales()
        x = (self._stacked(data, "those of the fit") - np.array(self.centre)[:, None]) / safe
        n = len(x)
        log_det = np.full(n, -self.shape[1] * log_scale)
        return Encoded(x.reshape(n, -1), np.empty((n, 0), np.int32), log_det)

    def decode(self, encoded: Encoded) -> NDArray[Any]:
        """(n, T) sequences, or (n, T, C) if those fitted had an axis of channels."""
        scale, _, _ = self._scales()
        z = np.asarray(encoded.x, dtype=np.float64).reshape(-1, *self.shape)
        v = np.moveaxis(np.array(self.centre)[:, None] + scale * z, 1, 2)
        return (v if self.axis else v[:, :, 0]).astype(self.dtype)

    def _scales(self) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """(C, 1) scales; the same without zeros; and the sum of the logarithms of these."""
        scale = np.array(self.scale)[:, None]
        safe = np.where(scale > 0, scale, 1.0)
        return scale, safe, float(np.log(safe).sum())

    def _stacked(self, data: Contents, like: str) -> NDArray[np.float64]:
        """(n, C, T) values; InputError naming the first sequence of another shape."""
        channels, steps = self.shape
        shape = (steps, channels) if self.axis else (steps,)
        for i, row in enumerate(data.sequences):
            if row.shape != shape:
                raise InputError(
                    f"sequence {i} has {_size(row.shape)}, {like} {_size(shape)}; expected "
                    f"sequences of one length with as many channels. {_SAME_LENGTH}."
                )
        stacked = np.stack(data.sequences).reshape(-1, steps, channels)
        return np.moveaxis(stacked, 2, 1)


def _size(shape: tuple[int, ...]) -> str:
    channels = f" of {shape[1]} channels" if len(shape) == 2 else ""
    return f"{shape[0]} steps{channels}"
