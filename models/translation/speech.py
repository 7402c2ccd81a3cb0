"""Recordings as a domain of a translation: their log-mel pictures, with bands as channels.

A picture (bands, 1, frames) is what `ppgen.data.spectrogram` makes of a recording, so that nets run
over time and each band is standardised by itself. A translated picture becomes a recording beside
the one that it was made of, whose length and channels it keeps.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from ...arrays import Array, Floats
from ...data import Encoded, RecordingCodec
from ...data.recording_codec import like_encoded, waveforms
from ...data.spectrogram import Phase, Spectrogram
from .domains import Domain, Shape

_LONG = 0.1  # seconds of a frame, from which a picture says little of what was spoken


@dataclass(frozen=True, kw_only=True)
class Recordings(Domain):
    """A domain of recordings.

    Attributes:
        codec: of the recordings.
        transform: that makes pictures of them.
        phase: how a translated picture becomes a recording.
    """

    kind: ClassVar[str] = "recordings"
    codec: RecordingCodec = field(repr=False)
    transform: Spectrogram
    phase: Phase = "gain"

    @property
    def shape(self) -> Shape:
        return (self.transform.bands, 1, self.transform.frames)

    def pictures(self, rows: Encoded) -> Array:
        frames, rate = self.transform.frames, self.transform.rate
        seconds = rows.codes[:, 0].max() / rate
        if seconds > _LONG * frames:
            warnings.warn(
                f"a recording of {seconds:.1f} s is brought to {frames} frames of "
                f"{seconds / frames:.2f} s each, in which syllables are lost. Cut recordings into "
                "words, or raise frames.",
                UserWarning,
                stacklevel=2,
            )
        made = [self.transform.picture(v) for v in waveforms(rows)]
        return np.stack(made).astype(np.float32)[:, :, None]

    def rows(self, pictures: Floats, like: Encoded) -> Encoded:
        pairs = zip(pictures[:, :, 0], waveforms(like), strict=True)
        made = [self.transform.recording(picture, v, self.phase) for picture, v in pairs]
        return like_encoded(made, like)

    def _ends(self) -> None:
        """None: a picture of silence is the least, and nothing comes near the greatest."""

    def shown(self, pictures: Tensor) -> Floats:
        """Low bands at the bottom; from the least of all values to the greatest."""
        values = self.statistics.leave(pictures.double()).cpu().numpy()[:, ::-1, 0][:, None]
        low, high = values.min(), values.max()
        return np.asarray((values - low) / max(high - low, 1e-12))

    def to_json(self) -> dict[str, Any]:
        return super().to_json() | {"transform": self.transform.to_json(), "phase": self.phase}
