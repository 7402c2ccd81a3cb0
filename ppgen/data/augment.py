"""Random changes of batches of images that leave what they show the same.

Each image of a batch is changed by draws of its own, from a generator that is given: the same state
of it makes the same changes. Sizes of changes are drawn uniformly up to the size stated.

Reference: Shorten and Khoshgoftaar, "A survey on image data augmentation for deep learning" (2019),
https://doi.org/10.1186/s40537-019-0197-0
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Generator, Tensor

from ..errors import InputError


@dataclass(frozen=True)
class Augment:
    """Changes of images, in the order of the attributes; those at 0 and False are not made.

    Attributes:
        flip: whether half of the images are mirrored, left to right.
        shift: pixels by which images move at most, up or down and left or right; `low` comes in.
        rotate: degrees by which they turn at most, either way, about their middle.
        contrast: c scales the distance to the image's mean by a factor from 1 - c to 1 + c.
        brightness: b adds a number from -b to b, in units of high - low.
        noise: standard deviation of noise that each value gets, in units of high - low.
        low: the smallest value that pixels can have, that of the background.
        high: the largest one; None is 255 for whole numbers, and 1 for others.
    """

    shift: int = 0
    flip: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    rotate: float = 0.0
    noise: float = 0.0
    low: float = 0.0
    high: float | None = None

    def __post_init__(self) -> None:
        sizes = (self.shift, self.brightness, self.contrast, self.rotate, self.noise)
        if min(sizes) < 0 or not all(map(math.isfinite, sizes)) or self.contrast > 1:
            raise InputError(
                f"{self} asks for a negative or endless change; expected sizes from 0 up, and a "
                "contrast of at most 1."
            )

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """Change images (n, c, h, w); the type stays, whole numbers stay whole. InputError if they
        are of another shape, or values lie outside `low` and `high`."""
        _check(images)
        whole = not images.is_floating_point()
        high = (255.0 if whole else 1.0) if self.high is None else self.high
        if images.numel():
            least, most = (float(v) for v in images.aminmax())
            if least < self.low or most > high:
                raise InputError(
                    f"the images hold values from {least:g} to {most:g}; expected them between "
                    f"{self.low:g} and {high:g}. Say what they lie between: Augment(low=, high=)."
                )
        out = flip(images, generator) if self.flip else images
        if self.shift:
            out = shift(out, self.shift, generator, fill=self.low)
        span = high - self.low
        changes: tuple[tuple[Callable[..., Tensor], float], ...] = (
            (partial(rotate, fill=self.low), self.rotate),
            (contrast, self.contrast),
            (brightness, self.brightness * span),
            (noise, self.noise * span),
        )
        if not any(amount for _, amount in changes):
            return out
        out = out.to(torch.float32) if whole else out
        for change, amount in changes:
            if amount:
                out = change(out, amount, generator)
        out = out.clamp(self.low, high)
        return out.round().to(images.dtype) if whole else out


def flip(images: Tensor, generator: Generator) -> Tensor:
    """Mirror each image (n, c, h, w), left to right, with probability 1/2."""
    mirrored = _uniform(images, generator) < 0.5
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


def shift(images: Tensor, pixels: int, generator: Generator, fill: float = 0.0) -> Tensor:
    """Move each image (n, c, h, w) by -pixels ... pixels rows and columns; `fill` comes in."""
    _check(images)
    edges = (pixels, pixels, pixels, pixels)
    padded = torch.nn.functional.pad(images, edges, value=fill)
    return crop(padded, (images.shape[2], images.shape[3]), generator)


def crop(images: Tensor, size: tuple[int, int], generator: Generator) -> Tensor:
    """Cut a part of `size` (height, width) out of each image (n, c, h, w), at a random place;
    InputError if the images are smaller."""
    _check(images)
    n, channels, height, width = images.shape
    h, w = size
    if not (0 < h <= height and 0 < w <= width):
        raise InputError(
            f"parts of {h} x {w} pixels asked for; expected at most {height} x {width}, the size "
            "of the images."
        )
    top = _whole(n, height - h + 1, generator, images.device)
    left = _whole(n, width - w + 1, generator, images.device)
    rows = top[:, None] + torch.arange(h, device=images.device)
    columns = left[:, None] + torch.arange(w, device=images.device)
    out = images.gather(2, rows[:, None, :, None].expand(n, channels, h, width))
    return out.gather(3, columns[:, None, None, :].expand(n, channels, h, w))


def cut_out(
    images: Tensor, size: tuple[int, int], generator: Generator, fill: float = 0.0
) -> Tensor:
    """Fill a rectangle of `size` (height, width) in each image (n, c, h, w), its middle at a random
    pixel; what of it lies outside the image is not there."""
    _check(images)
    n, _, *sides = images.shape
    within = []
    for side, part in zip(sides, size, strict=True):
        first = _whole(n, side, generator, images.device) - part // 2
        at = torch.arange(side, device=images.device) - first[:, None]
        within.append((at >= 0) & (at < part))
    rows, columns = within
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], fill)


def rotate(images: Tensor, degrees: float, generator: Generator, fill: float = 0.0) -> Tensor:
    """Turn each image (n, c, h, w) of floats about its middle by at most `degrees`, either way.

    Values between pixels are interpolated linearly; `fill` is what lies outside.
    """
    _, _, height, width = images.shape
    angle = (2 * _uniform(images, generator) - 1) * math.radians(degrees)
    cos, sin, none = angle.cos(), angle.sin(), torch.zeros_like(angle)
    # Where each pixel comes from, in coordinates that run from -1 to 1 over height and width alike.
    top = torch.stack([cos, -sin * height / width, none], dim=1)
    bottom = torch.stack([sin * width / height, cos, none], dim=1)
    turns = torch.stack([top, bottom], dim=1).to(images.dtype)
    places = torch.nn.functional.affine_grid(turns, list(images.shape), align_corners=False)
    # Outside is 0 there.
    turned = torch.nn.functional.grid_sample(images - fill, places, align_corners=False)
    return turned + fill


def contrast(images: Tensor, amount: float, generator: Generator) -> Tensor:
    """Scale the distance of each value of images (n, c, h, w) of floats to its image's mean.

    The factor is one from 1 - amount to 1 + amount for each image.
    """
    factor = 1 + amount * _signed(images, generator)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + factor * (images - mean)


def brightness(images: Tensor, amount: float, generator: Generator) -> Tensor:
    """Add a number from -amount to amount to each image (n, c, h, w) of floats."""
    return images + amount * _signed(images, generator)


def noise(images: Tensor, deviation: float, generator: Generator) -> Tensor:
    """Add Gaussian noise to each value of images (n, c, h, w) of floats."""
    shape, where = images.shape, generator.device
    drawn = torch.randn(shape, dtype=images.dtype, generator=generator, device=where)
    return images + deviation * drawn.to(images.device)


def _check(images: Tensor) -> None:
    if images.ndim != 4:
        raise InputError(
            f"images of shape {tuple(images.shape)} given; expected (n, channels, height, width)."
        )


def _uniform(images: Tensor, generator: Generator) -> Tensor:
    """(n,) numbers from 0 to 1."""
    n, where = len(images), generator.device
    drawn = torch.rand(n, dtype=torch.float32, generator=generator, device=where)
    return drawn.to(images.device)


def _signed(images: Tensor, generator: Generator) -> Tensor:
    """(n, 1, 1, 1) numbers from -1 to 1, in the type of the images."""
    return (2 * _uniform(images, generator) - 1).to(images.dtype)[:, None, None, None]


def _whole(n: int, below: int, generator: Generator, device: torch.device) -> Tensor:
    """(n,) whole numbers from 0 to below - 1."""
    drawn = torch.randint(below, (n,), generator=generator, device=generator.device)
    return drawn.to(device)
