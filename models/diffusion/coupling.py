"""Which noise goes with which row of a batch.

Minibatch optimal transport permutes the noise of a batch so that

    sum_i |x_i - eps_i|^2  is least,

among rows of the same context. Paths from noise to rows then cross less, and few steps follow
them. With F(x_t) = E[dx_t/dt | x_t] the flow still ends at the rows' law; but noise is no longer
independent of its row, so that E[eps | x_t] is not the score's. It needs noise that is drawn
freely, and rows of equal weight.

References: Improving and generalizing flow-based generative models with minibatch optimal transport
(Tong et al., 2024), https://arxiv.org/abs/2302.00482; Multisample flow matching (Pooladian et al.,
2023), https://arxiv.org/abs/2304.14772
"""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def coupled(x: Tensor, eps: Tensor, context: Tensor | None = None) -> Tensor:
    """The noise eps (n, F), permuted among rows x (n, F) of the same context (n, c)."""
    return eps[paired(x, eps, context)]


def paired(x: Tensor, eps: Tensor, context: Tensor | None = None) -> Tensor:
    """(n,) which noise each row is paired with: see `coupled`."""
    if context is None:
        return _nearest(x, eps)
    groups = torch.unique(context, dim=0, return_inverse=True)[1]
    out = torch.arange(len(x), device=x.device)
    for group in range(int(groups.max()) + 1):
        at = torch.nonzero(groups == group)[:, 0]
        out[at] = at[_nearest(x[at], eps[at])]
    return out


def _nearest(x: Tensor, eps: Tensor) -> Tensor:
    costs = torch.cdist(x, eps).square().cpu().numpy()
    return torch.from_numpy(linear_sum_assignment(costs)[1]).to(x.device)
