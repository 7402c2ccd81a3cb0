"""How near the density of `Diffusion` comes to that of toys, which is known exactly.

    python benchmarks/diffusion_toys.py --minutes 3 --seeds 0 1 2

The mean log-likelihood of rows that were not trained on, by the probability-flow ODE with the exact
trace, and by how many nats the exact one is above it: an estimate of the relative entropy. With
--steps a fit has so many steps instead of minutes, so that a machine that does other work besides
gives the same figure; its processor seconds are written. Besides: seconds for 10,000 samples at 25
evaluations. Writes a JSON line for each toy and seed.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from importlib.metadata import version
from typing import Any

import numpy as np

SAMPLES, STEPS = 10_000, 25


def measured(toy: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """A fit to a toy and what it reaches."""
    import ppgen
    from ppgen.data.toys import TOYS
    from ppgen.models.diffusion.plan import batch_for

    made, rng = TOYS[toy], np.random.default_rng([seed, 0])
    rows, unseen = made.sample(given.rows, rng), made.sample(given.scored, rng)
    how: dict[str, Any] = {"budget": f"{given.minutes}min"}
    model = ppgen.Diffusion(random_state=seed, **given.set)
    if given.steps:
        held_out = min(max(given.rows // 10, 100), 10_000)
        size = model.batch_size or batch_for(given.rows - held_out)
        model.set_params(max_epochs=max(1, given.steps // ((given.rows - held_out) // size)))
        how = {}
    began, processor = time.perf_counter(), time.process_time()
    model.fit(rows, **how)
    seconds, spent = time.perf_counter() - began, time.process_time() - processor
    gaps = made.log_density(unseen) - model.log_density(unseen).values
    model.sample(SAMPLES, steps=STEPS)
    began, processor = time.perf_counter(), time.process_time()
    model.sample(SAMPLES, steps=STEPS)
    return {
        "gap": float(gaps.mean()),
        "stderr": float(gaps.std(ddof=1) / np.sqrt(len(gaps))),
        "fit_seconds": seconds,
        "fit_processor_seconds": spent,
        "fit_steps": model.n_steps_,
        "sample_seconds": time.perf_counter() - began,
        "sample_processor_seconds": time.process_time() - processor,
        "held_out_loss": -max(r["validation"] for r in model.trace_),
        "verdict": str(model.verdict_),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toys", nargs="+", default=["8gaussians", "checkerboard"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rows", type=int, default=20_000, help="fitted, a tenth held out")
    parser.add_argument(
        "--scored", type=int, default=2000, help="rows of which densities are taken"
    )
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--steps", type=int, default=0, help="instead of minutes")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", type=json.loads, default={}, help="settings as JSON")
    given = parser.parse_args()
    import torch

    torch.set_num_threads(given.threads)
    versions = {"torch": version("torch"), "python": platform.python_version()}
    for toy in given.toys:
        for seed in given.seeds:
            found = {"toy": toy, "seed": seed, **measured(toy, seed, given)}
            print(
                json.dumps(
                    {"benchmark": "diffusion_toys", **vars(given), **found, "versions": versions}
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
