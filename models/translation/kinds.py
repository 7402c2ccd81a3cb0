"""Which kind of domain rows are of: images, or recordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...data import AnyCodec, ImageCodec, RecordingCodec
from ...data.spectrogram import Phase, Spectrogram
from ...errors import InputError
from .domains import Domain, Images, Standard
from .speech import Recordings


def domain_of(
    codec: AnyCodec, size: int = 0, *, bands: int = 40, frames: int = 32, phase: Phase = "gain"
) -> Domain:
    """The domain of rows with this codec, not fitted yet.

    Args:
        size: of images, see `Images`.
        bands, frames, phase: of recordings, see `Spectrogram` and `Recordings`.

    Raises:
        InputError: if it is not one that can be translated.
    """
    if isinstance(codec, ImageCodec):
        return Images(codec=codec, size=size)
    if isinstance(codec, RecordingCodec):
        transform = Spectrogram.at(codec.rate, bands=bands, frames=frames)
        return Recordings(codec=codec, transform=transform, phase=phase)
    raise InputError(
        "only images and recordings can be translated; give images, (n, height, width), or "
        "ppgen.sequences of recordings."
    )


def domain_from_json(body: Mapping[str, Any], codec: AnyCodec) -> Domain:
    """The domain of rows with this codec that `to_json` wrote."""
    standard = None if body["standard"] is None else Standard.from_json(body["standard"])
    if isinstance(codec, RecordingCodec):
        transform = Spectrogram.from_json(body["transform"])
        kept = {"transform": transform, "phase": body["phase"], "standard": standard}
        return Recordings(codec=codec, **kept)
    return replace(domain_of(codec, int(body.get("size", 0))), standard=standard)


def check_sides(first: Domain, second: Domain) -> None:
    """Raise InputError unless two domains are of one kind, and their pictures have one height and
    width."""
    if first.kind != second.kind:
        raise InputError(
            f"X holds {first.kind}, y {second.kind}; expected two domains of one kind."
        )
    (_, *a), (_, *b) = first.shape, second.shape
    if a != b:
        raise InputError(
            f"X holds images of {a[0]} x {a[1]} pixels, y of {b[0]} x {b[1]}; a translation keeps "
            f"height and width. Resize one, or set size={min(*a, *b)}, to which both are brought "
            "and from which they come back."
        )
