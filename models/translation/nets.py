"""Generators and discriminators of a translation between pictures (n, C, H, W).

- `Residual`, of CycleGAN: a convolution at full size, two halvings, residual blocks, two doublings.
- `UNet`, of pix2pix: halvings, then as many doublings, each of which also sees the picture of its
  size on the way down: edges go through without being written into a few numbers.
- `Patches`, the discriminator: halvings and a score for each place, which says of the patch around
  it whether it is real. A translation keeps what is where; whether a texture is right shows in a
  patch.

A generator's output lies between the ends of the domain that it goes to (standardised units),

    y = (high + low) / 2 + (high - low) / 2 tanh(h + c),          y = h where there are none,

where c makes h = 0 the mean of the domain, y = 0: nets begin near it.

Pictures of height 1 are sequences: kernels are then 1 wide in height, and only widths are halved.

References: Isola, Zhu, Zhou and Efros, "Image-to-image translation with conditional adversarial
networks", 2017, https://arxiv.org/abs/1611.07004; Zhu, Park, Isola and Efros, "Unpaired
image-to-image translation using cycle-consistent adversarial networks", 2017,
https://arxiv.org/abs/1703.10593; Ronneberger, Fischer and Brox, "U-Net: convolutional networks for
biomedical image segmentation", 2015, https://arxiv.org/abs/1505.04597.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import InputError
from ...plain_json import PlainFields
from .domains import Shape, Standard

_LEAST = 4  # pixels, or frames, that halvings leave
_INSIDE = 0.95  # of the way to an end, up to which a mean is begun at


@dataclass(frozen=True)
class Architecture(PlainFields):
    """What the nets of a translation are made of.

    Attributes:
        net: the generators', "residual" or "unet".
        width: channels at full size, or of a U-Net after the first halving; doubled at each
            further one.
        halvings: of the generators.
        blocks: residual ones, at the smallest size.
        judging: channels of the discriminators after the first halving.
        halved: halvings of the discriminators.
        dropout: in the inner doublings of a U-Net.
    """

    net: str
    width: int
    halvings: int
    blocks: int
    judging: int
    halved: int
    dropout: float = 0.0


def halvings_of(height: int, width: int) -> int:
    """How often pictures of a size can be halved without a remainder, down to 4 pixels or more."""
    sides = [side for side in (height, width) if side > 1]
    times = 0
    while all(side % 2 == 0 and side // 2 >= _LEAST for side in sides) and sides:
        sides, times = [side // 2 for side in sides], times + 1
    return times


def check_halvings(shape: Shape, halvings: int) -> None:
    """Raise InputError if pictures cannot be halved as often as asked, naming sizes that can."""
    _, height, width = shape
    if halvings <= halvings_of(height, width):
        return
    by = 2**halvings
    times = "once" if halvings == 1 else "twice" if halvings == 2 else f"{halvings} times"
    fewer = ", or fewer halvings" if halvings > 1 else ""
    sides = [side for side in (height, width) if side > 1]
    near = {max(_LEAST, round(side / by)) * by for side in sides}
    able = " or ".join(map(str, sorted(near)))
    if height == 1:
        raise InputError(
            f"{width} frames cannot be halved {times}: they have to be a multiple of {by} "
            f"and at least {_LEAST * by}; set frames={min(near)}{fewer}."
        )
    raise InputError(
        f"pictures of {height} x {width} cannot be halved {times}: each side has to be a "
        f"multiple of {by} and at least {_LEAST * by}, such as {able}. Pad or resize them, set "
        f"size={min(near)}{fewer}."
    )


class Residual(nn.Module):
    """(n, C, H, W) -> (n, C', H, W) by residual blocks at a small size."""

    def __init__(self, before: Shape, after: Shape, a: Architecture, ends: Standard) -> None:
        super().__init__()
        flat, w = before[1] == 1, a.width
        layers: list[nn.Module] = [_conv(before[0], w, 7, flat), _Normed(w, flat)]
        for _ in range(a.halvings):
            layers += [_conv(w, 2 * w, 3, flat, 2), _Normed(2 * w, flat)]
            w *= 2
        layers += [_Block(w, flat) for _ in range(a.blocks)]
        for _ in range(a.halvings):
            layers += [_up(w, w // 2, flat), _Normed(w // 2, flat)]
            w //= 2
        self.net = nn.Sequential(*layers, _conv(w, after[0], 7, flat), _Bounded(ends))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]


class UNet(nn.Module):
    """(n, C, H, W) -> (n, C', H, W), with what is seen on the way down beside the way up."""

    def __init__(self, before: Shape, after: Shape, a: Architecture, ends: Standard) -> None:
        super().__init__()
        flat = before[1] == 1
        widths = [a.width * 2**i for i in range(a.halvings)]
        self.down = nn.ModuleList([_conv(before[0], widths[0], 4, flat, 2)])
        for large, small in pairwise(widths):
            self.down.append(nn.Sequential(_Normed(large, flat), _conv(large, small, 4, flat, 2)))
        self.up = nn.ModuleList()
        for i, (width, out) in enumerate(zip(widths, [after[0], *widths], strict=False)):
            wide = width if i == a.halvings - 1 else 2 * width
            layers: list[nn.Module] = [_Normed(wide, flat), _up(wide, out, flat)]
            if a.dropout and i:
                layers.append(nn.Dropout(a.dropout))
            self.up.append(nn.Sequential(*layers))
        self.ends = _Bounded(ends)

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]
        for down in self.down:
            seen.append(down(seen[-1]))
        h = seen.pop()
        for up in reversed(self.up):
            h = up(h)
            above = seen.pop()
            h = torch.cat([h, above], 1) if seen else h
        return self.ends(h)  # type: ignore[no-any-return]


class Patches(nn.Module):
    """Pictures (n, C, H, W) -> a score (n, p) for each of p patches.

    Args:
        channels: C, of all that it sees.
        shape: of the pictures.
    """

    def __init__(self, channels: int, shape: Shape, a: Architecture) -> None:
        super().__init__()
        flat, w = shape[1] == 1, a.judging
        layers: list[nn.Module] = [_conv(channels, w, 4, flat, 2), nn.LeakyReLU(0.2)]
        for _ in range(a.halved - 1):
            layers += [_conv(w, 2 * w, 4, flat, 2), nn.LeakyReLU(0.2)]
            w *= 2
        layers += [_conv(w, 2 * w, 3, flat), nn.LeakyReLU(0.2), _conv(2 * w, 1, 3, flat)]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).flatten(1)  # type: ignore[no-any-return]


