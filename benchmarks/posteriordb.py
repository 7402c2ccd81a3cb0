"""Engines against posteriors with reference draws, beside NumPyro alone and nutpie.

    PPGEN_DATA=... python benchmarks/posteriordb.py
    PPGEN_DATA=... python benchmarks/posteriordb.py --engines nuts low_rank --peers numpyro nutpie
    PPGEN_DATA=... python benchmarks/posteriordb.py --engines laplace --posteriors sblrc-blr

For each posterior of `posteriordb_models` and each engine, of all coordinates that the reference
draws have:

- `z_mean`, `z_sd`: the z-score farthest from 0 of means and of standard deviations, Monte Carlo
  errors of both sides counted; for engines with weights or bias they tell the bias as well;
- `off_mean`, `sd_ratio`: the mean farthest off, in reference standard deviations, and the ratio of
  standard deviations farthest from 1;
- `wasserstein`: the largest 1-Wasserstein distance, in reference standard deviations;
- `ess`: the smallest bulk effective sample size; `ess_per_gradient` of draws kept, and
  `ess_per_gradient_all` with the warm-up's gradients where these are known; `ess_per_second` of the
  whole call, compilation included; `first_draw`: seconds to the first draw kept;
- `verdict`.

Writes a JSON line for each. nutpie is run where it is installed, on the same log density by way of
JAX (`pip install nutpie==0.16.8` on Python 3.11).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from posteriordb_models import POSTERIORS, Posterior, coordinates

Array = Any
Outcome = dict[str, Any]
DRAWS, CHAINS = 1000, 4
AXES: dict[str, Any] = {"chain_axis": 0, "draw_axis": 1}

_CHAINED = {"num_warmup": DRAWS, "num_samples": DRAWS, "num_chains": CHAINS}
ENGINES: dict[str, dict[str, Any]] = {
    "nuts": {"method": "nuts", **_CHAINED},
    "dense": {"method": "nuts", "adaptation": "dense", **_CHAINED},
    "low_rank": {"method": "nuts", "adaptation": "low_rank", **_CHAINED},
    "hmc": {"method": "hmc", **_CHAINED},
    "chees": {"method": "chees"},
    "svi": {"method": "svi"},
    "dadvi": {"method": "dadvi"},
    "laplace": {"method": "laplace"},
    "pathfinder": {"method": "pathfinder"},
    "smc": {"method": "smc"},
    "nested": {"method": "nested"},
    "importance": {"method": "importance"},
    "ais": {"method": "ais"},
}


def scores(draws: dict[str, Array], reference: dict[str, Array]) -> dict[str, float]:
    """How far draws, name -> (chain, draw), are from reference draws, and the least effective
    sample size."""
    from arviz_stats.base import array_stats
    from scipy.stats import wasserstein_distance

    worst = {"z_mean": 0.0, "z_sd": 0.0, "off_mean": 0.0, "sd_ratio": 1.0, "wasserstein": 0.0}
    ess = np.inf
    for name, truth in reference.items():
        found = draws[name]
        spread = truth.std(ddof=1)
        for of, z in (("mean", "z_mean"), ("sd", "z_sd")):
            values = [float(x.mean() if of == "mean" else x.std(ddof=1)) for x in (found, truth)]
            errors = [_error(x, of) for x in (found, truth)]
            score = (values[0] - values[1]) / np.hypot(*errors)
            if not abs(score) <= abs(worst[z]):
                worst[z] = float(score)
        worst["off_mean"] = max(worst["off_mean"], abs(found.mean() - truth.mean()) / spread)
        ratio = float(found.std(ddof=1) / spread)
        if abs(np.log(ratio)) > abs(np.log(worst["sd_ratio"])):
            worst["sd_ratio"] = ratio
        distance = wasserstein_distance(found.ravel(), truth.ravel()) / spread
        worst["wasserstein"] = max(worst["wasserstein"], float(distance))
        ess = min(ess, float(array_stats.ess(found, method="bulk", **AXES)))
    return {**worst, "ess": ess}


def _error(x: Array, of: str) -> float:
    """The Monte Carlo error of the mean or the standard deviation of draws (chain, draw).

    Squares of draws that alternate about the mean are worth fewer draws than the draws are, and
    sd has the error of the variance by 2 sd.
    """
    from arviz_stats.base import array_stats

    values = x if of == "mean" else (x - x.mean()) ** 2 / (2 * x.std(ddof=1))
    return float(array_stats.mcse(values, method="mean", **AXES))


def ours(options: dict[str, Any], posterior: Posterior, seed: int) -> Outcome:
    """By `ppgen.Pair`."""
    import ppgen

    began = time.perf_counter()
    fit = ppgen.Pair(posterior.model).fit(random_state=seed, **options, **posterior.data())
    seconds = time.perf_counter() - began
    kept, tree = fit.stats.get("n_steps"), fit.to_datatree(groups=("posterior",))
    return {
        "draws": {name: np.asarray(values) for name, values in tree["posterior"].items()},
        "seconds": seconds,
        "first_draw": fit.posterior.seconds_to_first_draw,
        "gradients": None if kept is None else int(np.sum(kept)),
        "gradients_all": fit.posterior.gradients or None,
        "verdict": fit.verdict_.status,
        "reasons": [str(r) for r in fit.verdict_.reasons if r.status != "ok"],
    }


def bare_numpyro(posterior: Posterior, seed: int) -> Outcome:
    """By NumPyro's own `MCMC`, with chains as `ppgen.Pair` runs them."""
    import jax
    from numpyro.infer import MCMC, NUTS

    with jax.enable_x64(True):
        began = time.perf_counter()
        mcmc = MCMC(
            NUTS(posterior.model),
            num_warmup=DRAWS,
            num_samples=DRAWS,
            num_chains=CHAINS,
            chain_method="sequential",
            progress_bar=False,
        )
        data = {k: jax.numpy.asarray(v) if np.ndim(v) else v for k, v in posterior.data().items()}
        mcmc.run(jax.random.key(seed), extra_fields=("num_steps",), **data)
        draws = {k: np.asarray(v) for k, v in mcmc.get_samples(group_by_chain=True).items()}
        seconds = time.perf_counter() - began
        steps = int(np.asarray(mcmc.get_extra_fields()["num_steps"]).sum())
    return {"draws": draws, "seconds": seconds, "gradients": steps}


