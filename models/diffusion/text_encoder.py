"""A small encoder of prompts, trained with the model that they condition.

    h_0 = s,  h_i = E[w_i] + P_i                            words w_i at places i, after a start s
    h <- h + O attention(norm(h))                           O from 0: at first a bag of words
    g = G sum_i h_i / sqrt(number of words)

so that prompts of words which never met in training start from what the words mean apart. In
training each word is left out with probability 0.1, and so are, of later prompts, words that were
never seen.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEFT_OUT = 0.1
_HEAD = 32  # numbers of a head of attention


class TextEncoder(nn.Module):
    """Numbers of words (n, length), 0 for none, -> (n, width).

    Args:
        words: how many numbers there are.
        length: words of a prompt at most.
        width: of what it gives, and of words.
    """

    def __init__(self, words: int, length: int, width: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.start, self.places = (nn.Parameter(torch.zeros(size, width)) for size in (1, length))
        self.heads = max(1, width // _HEAD)
        while width % self.heads:
            self.heads -= 1
        self.norm = nn.LayerNorm(width)
        self.inputs, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        self.last = nn.Linear(width, width)

    def forward(self, prompts: Tensor) -> Tensor:
        numbers = prompts.long()
        if self.training:
            kept = torch.rand(numbers.shape, device=numbers.device) >= _LEFT_OUT
            numbers = numbers * kept
        n = len(numbers)
        there = torch.cat([numbers.new_ones(n, 1), numbers], 1) > 0
        h = torch.cat([self.start.expand(n, 1, -1), self.words(numbers) + self.places], 1)
        h = h + self._attended(h, there)
        total = (h * there[:, :, None]).sum(1)
        out: Tensor = self.last(total / there.sum(1, keepdim=True).sqrt())
        return out

    def _attended(self, h: Tensor, there: Tensor) -> Tensor:
        """What each word takes from those that are there."""
        n, length, width = h.shape
        parts = self.inputs(self.norm(h)).view(n, length, 3, self.heads, width // self.heads)
        q, k, v = (part.transpose(1, 2) for part in parts.unbind(2))
        seen = functional.scaled_dot_product_attention(q, k, v, there[:, None, None, :])
        out: Tensor = self.output(seen.transpose(1, 2).reshape(n, length, width))
        return out
