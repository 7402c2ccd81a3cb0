"""p(x | z): a row's values, independent given the latents, each with a likelihood of its own kind.

    log p(x | z) = sum_j log p_j(x_j | decoder(z)),          over the values that are not missing.

Rows are (n, D): the continuous columns first, then level numbers of the discrete ones; or the
values of an image. What the decoder gives, (*, P), is cut up by the parts below.

Model values y come from stored ones x by y = (x + u - shift) / scale, with u uniform in [0, 1)
where whole numbers are filled in for a continuous likelihood, and 0 elsewhere; log |dy/dx| =
-D log scale is added by who wants the density of x.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from .densities import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiscretisedLogistic,
    Gaussian,
)
from .parts import SCALED, SMALLEST, Part


class Observation(nn.Module):
    """The likelihoods of a row's values.

    Args:
        parts: what they are, in order.
        noise: of the scaled kinds: "column" learns a scale for each value, "shared" one for all,
            "row" asks the decoder; a number is a standard deviation, in multiples of `Part.unit`.
        missing: whether NaN stands for a value that is not there.
    """

    def __init__(
        self, parts: Iterable[Part], *, noise: str | float = "column", missing: bool = False
    ) -> None:
        super().__init__()
        self.parts, self.noise, self.missing = tuple(parts), noise, missing
        self.n_values = self.parts[-1].stop
        self.log_scales = nn.ParameterDict()
        self.outputs: list[int] = []
        for i, part in enumerate(self.parts):
            width = part.stop - part.start
            if part.kind == "categorical":
                self.outputs.append(sum(part.each_levels))
                most = max(part.levels)
                index = torch.zeros(width, most, dtype=torch.long)
                absent = torch.ones(width, most, dtype=torch.bool)
                at = 0
                for j, count in enumerate(part.each_levels):
                    index[j, :count] = torch.arange(at, at + count)
                    absent[j, :count] = False
                    at += count
                self.register_buffer(f"index{i}", index, persistent=False)
                self.register_buffer(f"absent{i}", absent, persistent=False)
                continue
            scaled = part.kind in SCALED
            self.outputs.append(width * (2 if scaled and noise == "row" else 1))
            if scaled and noise in ("column", "shared"):
                size = width if noise == "column" else 1
                self.log_scales[str(i)] = nn.Parameter(torch.full((size,), part.first))
        self.n_outputs = sum(self.outputs)

    def _given(self, i: int, part: Part, raw: Tensor) -> tuple[Tensor, ...]:
        """Location or logits, and log scale where there is one, (*, values)."""
        if part.kind == "categorical":
            index, absent = getattr(self, f"index{i}"), getattr(self, f"absent{i}")
            return (raw[..., index].masked_fill(absent, -torch.inf),)
        if part.kind not in SCALED:
            return (raw,)
        if self.noise == "row":
            raw, log_s = raw.reshape(*raw.shape[:-1], -1, 2).unbind(-1)
        l = raw if part.unit == 1 else part.unit * raw
        if not isinstance(self.noise, str):
            return l, torch.as_tensor(part.stated(self.noise), dtype=raw.dtype)
        if self.noise != "row":
            log_s = self.log_scales[str(i)]
        return l, (log_s + math.log(part.unit)).clamp(SMALLEST, 5.0)

    def _pieces(self, raw: Tensor) -> list[tuple[int, Part, Tensor]]:
        cut = torch.split(raw, self.outputs, -1)
        return [(i, part, out) for i, (part, out) in enumerate(zip(self.parts, cut, strict=True))]

    def values(self, raw: Tensor, x: Tensor) -> Tensor:
        """(*, D) log p of each value of x (n, D) given decoder outputs (*, n, P)."""
        found = []
        for i, part, out in self._pieces(raw):
            y = x[..., part.start : part.stop]
            known = ~torch.isnan(y) if self.missing else None
            y = torch.nan_to_num(y) if self.missing else y
            log_p = _OF[part.kind].log_prob(y, *self._given(i, part, out), *part.half)
            found.append(log_p if known is None else torch.where(known, log_p, 0.0))
        return found[0] if len(found) == 1 else torch.cat(found, -1)

    def log_prob(self, raw: Tensor, x: Tensor) -> Tensor:
        """(*, n) log p(x | z)."""
        only = self.parts[0] if len(self.parts) == 1 else None
        if only is not None and only.kind == "bernoulli" and not self.missing:
            # x l summed is a product of matrices' work: one pass over the outputs less.
            product: Tensor = torch.linalg.vecdot(raw, x)
            return product - nn.functional.softplus(raw).sum(-1)
        return self.values(raw, x).sum(-1)

    def mean(self, raw: Tensor) -> Tensor:
        """(*, D) expected values; the likeliest level of categorical ones."""
        found = [_OF[p.kind].mean(*self._given(i, p, out)) for i, p, out in self._pieces(raw)]
        return torch.cat(found, -1)

    def mixed_mean(self, raw: Tensor, share: Tensor) -> Tensor:
        """(n, D) means, and likeliest levels, of mixtures of decoder outputs (K, n, P) with shares
        (K, n, 1)."""
        found = []
        for i, part, out in self._pieces(raw):
            given = self._given(i, part, out)
            if part.kind == "categorical":
                mass = (share.unsqueeze(-1) * torch.softmax(given[0], -1)).sum(0)
                found.append(mass.argmax(-1).to(raw.dtype))
                continue
            mean = (share * _OF[part.kind].mean(*given)).sum(0)
            found.append(mean.round() if part.kind == "bernoulli" else mean)
        return torch.cat(found, -1)

    def sample(self, raw: Tensor) -> Tensor:
        """(*, D) drawn values, by torch's random state."""
        found = [
            _OF[p.kind].sample(*self._given(i, p, out), *p.half) for i, p, out in self._pieces(raw)
        ]
        return torch.cat(found, -1)

    @torch.no_grad()
    def start(self, y: Tensor) -> Tensor:
        """(P,) decoder outputs that give each value its share or mean in rows y (n, D): where a fit
        begins."""
        found = []
        for part, width in zip(self.parts, self.outputs, strict=True):
            x = y[:, part.start : part.stop]
            mean = torch.nan_to_num(torch.nanmean(x, 0), 0.0 if part.kind in SCALED else 0.5)
            if part.kind == "bernoulli":
                found.append(torch.logit(mean.clamp(1e-3, 1 - 1e-3)))
            elif part.kind == "continuous_bernoulli":
                found.append(ContinuousBernoulli.logit_of(mean))
            elif part.kind == "categorical":
                for j, count in enumerate(part.each_levels):
                    seen = x[:, j][~torch.isnan(x[:, j])].long().clamp(min=0)
                    shares = torch.bincount(seen, minlength=count)[:count].to(y.dtype) + 1.0
                    found.append(torch.log(shares / shares.sum()))
            else:
                twice, mean = width == 2 * len(mean), mean / part.unit
                scale = torch.full_like(mean, part.first)
                found.append(torch.stack([mean, scale], -1).ravel() if twice else mean)
        return torch.cat(found)


_OF: dict[str, Any] = {
    "gaussian": Gaussian,
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "discretised_logistic": DiscretisedLogistic,
    "categorical": Categorical,
}
