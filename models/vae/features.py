"""What the encoder sees of a row: values centred and scaled, levels as indicators, gaps as zeros
beside a mask of what is there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .parts import Part


class Features(nn.Module):
    """Rows (n, D) of model values as encoder inputs (n, F).

    Args:
        parts: of the observation; indicators stand for categorical values with fewer than
            `most_levels` levels, other values are numbers.
        missing: whether rows were fitted with gaps; a mask of D values is then added.
        gaps: whether NaN may come all the same; it is then taken for the centre.
    """

    centre: Tensor
    gain: Tensor

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        missing: bool = False,
        gaps: bool = False,
        most_levels: int = 64,
    ) -> None:
        super().__init__()
        self.missing = missing
        n = parts[-1].stop
        self.plain: list[int] = []
        self.levels: list[tuple[int, int]] = []  # (place, number of levels)
        for part in parts:
            places = range(part.start, part.stop)
            if part.kind == "categorical" and max(part.levels) < most_levels:
                self.levels += list(zip(places, part.each_levels, strict=True))
            else:
                self.plain += list(places)
        self.whole = len(self.plain) == n and not missing and not gaps
        self.size = len(self.plain) + sum(k for _, k in self.levels) + (n if missing else 0)
        self.register_buffer("centre", torch.zeros(len(self.plain)))
        self.register_buffer("gain", torch.ones(()))

    @torch.no_grad()
    def fit(self, y: Tensor) -> None:
        """Take the centre of each value, and one scale for all, from rows y (n, D)."""
        plain = y[:, self.plain]
        if plain.numel():
            mean = torch.nan_to_num(torch.nanmean(plain, 0))
            spread = torch.nanmean((plain - mean).square()).sqrt()
            self.centre.copy_(mean)
            self.gain.copy_(1 / spread.clamp(min=1e-3))

    def forward(self, y: Tensor) -> Tensor:
        if self.whole:
            return (y - self.centre).mul_(self.gain)
        known = ~torch.isnan(y)
        zeroed = torch.nan_to_num(y)
        found = [(zeroed[:, self.plain] - self.centre) * self.gain * known[:, self.plain]]
        for place, count in self.levels:
            code = zeroed[:, place].long()
            seen = known[:, place] & (code >= 0)
            found.append(F.one_hot(code.clamp(min=0), count).to(y.dtype) * seen[:, None])
        return torch.cat([*found, known.to(y.dtype)] if self.missing else found, -1)