def by_nutpie(posterior: Posterior, seed: int) -> Outcome:
    """By nutpie, low-rank adaptation, on the log density of the same model."""
    import jax
    import nutpie
    from jax.flatten_util import ravel_pytree
    from numpyro.infer.util import constrain_fn, initialize_model

    with jax.enable_x64(True):
        began = time.perf_counter()
        data = posterior.data()
        info = initialize_model(jax.random.key(seed), posterior.model, model_kwargs=data)
        _, unravel = ravel_pytree(info.param_info.z)
        size = len(ravel_pytree(info.param_info.z)[0])
        density = jax.jit(jax.value_and_grad(lambda z: -info.potential_fn(unravel(z))))
        constrain = jax.jit(partial(_constrained, posterior.model, data, unravel, constrain_fn))
        shapes = jax.eval_shape(constrain, jax.numpy.zeros(size))
        expanded = list(shapes)

        def make_density() -> Callable[[Array], tuple[float, Array]]:
            def at(z: Array) -> tuple[float, Array]:
                with jax.enable_x64(True):
                    value, slope = density(z)
                    return float(value), np.asarray(slope, np.float64)

            return at

        def make_expand(*_: Any) -> Callable[[Array], dict[str, Array]]:
            def at(z: Array) -> dict[str, Array]:
                with jax.enable_x64(True):
                    return {k: np.asarray(v, np.float64) for k, v in constrain(z).items()}

            return at

        compiled = nutpie.compiled_pyfunc.from_pyfunc(
            size,
            make_density,
            make_expand,
            [np.dtype(float)] * len(expanded),
            [tuple(shapes[k].shape) for k in expanded],
            expanded,
        )
        trace = nutpie.sample(
            compiled,
            draws=DRAWS,
            tune=DRAWS,
            chains=CHAINS,
            cores=1,
            seed=seed,
            low_rank_modified_mass_matrix=True,
            progress_bar=False,
        )
        seconds = time.perf_counter() - began
    draws = {k: np.asarray(trace.posterior[k]) for k in expanded}
    steps = int(np.asarray(trace.sample_stats["n_steps"]).sum())
    return {"draws": draws, "seconds": seconds, "gradients": steps}


def _constrained(model: Any, data: Any, unravel: Any, constrain_fn: Any, z: Array) -> Any:
    return constrain_fn(model, (), data, unravel(z), return_deterministic=True)


PEERS = {"numpyro": bare_numpyro, "nutpie": by_nutpie}


def judged(outcome: Outcome, posterior: Posterior) -> Outcome:
    """The scores of an outcome, without its draws."""
    reference = posterior.reference()
    found = scores(coordinates(outcome.pop("draws"), reference), reference)
    for name in ("gradients", "gradients_all"):
        if outcome.get(name):
            found[f"ess_per_{name.replace('gradients', 'gradient')}"] = found["ess"] / outcome[name]
    found["ess_per_second"] = found["ess"] / outcome["seconds"]
    return {**found, **outcome}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=["nuts", "low_rank"])
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=["numpyro"])
    parser.add_argument("--posteriors", nargs="+", choices=POSTERIORS, default=list(POSTERIORS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    ways: dict[str, Callable[[Posterior, int], Outcome]] = {
        name: partial(ours, ENGINES[name]) for name in given.engines
    }
    for name in given.peers:
        if name == "nutpie" and importlib.util.find_spec("nutpie") is None:
            print("nutpie is not installed and left out.", flush=True)
            continue
        ways[name] = PEERS[name]
    about = {
        "benchmark": "posteriordb",
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "versions": {name: version(name) for name in ("numpyro", "blackjax", "jax")},
    }
    for posterior in (POSTERIORS[name] for name in given.posteriors):
        for seed in given.seeds:
            for engine, run in ways.items():
                head = {**about, "posterior": posterior.name, "engine": engine, "seed": seed}
                try:
                    found = judged(run(posterior, seed), posterior)
                except Exception as error:  # one engine's refusal is a result beside the others
                    print(json.dumps({**head, "error": f"{type(error).__name__}: {error}"}))
                    continue
                print(json.dumps({**head, **found}), flush=True)


if __name__ == "__main__":
    main()
