"""Numbers beside levels: what a net's outputs stand for, and what is trained.

A column of L levels is L features, the indicator e_k of its level, and becomes noise on the path of
the numbers, x_t = alpha_t e_k + sigma_t eps. Its levels stand sqrt(2) apart, as two rows of a
standardised number do on average, so that at each time noise has left about as much of either. As
|x_t - alpha_t e_k|^2 depends on k by x_t,k alone, what a column says of itself is, with p_k the
shares of its levels,

    p(k | its x_t) = softmax_k(log p_k + alpha_t x_t,k / sigma_t^2),                Bayes' rule

and the net's outputs o add what the rest of the row says of it:

    E[e_k | x_t] = softmax_k(log p_k + alpha_t x_t,k / sigma_t^2 + o_k),

which is the truth where o_k = log p(rest of x_t | k). With o = 0 it is that of a column independent
of the others, as c_skip x_t is of a normal number. It is an expectation whatever the process, so
every process and every sampler has it.

Trained is -2 log q(x | x_t), up to constants, a mean over the values of a row, where q is the
product of a normal distribution for each number, of mean xhat and deviation c_out (that of a number
given its own x_t), and of the softmax for each level:

    (output - target)^2 for a number,      2 cross-entropies, in nats, for a level.

A sampler ends where xhat is all but an indicator, and the row made has its most probable levels.
Levels drawn from xhat instead have the same shares, and pair wrongly where two columns were still
open: of adult's rows 0.9 % contradicted themselves at t = 0.01, and 0.06 % by the most probable.

Other targets than "edm" weigh the first otherwise over times, as they do without levels.

Reference: Variational flow matching for graph generation (Eijkelboom et al., 2024),
https://arxiv.org/abs/2406.04843
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from ...inference.diffusion.process import Process, along
from ..nets.values import Values

_RAREST = 1e-6  # share of a level, at least


class Levels(nn.Module):
    """The features of levels in rows (n, F) that hold some.

    Args:
        values: what a row is.

    Attributes:
        log_shares: (F - numbers,) log p_k of each column in turn; 0 until `fit`.
    """

    log_shares: Tensor

    def __init__(self, values: Values) -> None:
        super().__init__()
        self.numbers = values.numbers
        self.blocks = [
            slice(a.start - self.numbers, a.stop - self.numbers) for a in values.indicators
        ]
        self.register_buffer("log_shares", torch.zeros(values.features - self.numbers))

    @torch.no_grad()
    def fit(self, x: Tensor, weights: Tensor | None = None) -> None:
        """Take the shares of the levels of rows x (n, F), weighted (n,) if so given."""
        w = torch.ones(len(x), device=x.device) if weights is None else weights
        sums = (x[:, self.numbers :] * w[:, None]).sum(0)
        for at in self.blocks:
            shares = sums[at] / sums[at].sum().clamp(min=1e-12)
            self.log_shares[at] = shares.clamp(min=_RAREST).log()

    def logits(self, outputs: Tensor, x_t: Tensor, t: Tensor, process: Process) -> Tensor:
        """(n, F - numbers) logits of levels, by outputs (n, F) of x_t (n, F) at times t > 0."""
        slope = process.alpha(t) / process.sigma(t).square()
        k = self.numbers
        return self.log_shares + along(slope, x_t) * x_t[:, k:] + outputs[:, k:]

    def shares(self, logits: Tensor) -> Tensor:
        """(n, F - numbers) E[e_k | x_t]: probabilities, which sum to 1 over each column."""
        return torch.cat([logits[:, at].softmax(1) for at in self.blocks], 1)

    def losses(self, logits: Tensor, x: Tensor) -> Tensor:
        """(n,) twice the cross-entropies of the levels of rows x (n, F), summed over columns; 0
        where a level is missing."""
        truth = x[:, self.numbers :]
        each = [(truth[:, at] * log_softmax(logits[:, at], 1)).sum(1) for at in self.blocks]
        return -2 * torch.stack(each).sum(0)