class _Normed(nn.Module):
    """ReLU of what is brought to mean 0 and variance 1 over each picture and channel.

    Of sequences over each picture: what a channel is on average over time, such as the band of a
    vowel, says what they are of.
    """

    def __init__(self, channels: int, flat: bool) -> None:
        super().__init__()
        self.flat = flat
        self.gain = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, h: Tensor) -> Tensor:
        if self.flat:
            return torch.relu(functional.group_norm(h, 1, self.gain, self.bias))
        return torch.relu(functional.instance_norm(h, weight=self.gain, bias=self.bias))


class _Block(nn.Module):
    """h + g(h), where g is two convolutions; at the start g is 0."""

    def __init__(self, channels: int, flat: bool) -> None:
        super().__init__()
        last = _conv(channels, channels, 3, flat)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        first = _conv(channels, channels, 3, flat)
        self.net = nn.Sequential(_Normed(channels, flat), first, _Normed(channels, flat), last)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.net(h)  # type: ignore[no-any-return]


class _Bounded(nn.Module):
    """What lies between the ends of a domain: their middle, half of their distance, and c."""

    middle: Tensor
    reach: Tensor
    start: Tensor

    def __init__(self, ends: Standard) -> None:
        super().__init__()
        low, high = torch.tensor(ends.low), torch.tensor(ends.high)
        self.open = not len(low)
        middle, reach = (low + high) / 2, (high - low) / 2
        start = torch.atanh((-middle / reach).clamp(-_INSIDE, _INSIDE))
        for name, values in (("middle", middle), ("reach", reach), ("start", start)):
            self.register_buffer(name, values[:, None, None])

    def forward(self, h: Tensor) -> Tensor:
        return h if self.open else self.middle + self.reach * torch.tanh(h + self.start)


def _conv(before: int, after: int, size: int, flat: bool, stride: int = 1) -> Any:
    return nn.Conv2d(before, after, **_kernel(size, stride, flat))


def _up(before: int, after: int, flat: bool) -> nn.Module:
    return nn.ConvTranspose2d(before, after, **_kernel(4, 2, flat))


def _kernel(size: int, stride: int, flat: bool) -> dict[str, Any]:
    pad = (size - 1) // 2
    if flat:
        return {"kernel_size": (1, size), "stride": (1, stride), "padding": (0, pad)}
    return {"kernel_size": size, "stride": stride, "padding": pad}
