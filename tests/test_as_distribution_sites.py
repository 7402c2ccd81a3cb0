"""Fitted densities as sites of models: as priors that are drawn, moved and summed over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

import ppgen

from . import zoo
from .distribution_rows import table


def test_rows_of_few_levels_are_enumerated_in_pyro() -> None:
    import pyro
    import torch
    from pyro.infer import TraceEnum_ELBO, config_enumerate

    data = table("kind", "ringed")
    for model in (ppgen.GaussianMixture(2, n_init=1, random_state=0), ppgen.BayesianNetwork([])):
        rows = model.fit(data).as_distribution("pyro")
        every = rows.enumerate_support()
        assert every.shape == (6, 2)
        torch.testing.assert_close(rows.log_prob(every).exp().sum().item(), 1.0)
        y = torch.tensor([0.3, 1.4, 2.2]).double()

        def program(rows: Any = rows, y: Any = y) -> None:
            with pyro.plate("rows", 3):
                found = pyro.sample("levels", rows)
                pyro.sample("y", pyro.distributions.Normal(found.sum(-1), 1.0), obs=y)

        loss = TraceEnum_ELBO(max_plate_nesting=1).loss(config_enumerate(program), lambda: None)
        likelihood = norm.logpdf(y[:, None], every.sum(-1)[None], 1.0)
        joint = likelihood + np.asarray(rows.log_prob(every))
        assert loss == pytest.approx(-np.log(np.exp(joint).sum(1)).sum(), rel=1e-9)


def test_a_mixture_is_the_prior_of_a_site_of_numpyro() -> None:
    import jax
    import numpyro
    import numpyro.distributions as dist
    from numpyro.infer import MCMC, NUTS
    from numpyro.infer.util import log_density

    rows = zoo.numbers(400)[:, 1:]
    lengths = np.exp(rows / 2 + 3)
    data = ppgen.read({"length": lengths[:, 0]}, schema={"length": "positive"})
    model = ppgen.GaussianMixture(2, n_init=1, random_state=0).fit(data)
    prior = model.as_distribution("numpyro")

    def program(y: Any = None) -> None:
        length = numpyro.sample("length", prior)
        numpyro.sample("y", dist.Normal(length[0], 1.0), obs=y)

    def likelihood(x: Any) -> None:
        with numpyro.plate("rows", len(x)):
            numpyro.sample("x", prior, obs=x)

    with jax.enable_x64(True):
        total = log_density(likelihood, (lengths[:5],), {}, {})[0]
        chain = MCMC(NUTS(program), num_warmup=200, num_samples=1000, progress_bar=False)
        chain.run(jax.random.key(0))
        drawn = np.log(np.asarray(chain.get_samples()["length"])[:, 0])
    assert total == pytest.approx(model.score_samples({"length": lengths[:5, 0]}).sum(), rel=1e-9)
    weights, means = model.weights_, model.means_[:, 0]
    mean = weights @ means
    variance = weights @ (model.covariances_[:, 0, 0] + means**2) - mean**2
    # Autocorrelated draws are worth a third at least; 4 standard errors.
    assert abs(drawn.mean() - mean) < 4 * np.sqrt(variance / 300)
    assert drawn.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / 300))


@pytest.mark.slow
def test_a_flow_is_the_prior_of_a_site_of_pyro_and_noise_takes_its_place() -> None:
    import pyro
    import torch
    from pyro.infer import MCMC, NUTS
    from pyro.infer.reparam import TransformReparam

    model = zoo.fitted("flow-nsf")
    prior = model.as_distribution("pyro")

    def program() -> None:
        x = pyro.sample("x", prior)
        pyro.sample("y", pyro.distributions.Normal(x[0], 0.5), obs=torch.tensor(13.0).double())

    def moved() -> None:
        config = {"x": TransformReparam(), "x_base": TransformReparam()}
        pyro.poutine.reparam(program, config=config)()

    for each in (program, moved):
        chain = MCMC(
            NUTS(each, max_tree_depth=4), num_samples=150, warmup_steps=100, disable_progbar=True
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            drawn = np.asarray(prior.sample((40_000,)))
            chain.run()
        found = chain.get_samples()
        noise = found.get("x_base_base")
        x = (
            found["x"]
            if noise is None
            else prior.transforms[0](prior.base_dist.transforms[0](noise))
        )
        weights = norm.pdf(13.0, drawn[:, 0], 0.5)
        right = weights @ drawn / weights.sum()
        np.testing.assert_allclose(x.mean(0), right, atol=0.4)
    pyro.clear_param_store()
