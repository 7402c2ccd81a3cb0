"""What densities and conditioning need beside a net: it is fitted to some of the rows trained on,
and kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from ...arrays import Array
from ...inference.diffusion.bound import NoiseLevels
from ...inference.diffusion.gaussian_frame import GaussianFrame
from ...inference.diffusion.process import Process
from ...inference.diffusion.trace import Told

_SOME, _VALUES = 16, 1 << 18  # rows that noise levels are weighed by, and values of wide ones
_FEWEST = 2  # of these rows


@dataclass(frozen=True, eq=False)
class Gauge:
    """What is fitted.

    Attributes:
        frame: the Gaussian with the mean and the covariance of the numbers among the features.
        times: how levels of noise are drawn for the variational bound.
        law: the Gaussian with the covariance of all features, of what a line in the context leaves
            of them.
    """

    frame: GaussianFrame
    times: NoiseLevels
    law: GaussianFrame

    @classmethod
    @torch.no_grad()
    def fit(
        cls,
        denoise: Told,
        process: Process,
        x: Tensor,
        numbers: int,
        context: Tensor | None = None,
        weights: Tensor | None = None,
        *,
        words: bool = False,
    ) -> Self:
        """That of a net's denoiser and features x (n, F) of rows, the numbers of which stand first.

        Args:
            denoise: of rows in double precision, as `in_single` gives it.
            context: (n, c) what rows are conditioned on, or None.
            weights: (n,) of the rows, or None.
            words: whether the context is numbers of words, in which nothing is a line.
        """
        frame = GaussianFrame.fit(x[:, :numbers], weights)
        n = max(_FEWEST, min(_SOME, _VALUES // x.shape[1]))
        some, told = x[:n].double(), None if context is None else context[:n]
        times = NoiseLevels.fit(denoise, process, some, frame, np.arange(len(some)), told)
        law = frame
        if context is not None and not words:
            law = GaussianFrame.fit(_left(x, context, weights), weights)
        elif numbers < x.shape[1]:
            law = GaussianFrame.fit(x, weights)
        return cls(frame, times, law)

    def arrays(self) -> dict[str, Array]:
        """What a saved run keeps."""
        law = {} if self.law is self.frame else self.law.arrays()
        return (
            self.frame.arrays()
            | {f"law.{name}": array for name, array in law.items()}
            | {"noise": self.times.shares.numpy()}
        )

    @classmethod
    def load(cls, arrays: Mapping[str, Array], process: Process) -> Self:
        """What `arrays` gave."""
        start = "law."
        law = {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}
        rest = {k: v for k, v in arrays.items() if k != "noise" and not k.startswith(start)}
        frame = GaussianFrame.load(rest)
        times = replace(
            NoiseLevels.even(process),
            shares=torch.from_numpy(np.array(arrays["noise"], np.float64)),
        )
        return cls(frame, times, GaussianFrame.load(law) if law else frame)


def _left(x: Tensor, context: Tensor, weights: Tensor | None) -> Tensor:
    """What a line in the context leaves of x, by least squares; one row's worth of shrinking keeps
    it apart from the rows where they are few."""
    x, c = x.double(), context.to(x.device).double()
    w = torch.ones(len(x), dtype=x.dtype) if weights is None else weights.to(x)
    w = (w / w.sum())[:, None]
    x, c = x - (w * x).sum(0), c - (w * c).sum(0)
    square = c.T @ (w * c)
    kept = square + torch.eye(len(square), dtype=x.dtype) / len(x)
    slopes: Tensor = torch.linalg.solve(kept, c.T @ (w * x))
    return x - c @ slopes


def in_single(denoise: Told, device: torch.device) -> Told:
    """A net's denoiser on a device, for rows in double precision, which stay on the processor:
    other devices are slow at it, or lack it."""

    def double(x_t: Tensor, t: Tensor, context: Tensor | None = None) -> Tensor:
        return denoise(x_t.float().to(device), t.float().to(device), context).to(x_t)

    return double
