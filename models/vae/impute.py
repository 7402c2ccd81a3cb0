"""Gaps filled by what is expected of them given the rest of the row.

With z_k ~ q(z | x_seen) and self-normalised weights v_k = w_k / sum w,

    E[x_gap | x_seen]  ~  sum_k v_k E[x_gap | z_k];

of a discrete column the level with the largest sum of v_k.

Reference: Mattei and Frellsen, "MIWAE: deep generative modelling and imputation of incomplete data
sets", 2019, https://arxiv.org/abs/1812.02633.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from ...errors import InputError
from .objectives import draw, terms

if TYPE_CHECKING:
    from .estimator import VAE

_BLOCK = 64


def impute(vae: VAE, X: Any, n_samples: int, random_state: int) -> Any:
    """Rows with their gaps filled, in the container that was fitted."""
    check_is_fitted(vae)
    if vae.context_ is not None:
        raise InputError("a fit that is conditional on y does not fill gaps; fit without y.")
    data = vae._dataset(X, reset=False)
    x = vae._matrix(vae._middle(data)).astype(np.float64)
    gaps = np.isnan(x)
    if gaps.any() and not vae.architecture_.missing:
        raise InputError(
            "the rows have gaps and the rows fitted had none, so the encoder never learnt to do "
            "without a value. Fit to rows with gaps."
        )
    if gaps.any():
        filled = _filled(vae, x, n_samples, random_state)
        x = np.where(gaps, filled, x)
    return vae._decoded(vae._encoded(x))


@torch.no_grad()
def _filled(vae: VAE, x: Any, n_samples: int, seed: int) -> Any:
    nets, found = vae.net_.nets, []
    discrete = len(vae.codec_.continuous_names)  # type: ignore[union-attr]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for start in range(0, len(x), _BLOCK):
            y = vae.net_.rows(x[start : start + _BLOCK])
            encoded = nets.encode(y)
            z = draw(nets, encoded, n_samples)
            share = torch.softmax(terms(nets, z, encoded, y).log_w, 0).unsqueeze(-1)
            expected = nets.observation.mean(nets.decoder(z[0]))
            mean = (share * expected).sum(0)
            for j in range(discrete, x.shape[1]):
                levels = expected[..., j].round().long()
                votes = torch.zeros(int(levels.max()) + 1, *levels.shape[1:], device=y.device)
                votes.scatter_add_(0, levels, share[..., 0])
                mean[:, j] = votes.argmax(0).to(mean.dtype)
            found.append(mean.cpu().double().numpy())
    return np.concatenate(found)
