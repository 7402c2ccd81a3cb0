"""Fits in one process do not see each other, nor change what is global."""

from __future__ import annotations

from typing import Any

import numpy as np

from ppgen.models.pair import Pair, PairFit

from .pair_models import library, line

X = np.column_stack([np.arange(6.0), np.ones(6)])


def slope(fit: PairFit) -> Any:
    return fit.draws["slope"].mean((0, 1))


def test_sites_of_the_same_name_are_each_fits_own() -> None:
    pair = Pair(line("pyro"), backend="pyro")
    up, down = (pair.fit(X, sign * X[:, 0], method="laplace", num_draws=100) for sign in (1, -1))
    again = pair.fit(X, X[:, 0], method="laplace", num_draws=100)
    np.testing.assert_allclose(slope(up), [1, 0], atol=0.05)
    np.testing.assert_allclose(slope(down), [-1, 0], atol=0.05)
    np.testing.assert_array_equal(up.draws["slope"], again.draws["slope"])


def test_a_param_store_of_the_users_own_is_left_alone() -> None:
    import pyro
    import torch

    def model(x: Any) -> None:
        p, dist = library("pyro")
        mu = p.sample("mu", dist.Normal(0.0, 1.0))
        with p.plate("rows", len(x)):
            p.sample("x", dist.Normal(mu, 1.0), obs=x)

    store = pyro.get_param_store()
    with store.scope():
        pyro.param("mu", torch.tensor(3.0))
        state = torch.get_rng_state()
        fit = Pair(model, backend="pyro").fit(X[:, 0], method="laplace", num_draws=100)
        fit.predictive(n_draws=2)
        assert list(store.keys()) == ["mu"]
        assert float(pyro.param("mu").detach()) == 3.0
        assert torch.equal(torch.get_rng_state(), state)
