"""What nets see of a row on torch: numbers, and indicators of levels (see `values`)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .values import Values
from .whitening import FAR, Whitening

_RARE = 0.1  # variance of all indicators of a column, below which they are scaled no further


def features(values: Values, y: Tensor) -> Tensor:
    """(n, F) numbers and indicators of model values (n, D)."""
    if not values.levels:
        return y
    levels = enumerate(values.levels, values.numbers)
    return torch.cat([y[:, : values.numbers], *(indicators(y[:, j], k) for j, k in levels)], 1)


def indicators(codes: Tensor, count: int) -> Tensor:
    """(n, count) indicators of level numbers (n,): zeros where one is missing or unseen."""
    return (codes[:, None] == torch.arange(count, device=codes.device)).to(codes.dtype)


def gains(values: Values, rows: Tensor) -> Tensor:
    """(F,) by what features are multiplied where distances are taken among them: the indicators of
    a column count as a column of unit variance does.

    Args:
        rows: (n, F) features of real ones.
    """
    gain = torch.ones(values.features, device=rows.device)
    for at in values.indicators:
        shares = rows[:, at].float().mean(0)
        gain[at] = (shares * (1 - shares)).sum().clamp(min=_RARE).rsqrt()
    return gain


class Features(nn.Module):
    """Model values (n, D) as encoder inputs (n, F): numbers centred and scaled by one number for
    all, levels as indicators, gaps as zeros beside a mask of what is there. Whitened numbers have
    gaps filled by what the Gaussian of the rows trained on expects given the others: at the centre,
    a row of nearly collinear columns would be far out.

    Args:
        size: D.
        levels: place and number of levels of each value that indicators stand for; the others are
            numbers.
        missing: whether rows were fitted with gaps; a mask of D values is then added.
        gaps: whether NaN may come all the same; it is then taken for the centre, or what the
            Gaussian of whitened numbers expects.
        whitened: whether the first numbers are whitened; they then end at `FAR`.
    """

    centre: Tensor
    gain: Tensor
    matrix: Tensor

    def __init__(
        self,
        size: int,
        levels: Sequence[tuple[int, int]] = (),
        *,
        missing: bool = False,
        gaps: bool = False,
        whitened: bool = False,
    ) -> None:
        super().__init__()
        self.missing, self.levels, self.whitened = missing, list(levels), whitened
        places = {place for place, _ in levels}
        self.plain = [place for place in range(size) if place not in places]
        self.whole = not levels and not missing and not gaps
        self.size = len(self.plain) + sum(k for _, k in levels) + (size if missing else 0)
        self.register_buffer("centre", torch.zeros(len(self.plain)))
        self.register_buffer("gain", torch.ones(()))
        if whitened:
            self.register_buffer("matrix", torch.eye(len(self.plain)))

    @torch.no_grad()
    def fit(self, y: Tensor, whitening: Whitening | None = None) -> None:
        """Take the centre of each number, and one scale for all, from rows y (n, D), or from the
        whitening of the first."""
        plain = y[:, self.plain]
        if plain.numel():
            mean = torch.nan_to_num(torch.nanmean(plain, 0))
            spread = torch.nanmean((plain - mean).square()).sqrt()
            self.centre.copy_(mean)
            self.gain.copy_(1 / spread.clamp(min=1e-3))
        if whitening is not None:
            first = slice(len(whitening.centre))
            self.centre[first] = torch.from_numpy(whitening.centre)
            self.matrix[first, first] = torch.from_numpy(whitening.matrix).to(self.matrix.dtype)
            self.gain.fill_(1.0)

    def forward(self, y: Tensor) -> Tensor:
        if self.whole:
            return (y - self.centre).mul_(self.gain)
        known = ~torch.isnan(y)
        plain = torch.nan_to_num(y[:, self.plain])
        parts = [(plain - self.centre) * self.gain * known[:, self.plain]]
        if self.whitened:
            parts[0] = self._filled(parts[0], known[:, self.plain])
            parts[0] = (parts[0] @ self.matrix.T).clamp(-FAR, FAR)
        parts += [indicators(y[:, place], count) for place, count in self.levels]
        return torch.cat([*parts, known.to(y.dtype)] if self.missing else parts, -1)

    def _filled(self, away: Tensor, known: Tensor) -> Tensor:
        """Numbers less the centre (n, d), 0 where they are not known: these as W^-1 W^-T has them
        given the others, in double precision."""
        gappy = ~known.all(1)
        if not gappy.any():
            return away
        eye = torch.eye(away.shape[1], dtype=torch.double, device=away.device)
        root = torch.linalg.solve_triangular(self.matrix.double(), eye, upper=False)
        covariance, k = root @ root.T, known[gappy].double()
        given = k[:, :, None] * k[:, None, :] * covariance + torch.diag_embed(1 - k)
        lower = torch.linalg.cholesky(given)
        share = torch.cholesky_solve(away[gappy].double().unsqueeze(-1), lower).squeeze(-1)
        filled = away.clone()
        filled[gappy] = torch.where(k > 0, away[gappy], (share @ covariance).to(away.dtype))
        return filled
