"""Classifier-free guidance: rows more typical of what they are conditioned on.

One net gives xhat(x_t, t, c), and xhat(x_t, t) of rows whose context c is not known, as it was left
out of some in training. Samples by

    xhat_w = xhat(x_t, t) + w (xhat(x_t, t, c) - xhat(x_t, t))                     numbers
    p_w    is proportional to p(x_t, t)^(1 - w) p(x_t, t, c)^w                     levels

have w = 1 for the model itself, w = 0 for the one without context, and above 1 are driven beyond:
more surely of c, less varied. Scores are combined alike, s_w = s + w (s_c - s), which is that of
p_t(x_t) p_t(c | x_t)^w; no density of rows has that score at all t, so that guided samples have no
density. At high levels of noise guidance costs variety, at low ones it does little: it may be kept
to an interval of sigma_t / alpha_t.

References: Ho and Salimans, "Classifier-free diffusion guidance", 2022,
https://arxiv.org/abs/2207.12598 (whose w is ours less 1); Kynkäänniemi, Aittala, Karras, Laine,
Aila and Lehtinen, "Applying guidance in a limited interval improves sample and distribution quality
in diffusion models", 2024, https://arxiv.org/abs/2404.07724; Nisonoff, Xiong, Allenspach and
Listgarten, "Unlocking guidance for discrete state-space diffusion and flow models" (levels), 2024,
https://arxiv.org/abs/2406.01572.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError
from ...inference.diffusion.process import Denoise, Process

_LEAST = 1e-12  # share of a level whose logarithm is taken


@dataclass(frozen=True)
class Guidance:
    """How rows are guided.

    Attributes:
        weight: w.
        interval: of sigma_t / alpha_t in which they are; None is everywhere.
    """

    weight: float = 1.0
    interval: tuple[float, float] | None = None

    @classmethod
    def of(cls, weight: float, interval: Sequence[float] | None) -> Guidance:
        """What `sample` was asked for.

        Raises:
            InputError: if an interval is given without guidance, or is empty.
        """
        if interval is None:
            return cls(float(weight))
        low, high = (float(end) for end in interval)
        if not low < high:
            raise InputError(
                f"guidance_interval is {tuple(interval)}; expected two levels of noise, the lower "
                "one first."
            )
        if weight == 1:
            raise InputError(
                "guidance_interval was given, and guidance is 1, which guides nothing. Give "
                "guidance=2 or the like, or leave the interval out."
            )
        return cls(float(weight), (low, high))

    @property
    def idle(self) -> bool:
        """Whether rows are those of the model itself."""
        return self.weight == 1


def guided(
    told: Denoise,
    plain: Denoise,
    guidance: Guidance,
    process: Process,
    levels: Sequence[slice] = (),
) -> Denoise:
    """xhat_w.

    Args:
        told, plain: give xhat with the context and without it.
        process: of x_t.
        levels: where the indicators of levels stand.
    """
    if guidance.idle:
        return told
    w, interval = guidance.weight, guidance.interval

    def everywhere(x_t: Tensor, t: Tensor) -> Tensor:
        with_context, without = told(x_t, t), plain(x_t, t)
        out = without + w * (with_context - without)
        for at in levels:
            logs = [x[:, at].clamp(min=_LEAST).log() for x in (with_context, without)]
            out[:, at] = (w * logs[0] + (1 - w) * logs[1]).softmax(1)
        return out

    def within(x_t: Tensor, t: Tensor) -> Tensor:
        assert interval is not None
        ratio = process.ratio(t).reshape(-1, 1)
        inside = (ratio >= interval[0]) & (ratio <= interval[1])
        if not inside.any():
            return told(x_t, t)
        if inside.all():
            return everywhere(x_t, t)
        return torch.where(inside, everywhere(x_t, t), told(x_t, t))

    return everywhere if interval is None else within
