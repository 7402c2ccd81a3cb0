"""Gaps filled by what is expected of them given the rest of the row.

With z_k ~ q(z | x_seen) and self-normalised weights v_k = w_k / sum w,

    E[x_gap | x_seen]  ~  sum_k v_k E[x_gap | z_k];

of a discrete column the likeliest level, p(level | x_seen) ~ sum_k v_k p(level | z_k).

Reference: Mattei and Frellsen, "MIWAE: deep generative modelling and imputation of incomplete data
sets", 2019, https://arxiv.org/abs/1812.02633.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ...data import row_hashes
from ...data.hashing import mix
from ...errors import InputError
from ...settings import integer
from .objectives import terms
from .observation import Observation
from .scoring import RowDraws

if TYPE_CHECKING:
    from .estimator import VAE

_BLOCK = 64


def impute(vae: VAE, X: Any, n_samples: int, random_state: int) -> Any:
    """Rows with their gaps filled and all else as it was, in the container they came in."""
    check_is_fitted(vae)
    integer(1).check("n_samples", n_samples)
    if vae.context_ is not None:
        raise InputError("a fit that is conditional on y does not fill gaps; fit without y.")
    data = vae._dataset(X, reset=False)
    if data.images is not None:
        return np.array(data.to_native())  # pictures have no gaps
    x = vae._matrix(vae._middle(data)).astype(np.float64)
    gaps = np.isnan(x)
    if gaps.any() and not vae.architecture_.missing:
        raise InputError(
            "the rows have gaps and the rows fitted had none, so the encoder never learnt to do "
            "without a value. Fit to rows with gaps."
        )
    if gaps.any():
        filled = _filled(vae, x, n_samples, mix(row_hashes(data, random_state)))
        x = np.where(gaps, filled, x)
    found = vae.codec_.decode(vae._encoded(x))
    assert isinstance(found, dict)  # of a table
    return data.filled(found)


@torch.no_grad()
def _filled(vae: VAE, x: Any, n_samples: int, seeds: Any) -> Any:
    nets, found = vae.net_.nets, []
    for start in range(0, len(x), _BLOCK):
        rows = slice(start, start + _BLOCK)
        y = vae.net_.rows(x[rows])
        encoded = nets.encode(y)
        z = RowDraws(seeds[rows], vae.net_).latents(encoded, n_samples)
        share = torch.softmax(terms(nets, z, encoded, y).log_w, 0).unsqueeze(-1)
        mean = _expected(nets.observation, nets.decoder(z[0]), share)
        found.append(mean.cpu().double().numpy())
    return np.concatenate(found)


def _expected(observation: Observation, raw: Tensor, share: Tensor) -> Tensor:
    """(n, D) means, and likeliest levels, of decoder outputs (K, n, P) with shares (K, n, 1)."""
    found = []
    for i, part in enumerate(observation.parts):
        given = observation._given(i, part, raw.split(observation.outputs, -1)[i])
        if part.kind == "categorical":
            mass = (share.unsqueeze(-1) * torch.softmax(given[0], -1)).sum(0)
            found.append(mass.argmax(-1).to(raw.dtype))
        elif part.kind == "bernoulli":
            found.append((share * torch.sigmoid(given[0])).sum(0).round())
        else:
            found.append((share * given[0]).sum(0))  # Gaussian: all that tables have besides
    return torch.cat(found, -1)
