"""Generator and discriminator of images of any size: strided convolutions, nothing normalised.

With c_1 ... c_L the entries of `channels`, the discriminator halves height and width L times, by
convolutions of 4 x 4 with stride 2 to c_1 ... c_L maps, and reads the last of them with one hidden
layer, h. The generator mirrors it: a linear map of (z, c), then transposed convolutions. Where a
size s is odd, 2 floor(s / 2) + 1, the transposed convolution is told so (its output padding). What
an image is conditioned on, c, is beside z in the generator; in the discriminator it is projected,

    D(x, c) = (v + U c)' h(x) + b.

Packed, m images are the channels of one, their contexts one context, and they have one score.

Weights start normal, with a variance of 2 / (1 + 0.2^2) over the number of inputs that meet in an
output, so that signals neither grow nor fade from layer to layer (leaky rectifiers of slope 0.2);
those of the last layers with half that deviation. A context counts as one input of mean square 1
(indicators of a level are that) and has as much to say in the first layer as all of z: conditioning
is then learnt from the first step on.

Forward, an image of 28 x 28 with channels (32, 64) costs 3.7 million floating-point operations in
the generator and 4.4 million in the discriminator.

References: Radford, Metz and Chintala, "Unsupervised representation learning with deep
convolutional generative adversarial networks", 2016, https://arxiv.org/abs/1511.06434; Miyato and
Koyama, "cGANs with projection discriminator", 2018, https://arxiv.org/abs/1802.05637; Lin, Khetan,
Fanti and Oh, "PacGAN", 2018, https://arxiv.org/abs/1712.04086; He, Zhang, Ren and Sun, "Delving
deep into rectifiers" (the start), 2015, https://arxiv.org/abs/1502.01852.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from ...errors import InputError

Shape = tuple[int, int, int]
Layer = TypeVar("Layer", nn.Linear, nn.Conv2d, nn.ConvTranspose2d)

_SLOPE = 0.2
_LEAST = 2  # pixels a side of the smallest map


def halved(size: tuple[int, int], times: int) -> list[tuple[int, int]]:
    """Heights and widths from the image down, rounded down."""
    return [(size[0] >> i, size[1] >> i) for i in range(times + 1)]


def check_halvings(shape: Shape, channels: Sequence[int]) -> None:
    """Raise InputError if images (C, H, W) cannot be halved once for each entry of `channels`."""
    times, side = len(channels), min(shape[1:])
    if side >> times >= _LEAST:
        return
    most = max(0, int(math.log2(max(side, 1) / _LEAST)))
    way_out = f"channels of at most {most} entries" if most else 'net="mlp"'
    raise InputError(
        f"channels are {tuple(channels)}, so images are halved {times} times, and {shape[1]} x "
        f"{shape[2]} pixels cannot be: that takes {_LEAST << times} pixels or more on each side. "
        f"Take {way_out}, or larger images."
    )


class ImageGenerator(nn.Module):
    """Noise (n, k) and context (n, c) -> features of images (n, C H W).

    Args:
        latent, context: k, and c, 0 for none.
        shape: (C, H, W).
        channels: of the image each time that it is halved.
        bounded: whether features lie between -1 and 1, by tanh.
    """

    def __init__(
        self, latent: int, context: int, shape: Shape, channels: Sequence[int], *, bounded: bool
    ) -> None:
        super().__init__()
        check_halvings(shape, channels)
        self.bounded = bounded
        sizes = halved((shape[1], shape[2]), len(channels))
        self.start = (channels[-1], *sizes[-1])
        first = _started(nn.Linear(latent + context, math.prod(self.start)), latent)
        if context:
            with torch.no_grad():  # half of the variance is of the noise, half of the context
                first.weight[:, latent:].mul_(math.sqrt(latent))
                first.weight.mul_(math.sqrt(0.5))
        self.head = nn.Sequential(first, nn.LeakyReLU(_SLOPE))
        layers: list[nn.Module] = []
        outs = [shape[0], *channels[:-1]]
        for i in reversed(range(len(channels))):
            odd = (sizes[i][0] % 2, sizes[i][1] % 2)
            up = nn.ConvTranspose2d(channels[i], outs[i], 4, 2, 1, output_padding=odd)
            last = i == 0
            layers.append(_started(up, 4 * channels[i], 0.5 if last else 1.0))
            layers += [] if last else [nn.LeakyReLU(_SLOPE)]
        self.net = nn.Sequential(*layers)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        given = z if context is None else torch.cat([z, context], 1)
        h = self.head(given).view(-1, *self.start)
        images: Tensor = self.net(h.contiguous(memory_format=torch.channels_last))
        images = images.tanh() if self.bounded else images
        return images.reshape(len(z), -1)


class ImageDiscriminator(nn.Module):
    """Features of images (n, C H W) and context (n, c) -> scores (n / packed,).

    Args:
        shape: (C, H, W).
        context: c; 0 for none.
        channels: of the image each time that it is halved.
        hidden: size of h.
        packed: images that are scored together.
    """

    def __init__(
        self, shape: Shape, context: int, channels: Sequence[int], *, hidden: int, packed: int = 1
    ) -> None:
        super().__init__()
        check_halvings(shape, channels)
        self.shape, self.packed = (packed * shape[0], shape[1], shape[2]), packed
        layers: list[nn.Module] = []
        before = self.shape[0]
        for c in channels:
            layers += [_started(nn.Conv2d(before, c, 4, 2, 1), 16 * before), nn.LeakyReLU(_SLOPE)]
            before = c
        height, width = halved((shape[1], shape[2]), len(channels))[-1]
        inputs = before * height * width
        h = _started(nn.Linear(inputs, hidden), inputs)
        self.net = nn.Sequential(*layers, nn.Flatten(), h, nn.LeakyReLU(_SLOPE))
        self.score = _started(nn.Linear(hidden, 1), hidden, 0.5)
        self.projection: nn.Linear | None = None
        if context:
            projection = nn.Linear(packed * context, hidden, bias=False)
            self.projection = _started(projection, hidden, 0.5)

    def forward(self, features: Tensor, context: Tensor | None = None) -> Tensor:
        images = features.reshape(-1, *self.shape)
        h: Tensor = self.net(images.contiguous(memory_format=torch.channels_last))
        scores: Tensor = self.score(h)[:, 0]
        if self.projection is not None and context is not None:
            scores = scores + (self.projection(context.reshape(len(h), -1)) * h).sum(1)
        return scores


def _started(layer: Layer, inputs: int, gain: float = 1.0) -> Layer:
    """The layer with normal weights that keep the size of signals, times `gain`; biases 0."""
    std = gain * math.sqrt(2 / (1 + _SLOPE**2) / inputs)
    nn.init.normal_(layer.weight, std=std)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
