"""Noise for denoising autoencoders: rows are made worse on the way in, and compared with the clean
ones on the way out.

    gaussian          y + level e, e standard normal, for each number; levels stay
    masking           round(level D) of a row's D values, at least one, drawn for each row, are 0:
                      the mean of a table's column, black in an image, no level at all
    salt_and_pepper   as many are the least or the greatest value there is, each with probability
                      1/2; of levels, any

Reference: Vincent, Larochelle, Lajoie, Bengio and Manzagol, "Stacked denoising autoencoders", 2010,
https://www.jmlr.org/papers/v11/vincent10a.html.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ..nets.values import Values


def corrupt(
    y: Tensor,
    values: Values,
    noise: tuple[str, float],
    ends: Tensor,
    generator: Generator | None = None,
) -> Tensor:
    """Rows (n, features) with noise; those given stay as they are.

    Args:
        noise: "gaussian", "masking" or "salt_and_pepper", and its level: the standard deviation of
            Gaussian noise, in the model's units (standard deviations of a table's columns; the
            range of an image's values); the share of values of the others.
        ends: (2, features) least and greatest value of each.
        generator: of what is drawn; None takes torch's own state.
    """
    (kind, level), n, numbers = noise, len(y), values.numbers
    if kind == "gaussian":
        e = torch.randn((n, numbers), dtype=y.dtype, device=y.device, generator=generator)
        return torch.cat([y[:, :numbers] + level * e, y[:, numbers:]], 1)
    order = torch.rand((n, values.size), device=y.device, generator=generator)
    places = order.topk(max(1, round(level * values.size)), dim=1, sorted=False).indices
    chosen = torch.zeros_like(order, dtype=torch.bool).scatter_(1, places, True)
    spread = chosen[:, torch.as_tensor(values.owner, device=y.device)] if values.levels else chosen
    if kind == "masking":
        return y.masked_fill(spread, 0.0)
    coins = torch.rand((n, values.size), device=y.device, generator=generator)
    put = [torch.where(coins[:, :numbers] < 0.5, ends[0, :numbers], ends[1, :numbers])]
    for j, count in enumerate(values.levels, numbers):
        drawn = (coins[:, j] * count).long().clamp(max=count - 1)
        put.append(torch.nn.functional.one_hot(drawn, count).to(y.dtype))
    return torch.where(spread, torch.cat(put, 1), y)
