"""p(x | z) on torch: `likelihood.Likelihood` as a module, which owns the scales that are learnt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..nets.whitening import Whitening, buffers
from .likelihood import Likelihood
from .parts import Part


class Torch:
    """Elementwise functions of tensors, and draws by torch's random state."""

    exp, log, log1p, expm1, round = torch.exp, torch.log, torch.log1p, torch.expm1, torch.round
    where, clip, isnan, nan_to_num = torch.where, torch.clamp, torch.isnan, torch.nan_to_num
    sigmoid, softplus, log_sigmoid = torch.sigmoid, F.softplus, F.logsigmoid
    log_softmax, vecdot, lgamma = torch.log_softmax, torch.linalg.vecdot, torch.lgamma
    uniform, normal = torch.rand_like, torch.randn_like

    @staticmethod
    def gather(log_p: Tensor, x: Tensor) -> Tensor:
        """Of log masses (*, L), those of the levels x."""
        index = x.long().unsqueeze(-1).expand(*log_p.shape[:-1], 1)
        return torch.gather(log_p, -1, index).squeeze(-1)

    @staticmethod
    def gamma(shape: Tensor, like: Tensor) -> Tensor:
        """Draws of mean 1 from Gamma(shape, shape)."""
        shape = shape.expand(like.shape)
        drawn: Tensor = torch.distributions.Gamma(shape, shape).sample()
        return drawn

    @staticmethod
    def largest(l: Tensor) -> Tensor:
        return l.argmax(-1).to(l.dtype)

    @staticmethod
    def padded(raw: Tensor, index: Any, absent: Any) -> Tensor:
        """The logits at these places, -inf where they are absent."""
        found = raw[..., torch.as_tensor(index, device=raw.device)]
        return found.masked_fill(torch.as_tensor(absent, device=raw.device), -torch.inf)

    @staticmethod
    def scalar(value: float, like: Tensor) -> Tensor:
        return torch.as_tensor(value, dtype=like.dtype, device=like.device)

    # Correlated numbers of which some are missing, in double precision

    double, diagonal = Tensor.double, torch.diag_embed
    diagonals = partial(torch.diagonal, dim1=-2, dim2=-1)

    @staticmethod
    def where_any(mask: Tensor, there: Callable[[], Tensor], elsewhere: Tensor) -> Tensor:
        """`elsewhere`, and `there()` in rows of the mask, not computed where there are none."""
        return torch.where(mask, there(), elsewhere) if bool(mask.any()) else elsewhere

    @staticmethod
    def lower(root: Tensor) -> Tensor:
        """(n, d, d) lower triangular L with L L^T = B B^T of B (n, d, m)."""
        mode = "reduced" if root.requires_grad else "r"  # a gradient goes through Q
        found: Tensor = torch.linalg.qr(root.mT, mode=mode).R.mT
        return found

    @staticmethod
    def solve_lower(lower: Tensor, x: Tensor) -> Tensor:
        """(*, n, d) L^-1 x of L (n, d, d), which is not copied for each draw."""
        return _solved(lower, x, upper=False)

    @staticmethod
    def solve_upper(lower: Tensor, x: Tensor) -> Tensor:
        """(*, n, d) L^-T x."""
        return _solved(lower.mT, x, upper=True)

    @staticmethod
    def like(x: Tensor, other: Tensor) -> Tensor:
        return x.to(other.dtype)

    @staticmethod
    def join(parts: Sequence[Tensor]) -> Tensor:
        return torch.cat(tuple(parts), -1)


def _solved(matrix: Tensor, x: Tensor, *, upper: bool) -> Tensor:
    """(*, n, d) of triangular matrices (n, d, d): the draws are the columns."""
    columns = x.reshape(-1, *x.shape[-2:]).permute(1, 2, 0)
    solved: Tensor = torch.linalg.solve_triangular(matrix, columns, upper=upper)
    return solved.permute(2, 0, 1).reshape(x.shape)


class Observation(Likelihood, nn.Module):
    """The likelihoods of a row's values, see `Likelihood`."""

    xp = Torch
    centre: Tensor
    matrix: Tensor
    root: Tensor

    def __init__(
        self,
        parts: Iterable[Part],
        *,
        noise: str | float = "column",
        missing: bool = False,
        whitening: Whitening | None = None,
    ) -> None:
        nn.Module.__init__(self)
        self.parts, self.noise, self.missing = tuple(parts), noise, missing
        dtype = torch.get_default_dtype()
        scales = self.start_scales(whitening).items()
        self.log_scales = nn.ParameterDict(
            {i: nn.Parameter(torch.tensor(s, dtype=dtype)) for i, s in scales}
        )
        if noise == "full":
            self.log_freedom = nn.Parameter(torch.tensor(self.start_freedom(), dtype=dtype))
            for name, array in buffers(whitening, self.parts[0].stop).items():
                self.register_buffer(name, torch.tensor(array, dtype=dtype))

    @property
    def whitening(self) -> tuple[Tensor, ...]:
        """m, A^-1 and A."""
        return self.centre, self.matrix, self.root

    def sample(self, raw: Tensor) -> Tensor:
        """(*, D) drawn values, by torch's random state."""
        found: Tensor = self.drawn(raw, self.xp)
        return found
