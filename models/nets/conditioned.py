"""Nets that are conditioned on c, in every layer and loudly.

With W_i and b_i the linear map or the convolution of layer i, its outputs are

    W_i h_i + b_i + g U_i c,          g = `GAIN`,          U_i = 0 at the start;

of a convolution U_i c is a number for each of its maps.

A decoder that hears c in its first layer only, beside dozens of latents, is taught by the latents
before it has learnt to listen: these then say what c says, and samples, whose latents are drawn
without c, are not what was asked for. An Adam step changes each weight by as much; g makes a step
of U_i count as those of many inputs do, so that what c says is learnt from c.
"""

from __future__ import annotations

from torch import Tensor, nn

GAIN = 16.0


class Conditioned(nn.Module):
    """(h (*, inputs), context (*, c)) -> what comes out of the last of layers.

    Args:
        layers: linear maps, convolutions, and what stands between them.
        context: c.
    """

    def __init__(self, layers: nn.Sequential, context: int) -> None:
        super().__init__()
        self.layers, self.told = layers, nn.ModuleDict()
        for i, layer in enumerate(layers):
            bias = getattr(layer, "bias", None)  # one for each output, or map
            if isinstance(bias, Tensor):
                told = nn.Linear(context, len(bias), bias=False)
                nn.init.zeros_(told.weight)
                self.told[str(i)] = told

    def forward(self, h: Tensor, context: Tensor) -> Tensor:
        for i, layer in enumerate(self.layers):
            h = layer(h)
            if str(i) in self.told:
                told = GAIN * self.told[str(i)](context)
                h = h + (told if isinstance(layer, nn.Linear) else told[..., None, None])
        return h


def conditioned(layers: nn.Sequential, context: int) -> nn.Module:
    """The layers, told a context of so many numbers; of none they are as they were."""
    return Conditioned(layers, context) if context else layers


def given(net: nn.Module, h: Tensor, context: Tensor | None) -> Tensor:
    """What a net makes of h and, where there is one, of its context."""
    found: Tensor = net(h) if context is None else net(h, context)
    return found
