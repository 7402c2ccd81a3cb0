"""Gaps filled by what is expected of them given the rest of the row.

With z_k ~ q(z | x_seen) and self-normalised weights v_k = w_k / sum w,

    E[x_gap | x_seen]  ~  sum_k v_k E[x_gap | z_k];

of a discrete column the likeliest level, p(level | x_seen) ~ sum_k v_k p(level | z_k).

Reference: Mattei and Frellsen, "MIWAE: deep generative modelling and imputation of incomplete data
sets", 2019, https://arxiv.org/abs/1812.02633.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...inference.local_sites_pyro import total
from .pyro import Values
from .row_draws import RowDraws, guided
from .trained_nets import DATA, TrainedNets

_BLOCK = 64


@torch.no_grad()
def expected(
    net: TrainedNets, x: NDArray[Any], n_samples: int, seeds: NDArray[np.uint64]
) -> NDArray[np.float64]:
    """(n, D) what is expected of each stored value given those of its row that are there, by so
    many draws a row."""
    found = []
    for rows, y, _ in net.blocks(x, None, _BLOCK):
        draws = RowDraws(seeds[rows], net)
        values, log_q = guided(net, y, None, n_samples, draws.latents(n_samples))
        p = net.modelled(y, None, values)
        share = torch.softmax(total(p) - log_q, 0).unsqueeze(-1)
        p_x = p[DATA]["fn"]
        mean = p_x.mixed(share) if isinstance(p_x, Values) else (share * p_x.mean).sum(0)
        found.append(net.values.leave(mean).cpu().double().numpy())
    return np.concatenate(found)
