"""What densities need beside a net: it is fitted to some of the rows trained on, and kept."""

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

_SOME = 16  # rows that noise levels are weighed by


@dataclass(frozen=True, eq=False)
class Gauge:
    """What is fitted.

    Attributes:
        frame: the Gaussian with the mean and the covariance of the numbers among the features.
        times: how levels of noise are drawn for the variational bound.
    """

    frame: GaussianFrame
    times: NoiseLevels

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
    ) -> Self:
        """That of a net's denoiser and features x (n, F) of rows, the numbers of which stand first.

        Args:
            denoise: of rows in double precision, as `in_single` gives it.
            context: (n, c) what rows are conditioned on, or None.
            weights: (n,) of the rows, or None.
        """
        frame = GaussianFrame.fit(x[:, :numbers], weights)
        some = x[:_SOME].double()
        told = None if context is None else context[:_SOME]
        times = NoiseLevels.fit(denoise, process, some, frame, np.arange(len(some)), told)
        return cls(frame, times)

    def arrays(self) -> dict[str, Array]:
        """What a saved run keeps."""
        return self.frame.arrays() | {"noise": self.times.shares.numpy()}

    @classmethod
    def load(cls, arrays: Mapping[str, Array], process: Process) -> Self:
        """What `arrays` gave."""
        frame = {name: array for name, array in arrays.items() if name != "noise"}
        times = replace(
            NoiseLevels.even(process),
            shares=torch.from_numpy(np.array(arrays["noise"], np.float64)),
        )
        return cls(GaussianFrame.load(frame), times)


def in_single(denoise: Told, device: torch.device) -> Told:
    """A net's denoiser on a device, for rows in double precision, which stay on the processor:
    other devices are slow at it, or lack it."""

    def double(x_t: Tensor, t: Tensor, context: Tensor | None = None) -> Tensor:
        return denoise(x_t.float().to(device), t.float().to(device), context).to(x_t)

    return double
