"""What a generator of tables ends with: numbers as they are, and levels that are drawn.

Of the outputs of a discrete column, l (n, L), one level is drawn with the probabilities softmax(l),
as the largest of l + g with g independent Gumbel variables; what the discriminator sees is the
indicator of that level, as of a real row. Its gradient is that of softmax((l + g) / TEMPERATURE)
(the straight-through estimator).

After the training, every level gets a shift b, l + b, such that the mean of its probability is the
share of the rows that have it:

    b <- b + log(share / mean softmax(l + b)), over and over, for each column by itself.

References: Jang, Gu and Poole, "Categorical reparameterization with Gumbel-softmax", 2017,
https://arxiv.org/abs/1611.01144; Deming and Stephan (the iteration), 1940,
https://doi.org/10.1214/aoms/1177731829.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import torch
from torch import Tensor, nn

from ..nets.values import Values

TEMPERATURE = 0.5
_ROUNDS = 50
_CLOSE = 1e-3  # relative error of a share at which the iteration ends
_LEAST = 1e-6  # share that a level has at least


class Levels(nn.Module):
    """Outputs (n, F) as features (n, F)."""

    shift: Tensor

    def __init__(self, values: Values) -> None:
        super().__init__()
        self.numbers, self.blocks = values.numbers, values.indicators
        self.register_buffer("shift", torch.zeros(values.features))

    def forward(self, outputs: Tensor) -> Tensor:
        parts = [outputs[:, : self.numbers]]
        for at in self.blocks:
            logits = outputs[:, at] + self.shift[at]
            noisy = logits - torch.empty_like(logits).exponential_().log()
            one = nn.functional.one_hot(noisy.argmax(1), logits.shape[1]).to(logits.dtype)
            if torch.is_grad_enabled():
                soft = torch.softmax(noisy / TEMPERATURE, 1)
                one = one + (soft - soft.detach())
            parts.append(one)
        return torch.cat(parts, 1)

    @torch.no_grad()
    def calibrate(self, outputs: Tensor, shares: Tensor) -> None:
        """Take the shifts that give levels their shares (F,) over outputs (n, F) without any."""
        for at in self.blocks:
            logits, target = outputs[:, at].double(), shares[at].double().clamp(min=_LEAST)
            shift = torch.zeros_like(target)
            for _ in range(_ROUNDS):
                mean = torch.softmax(logits + shift, 1).mean(0)
                change = torch.log(target / mean.clamp(min=_LEAST))
                shift += change
                if change.abs().max() < _CLOSE:
                    break
            self.shift[at] = shift.to(self.shift.dtype)
