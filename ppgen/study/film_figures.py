"""Figures of how rows become noise and noise becomes rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Dataset
from ..plotting.films import film_strip, quality_curves
from ..plotting.images import shown_limits
from ..plotting.samples import dependent_pairs, pair_panel
from .drawn import Drawn, Gallery, Part

if TYPE_CHECKING:
    from ..models.diffusion.films import Film

_IMAGES, _ROWS = 4, 800  # rows that are shown
_TRIED = {"images": (24, (5, 10, 20)), "rows": (300, (5, 10, 20, 40))}
_FRAMES = (0.0, 0.2, 0.5, 0.8, 1.0)  # shares of noise that scatter plots are drawn at


def films(
    model: Any, gallery: Gallery, drawn: Dataset, real: Dataset | None, prefix: str = ""
) -> Iterator[Part]:
    """The parts of a model that `denoises`; of sequences and single columns the last alone.

    Args:
        drawn: samples of the model.
        real: rows that stand for its data; None takes the samples.
    """
    rows = drawn if real is None else real
    images = model.schema_.image_shape is not None
    pair = None if images else next(iter(dependent_pairs(rows)), None)
    some = rows.thinned(_IMAGES if images else _ROWS, np.random.default_rng(0))
    see: _Images | _Pair
    if images:
        see = _Images(gallery, prefix, some)
        forward, reverse = model.forward_film(some), model.reverse_film(_IMAGES)
    elif pair:
        see = _Pair(gallery, prefix, some, pair)
        forward = model.forward_film(some, shares=_FRAMES)
        reverse = model.reverse_film(len(some), frames=len(_FRAMES))
    if images or pair:
        yield Part(
            "From rows to noise",
            see(forward.noisy, "forward", _percents(forward), "noise"),
            "The same rows with more and more noise, as the net was trained on them.",
        )
        yield Part(
            "Denoising at each level",
            see(forward.denoised, "denoised", _percents(forward), "noise"),
            "What the net expects these rows to be, given no more than the noisy ones: from a "
            "little noise each row itself, from noise alone the mean of all.",
        )
        evaluations = [str(count) for count in reverse.evaluations]
        yield Part(
            "From noise to rows",
            see(reverse.noisy, "reverse", evaluations, "evaluations"),
            "Samples as they come out of noise.",
        )
        yield Part(
            "What is expected on the way",
            see(reverse.denoised, "expected", evaluations, "evaluations"),
            "What the net expects these samples to become, at each step.",
        )
        by_steps = model.by_steps(_IMAGES if images else len(some))
        steps = [str(count) for count in by_steps]
        yield Part(
            "Samples by the number of steps",
            see(list(by_steps.values()), "steps", steps, "steps"),
            "Samples from the same noise.",
        )
    yield _quality(model, gallery, real, prefix)


class _Images:
    """Images as they go from frame to frame, a row each."""

    def __init__(self, gallery: Gallery, prefix: str, rows: Dataset) -> None:
        self.gallery, self.prefix, pixels = gallery, prefix, rows.schema.pixels
        self.limits = None
        if pixels is not None and rows.images is not None:
            self.limits = shown_limits(rows.images, pixels.low, pixels.high)

    def __call__(
        self, frames: Sequence[Dataset], name: str, ticks: Sequence[str], what: str
    ) -> list[Drawn]:
        made = film_strip(frames, ticks, limits=self.limits, below=what)
        return [self.gallery.keep(f"{self.prefix}{name}", made, f"{name}, by {what}")]


class _Pair:
    """Two columns of rows, a panel a frame."""

    def __init__(self, gallery: Gallery, prefix: str, rows: Dataset, pair: tuple[str, str]) -> None:
        self.gallery, self.prefix, self.rows, self.pair = gallery, prefix, rows, pair

    def __call__(
        self, frames: Sequence[Dataset], name: str, ticks: Sequence[str], what: str
    ) -> list[Drawn]:
        drawn = []
        for i, (frame, tick) in enumerate(zip(frames, ticks, strict=True)):
            title = f"{tick} {what}"
            made = pair_panel(self.rows, frame, self.pair, title=title)
            drawn.append(self.gallery.keep(f"{self.prefix}{name}-{i}", made, f"{name}: {title}"))
        return drawn


def _percents(film: Film) -> list[str]:
    return [f"{share:.0%}" for share in film.shares]


def _quality(model: Any, gallery: Gallery, real: Dataset | None, prefix: str) -> Part:
    """Quality against evaluations."""
    images = model.schema_.image_shape is not None
    n, steps = _TRIED["images" if images else "rows"]
    some = None if images or real is None else real.thinned(_ROWS, np.random.default_rng(0))
    found = model.sampling_quality(n, some, steps=steps)
    figures = [gallery.keep(f"{prefix}quality", quality_curves(found), "What steps leave over")]
    note = (
        f"Of {n} rows, how far those of each sampler are from those of many more steps from the "
        "same noise, as a share of how far rows are apart. What would do by dpm2m: "
        f"{model.find_steps(n, method='dpm2m').reason}."
    )
    if some is not None:
        made = quality_curves(found, distance=True)
        figures.append(gallery.keep(f"{prefix}distance", made, "Energy distance"))
        note += " The energy distance is that to the real rows given: about 0 for rows like them."
    return Part("Quality by evaluations", figures, note)
