"""NUTS of a pair beside NumPyro's own `MCMC` on the same model, in turns within one process.

    PPGEN_DATA=... python benchmarks/pair_nuts.py
    PPGEN_DATA=... python benchmarks/pair_nuts.py --posterior arK-arK --pairs 9 --draws 1000

Both run four chains one after the other, in double precision, with as many draws of warm-up as are
kept. Seconds are those of the processor for the whole call, compilation and verdict included, so
that other programs on the machine do not count; the first pair of runs fills caches and is left
out. `speed` is the median over pairs of gradients a second, ours by NumPyro's; `ess_per_second` the
same of the smallest bulk effective sample size, which varies far more from run to run.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

import numpy as np
from posteriordb_models import POSTERIORS, Posterior

CHAINS = 4


def smallest(draws: dict[str, Any]) -> float:
    """The smallest bulk effective sample size of sites (chain, draw, ...)."""
    from ppgen.inference.diagnostics import worst_by_site

    return min(row["ess_bulk"] for row in worst_by_site(draws).values())


def ours(posterior: Posterior, draws: int, seed: int) -> tuple[dict[str, Any], int]:
    import ppgen

    fit = ppgen.Pair(posterior.model).fit(
        method="nuts",
        num_warmup=draws,
        num_samples=draws,
        num_chains=CHAINS,
        random_state=seed,
        **posterior.data(),
    )
    str(fit.verdict_)
    return fit.draws, int(fit.stats["n_steps"].sum())


def bare(posterior: Posterior, draws: int, seed: int) -> tuple[dict[str, Any], int]:
    import jax
    from numpyro.infer import MCMC, NUTS

    with jax.enable_x64(True):
        mcmc = MCMC(
            NUTS(posterior.model),
            num_warmup=draws,
            num_samples=draws,
            num_chains=CHAINS,
            chain_method="sequential",
            progress_bar=False,
        )
        data = {k: jax.numpy.asarray(v) if np.ndim(v) else v for k, v in posterior.data().items()}
        mcmc.run(jax.random.key(seed), extra_fields=("num_steps",), **data)
        found = mcmc.get_samples(group_by_chain=True)
        steps = int(np.asarray(mcmc.get_extra_fields()["num_steps"]).sum())
        return {name: np.asarray(value) for name, value in found.items()}, steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = list(POSTERIORS)
    default = "eight_schools-eight_schools_noncentered"
    parser.add_argument("--posterior", choices=names, default=default)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--draws", type=int, default=1000)
    given = parser.parse_args()
    rows = []
    for seed in range(given.pairs + 1):
        row = {}
        for name, run in (("ours", ours), ("bare", bare)):
            began = time.process_time()
            draws, steps = run(POSTERIORS[given.posterior], given.draws, seed)
            seconds = time.process_time() - began
            row[name] = (seconds, smallest(draws) / seconds, steps / seconds)
        rows.append(row)
    kept = rows[1:]
    seconds, ess, steps = (
        float(np.median([row["ours"][i] / row["bare"][i] for row in kept])) for i in range(3)
    )
    print(
        json.dumps(
            {
                "benchmark": "pair_nuts",
                "posterior": given.posterior,
                "pairs": given.pairs,
                "threads": os.environ.get("OMP_NUM_THREADS", ""),
                "seconds": seconds,
                "ess_per_second": ess,
                "speed": steps,
                "seconds_bare": float(np.median([row["bare"][0] for row in kept])),
            }
        )
    )


if __name__ == "__main__":
    main()
