"""The posterior predictive of a mixture is the mean of its draws' densities, as one mixture."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp

from ppgen.models.gmm.parameters import COVARIANCE_TYPES, CovarianceType
from ppgen.models.gmm.posterior import log_prob_draws, predictive_mixture
from ppgen.models.gmm.weighted_rows import score


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_mean_over_draws(kind: CovarianceType) -> None:
    rng = np.random.default_rng(0)
    chains, draws, k, d = 2, 6, 3, 2
    head = (chains, draws)
    scales = {"full": (k, d), "tied": (d,), "diag": (k, d), "spherical": (k,)}
    found = {
        "w": rng.dirichlet(np.ones(k), head),
        "mu": rng.normal(size=(*head, k, d)),
        "sigma": np.exp(0.3 * rng.normal(size=(*head, *scales[kind]))),
        "B_0": rng.dirichlet(np.ones(4), (*head, k)),
    }
    if kind in ("full", "tied"):
        angle = rng.uniform(0, 1, (*head, *scales[kind][:-1]))
        factor = np.zeros((*angle.shape, 2, 2))
        factor[..., 0, 0], factor[..., 1, 0], factor[..., 1, 1] = 1, np.sin(angle), np.cos(angle)
        found["L"] = factor
    x = rng.normal(size=(30, d))
    x[::5, 1] = np.nan
    codes = rng.integers(-1, 4, (30, 1)).astype(np.int32)
    each = log_prob_draws(found, kind, x, codes)
    expected = logsumexp(each, axis=0) - np.log(chains * draws)
    mixture = predictive_mixture(found, kind)
    np.testing.assert_allclose(score(mixture, x, codes)[1], expected, rtol=1e-5)
