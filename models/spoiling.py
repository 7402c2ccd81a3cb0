"""Real images, some of them spoilt in one of four ways, for a net that learns to tell them.

With s the standard deviation of all pixels, a batch x has each kind with the same chance:

    real      x
    noise     x + u s e,  u in [0, 0.5], e standard Gaussian,
    blur      x blurred by a Gaussian of 0.4 to 1.2 pixels, drawn once a batch,
    mixed     (1 - u) x + u x',  u in [0.1, 0.5], x' another image,
    cut       x on one side of a line, x' on the other; the line lies across or along the image
              between its quarters.

All are kept within the range of the real ones, and on their grid of values where there is one, by
rounding at random to one of the two nearest, so that the mean stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..arrays import Array

KINDS = ("real", "noise", "blur", "mixed", "cut")
_SOME = 500  # images that values are read off
_LEVELS = 257  # distinct values, up to which they are a grid


@dataclass(frozen=True)
class Spoiler:
    """What real images look like, as far as spoiling them has to know.

    Attributes:
        centre, gain: mean and standard deviation of all pixels.
        low, high: range of the scaled pixels.
        step: of their grid, 0 where there is none.
    """

    centre: float
    gain: float
    low: float
    high: float
    step: float

    @classmethod
    def of(cls, images: Array) -> Spoiler:
        """Of (n, C, H, W) real images."""
        some = np.asarray(images[:: max(1, len(images) // _SOME)][:_SOME], np.float64)
        centre, gain = float(some.mean()), float(some.std()) or 1.0
        values = np.unique(some)
        grid = 1 < len(values) <= _LEVELS
        step = float(np.diff(values).min()) / gain if grid else 0.0
        low, high = ((float(v) - centre) / gain for v in (values[0], values[-1]))
        return cls(centre, gain, low, high, step)

    def scaled(self, images: Array) -> Tensor:
        """Images as the net sees them."""
        x = torch.from_numpy(np.asarray(images, np.float32))
        return (x - self.centre) / self.gain

    def spoilt(self, x: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """A batch (n, C, H, W), and (n,) what was done to each image, by its place in `KINDS`."""
        n, _, height, width = x.shape
        kind = torch.randint(len(KINDS), (n,), generator=draws)
        other = x[torch.randperm(n, generator=draws)]
        u = torch.rand(n, 1, 1, 1, generator=draws)
        share = 0.1 + 0.4 * u
        changed = (
            x,
            x + 0.5 * u * torch.randn(x.shape, generator=draws),
            _blurred(x, 0.4 + 0.8 * float(torch.rand((), generator=draws))),
            (1 - share) * x + share * other,
            torch.where(_side(n, height, width, draws), x, other),
        )
        spoilt = x
        for place, images in enumerate(changed):
            spoilt = torch.where((kind == place)[:, None, None, None], images, spoilt)
        return self._kept(spoilt, draws), kind

    def _kept(self, x: Tensor, draws: torch.Generator) -> Tensor:
        """Images within the range and on the grid of real ones."""
        if self.step:
            places = (x - self.low) / self.step
            places = torch.floor(places + torch.rand(x.shape, generator=draws))
            x = self.low + self.step * places
        return x.clamp(self.low, self.high)


def _blurred(x: Tensor, sigma: float) -> Tensor:
    reach = min(3, min(x.shape[2:]) - 1)
    places = torch.arange(-reach, reach + 1.0)
    weights = torch.exp(-(places**2) / (2 * sigma**2))
    weights = weights / weights.sum()
    c = x.shape[1]
    for pad, shape in (((reach, reach, 0, 0), (1, -1)), ((0, 0, reach, reach), (-1, 1))):
        kernel = weights.reshape(1, 1, *shape).expand(c, 1, -1, -1)
        padded = nn.functional.pad(x, pad, mode="replicate")
        x = nn.functional.conv2d(padded, kernel, groups=c)
    return x


def _side(n: int, height: int, width: int, draws: torch.Generator) -> Tensor:
    """(n, 1, H, W) which pixels lie on the one side of a line."""
    across, turned = (torch.rand(n, 1, 1, 1, generator=draws) < 0.5 for _ in range(2))
    at = 0.25 + 0.5 * torch.rand(n, 1, 1, 1, generator=draws)
    down = (torch.arange(height) / height).reshape(1, 1, -1, 1).expand(n, 1, height, width)
    right = (torch.arange(width) / width).reshape(1, 1, 1, -1).expand(n, 1, height, width)
    return (torch.where(across, down, right) < at) ^ turned
