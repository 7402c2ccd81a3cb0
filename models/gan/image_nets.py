"""Generator and discriminator of images of any size, or of sequences of any length: strided
convolutions, nothing normalised.

With c_1 ... c_L the entries of `channels`, the discriminator halves height and width L times, by
convolutions of 4 x 4 with stride 2 to c_1 ... c_L maps (of 4, where sequences have a length only),
and reads the last of them with one hidden layer, h. The generator mirrors it: a linear map of
(z, c), then transposed convolutions. Where a size s is odd, 2 floor(s / 2) + 1, the transposed
convolution is told so (its output padding). What an image is conditioned on, c, is beside z in the
generator; in the discriminator it is projected,

    D(x, c) = (v + U c)' h(x) + b.

Packed, m images are the channels of one, their contexts one context, and they have one score.

Weights start normal, with a variance of 2 / (1 + 0.2^2) over the number of inputs that meet in an
output, so that signals neither grow nor fade from layer to layer (leaky rectifiers of slope 0.2);
those of the last layers with half that deviation. A context counts as one input of mean square 1
(indicators of a level are that) and has as much to say in the first layer as all of z: conditioning
is then learnt from the first step on.

Forward, an image of 28 x 28 with channels (32, 64) costs 3.7 million floating-point operations in
the generator and 4.2 million in the discriminator.

References: Radford, Metz and Chintala, "Unsupervised representation learning with deep
convolutional generative adversarial networks", 2016, https://arxiv.org/abs/1511.06434; Miyato and
Koyama, "cGANs with projection discriminator", 2018, https://arxiv.org/abs/1802.05637; Lin, Khetan,
Fanti and Oh, "PacGAN", 2018, https://arxiv.org/abs/1712.04086; He, Zhang, Ren and Sun, "Delving
deep into rectifiers" (the start), 2015, https://arxiv.org/abs/1502.01852.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ...errors import InputError

Shape = tuple[int, ...]
Layer = TypeVar("Layer", bound=nn.Module)

_HALVE: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d}
_DOUBLE: dict[int, Any] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}
_SLOPE = 0.2
_LEAST = 2  # pixels a side of the smallest map
_WIDTH, _LARGE = 32, 40 * 40  # channels of the first halving, up to so many pixels or steps
_MOST = 128  # channels of sequences


def halved(sides: Sequence[int], times: int) -> list[tuple[int, ...]]:
    """The sides from the image down, rounded down."""
    return [tuple(side >> i for side in sides) for i in range(times + 1)]


def channels_for(shape: Shape, halvings: int = 1) -> tuple[int, ...]:
    """Channels of each halving: down to less than 8 a side, as convolutions alone make the depth
    here; from `_WIDTH` on, half of it for large images or long sequences, each time twice as many.
    Of sequences, whose maps only halve each time, at most `_MOST`.

    Args:
        halvings: how many there are at least.
    """
    side = min(shape[1:])
    width = _WIDTH if math.prod(shape[1:]) <= _LARGE else _WIDTH // 2
    channels = [width * 2**i for i in range(max(halvings, int(math.log2(side / 4))))]
    return tuple(channels if len(shape) == 3 else [min(c, _MOST) for c in channels])


def check_halvings(shape: Shape, channels: Sequence[int]) -> None:
    """Raise InputError if images (C, H, W), or sequences (C, T), cannot be halved once for each
    entry of `channels`."""
    times, side = len(channels), min(shape[1:])
    if side >> times >= _LEAST:
        return
    most = max(0, int(math.log2(max(side, 1) / _LEAST)))
    way_out = f"channels of at most {most} entries" if most else 'net="mlp"'
    what, given, unit = "images", f"{shape[-2]} x {shape[-1]} pixels", "pixels or more on each side"
    if len(shape) == 2:
        what, given, unit = "sequences", f"{side} steps", "steps or more"
    raise InputError(
        f"channels are {tuple(channels)}, so {what} are halved {times} times, and {given} cannot "
        f"be: that takes {_LEAST << times} {unit}. Take {way_out}, or larger "
        f"{what}."
    )


class ImageGenerator(nn.Module):
    """Noise (n, k) and context (n, c) -> features of images (n, C H W), or sequences (n, C T).

    Args:
        latent, context: k, and c, 0 for none.
        shape: (C, H, W), or (C, T).
        channels: of the image each time that it is halved.
        bounded: whether features lie between -1 and 1, by tanh.

    Attributes:
        layers: each doubles the sides of its maps.
        pixels: doubles them once more, and makes the image.
    """

    def __init__(
        self, latent: int, context: int, shape: Shape, channels: Sequence[int], *, bounded: bool
    ) -> None:
        super().__init__()
        check_halvings(shape, channels)
        self.shape, self.channels, self.bounded = shape, tuple(channels), bounded
        self.sizes = halved(shape[1:], len(channels))
        self.smallest = (channels[-1], *self.sizes[-1])
        first = _started(nn.Linear(latent + context, math.prod(self.smallest)), latent)
        if context:
            with torch.no_grad():  # half of the variance is of the noise, half of the context
                first.weight[:, latent:].mul_(math.sqrt(latent))
                first.weight.mul_(math.sqrt(0.5))
        self.head = nn.Sequential(first, nn.LeakyReLU(_SLOPE))
        ups = [self._double(i, channels[i - 1]) for i in reversed(range(1, len(channels)))]
        self.layers = nn.Sequential(*[nn.Sequential(up, nn.LeakyReLU(_SLOPE)) for up in ups])
        self.pixels = self.to_pixels(0)

    def to_pixels(self, halvings: int) -> nn.Module:
        """A layer that makes the image, halved so often, of maps of half its size."""
        return self._double(halvings, self.shape[0], 0.5)

    def _double(self, i: int, maps: int, gain: float = 1.0) -> nn.Module:
        """From maps halved i + 1 times to maps halved i times."""
        before, sides = self.channels[i], self.sizes[i]
        odd = tuple(side % 2 for side in sides)
        layer: nn.Module = _DOUBLE[len(sides)](before, maps, 4, 2, 1, output_padding=odd)
        return _started(layer, 2 ** len(sides) * before, gain)

    def start(self, z: Tensor, context: Tensor | None) -> Tensor:
        """The smallest maps."""
        given = z if context is None else torch.cat([z, context], 1)
        h: Tensor = self.head(given)
        return _laid_out(h.view(-1, *self.smallest))

    def bound(self, images: Tensor) -> Tensor:
        """Images between -1 and 1, where features are."""
        return images.tanh() if self.bounded else images

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        h = self.layers(self.start(z, context))
        return self.bound(self.pixels(h)).reshape(len(z), -1)


class ImageDiscriminator(nn.Module):
    """Features of images (n, C H W), or sequences (n, C T), and context (n, c) -> scores
    (n / packed,).

    Args:
        shape: (C, H, W), or (C, T).
        context: c; 0 for none.
        channels: of the image each time that it is halved.
        hidden: size of h.
        packed: images that are scored together.

    Attributes:
        layers: each halves the sides of its maps; the first reads the image.
    """

    def __init__(
        self, shape: Shape, context: int, channels: Sequence[int], *, hidden: int, packed: int = 1
    ) -> None:
        super().__init__()
        check_halvings(shape, channels)
        self.shape, self.channels = (packed * shape[0], *shape[1:]), tuple(channels)
        self.packed = packed
        halvings = [self._halve(a, b) for a, b in pairwise((self.shape[0], *channels))]
        self.layers = nn.Sequential(*halvings)
        inputs = channels[-1] * math.prod(halved(shape[1:], len(channels))[-1])
        h = _started(nn.Linear(inputs, hidden), inputs)
        self.hidden = nn.Sequential(nn.Flatten(), h, nn.LeakyReLU(_SLOPE))
        self.score = _started(nn.Linear(hidden, 1), hidden, 0.5)
        self.projection: nn.Linear | None = None
        if context:
            projection = nn.Linear(packed * context, hidden, bias=False)
            self.projection = _started(projection, hidden, 0.5)

    def from_pixels(self, halvings: int) -> nn.Module:
        """A layer that reads the image halved so often, in place of all layers up to its size."""
        return self._halve(self.shape[0], self.channels[halvings])

    def _halve(self, before: int, maps: int) -> nn.Module:
        sides = len(self.shape) - 1
        layer: nn.Module = _HALVE[sides](before, maps, 4, 2, 1)
        return nn.Sequential(_started(layer, 4**sides * before), nn.LeakyReLU(_SLOPE))

    def images(self, features: Tensor) -> Tensor:
        """Features as images, packed ones with their channels together."""
        return _laid_out(features.reshape(-1, *self.shape))

    def scores(self, h: Tensor, context: Tensor | None) -> Tensor:
        """Scores of the smallest maps."""
        h = self.hidden(h)
        scores: Tensor = self.score(h)[:, 0]
        if self.projection is not None and context is not None:
            scores = scores + (self.projection(context.reshape(len(h), -1)) * h).sum(1)
        return scores

    def forward(self, features: Tensor, context: Tensor | None = None) -> Tensor:
        return self.scores(self.layers(self.images(features)), context)


def _laid_out(maps: Tensor) -> Tensor:
    """Images with their channels last, which convolutions are fastest with."""
    return maps.contiguous(memory_format=torch.channels_last) if maps.ndim == 4 else maps


def _started(layer: Layer, inputs: int, gain: float = 1.0) -> Layer:
    """The layer with normal weights that keep the size of signals, times `gain`; biases 0."""
    std = gain * math.sqrt(2 / (1 + _SLOPE**2) / inputs)
    with torch.no_grad():
        for name, values in layer.named_parameters():
            values.normal_(std=std) if name == "weight" else values.zero_()
    return layer
