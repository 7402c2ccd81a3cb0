"""Which codec rows have: that of a table, of images, of sequences or of recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .codec import Codec
from .dataset import Dataset
from .image_codec import ImageCodec
from .recording_codec import RecordingCodec
from .sequence_codec import SequenceCodec

AnyCodec: TypeAlias = Codec | ImageCodec | SequenceCodec | RecordingCodec


def fit_codec(
    data: Dataset, weights: NDArray[np.float64] | None = None, **of_tables: Any
) -> AnyCodec:
    """The codec of rows; `of_tables` are the options that `Codec.fit` has besides."""
    if data.images is not None:
        return ImageCodec(data.schema)
    if data.schema.sequence:
        return SequenceCodec.fit(data, weights)
    return Codec.fit(data, weights=weights, **of_tables)


def codec_from_json(body: Mapping[str, Any]) -> AnyCodec:
    """The codec that its `to_json` wrote."""
    if "images" in body:
        return ImageCodec.from_json(body)
    if "recordings" in body:
        return RecordingCodec.from_json(body)
    return SequenceCodec.from_json(body) if "sequences" in body else Codec.from_json(body)
