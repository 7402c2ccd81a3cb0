"""`GAN` on a grid of 25 narrow Gaussians: modes, samples near one, reverse KL, by seed.

    python benchmarks/gan_grid.py --seeds 0 1 2 3 4
    python benchmarks/gan_grid.py --turn 30 --set margins='"none"'

Standard deviation 0.05 at a spacing of 2, 5000 rows. Tables are seen by ranks unless told
otherwise: then the columns of the grid as it stands are independent, and only the grid turned by
some degrees asks for more than margins. Near is within three deviations. Figures are of 10,000
samples, beside what as many of the truth reach; with `--refine` of refined samples too. Writes a
JSON line for each seed, and one for all.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import time
from importlib.metadata import version
from typing import Any

import numpy as np

SAMPLES = 10_000


def turned(x: Any, degrees: float) -> Any:
    """Points (n, 2) turned about the origin."""
    t = math.radians(degrees)
    return x @ np.array([[math.cos(t), math.sin(t)], [-math.sin(t), math.cos(t)]])


def counted(samples: Any, given: argparse.Namespace) -> dict[str, float]:
    """Modes, share within three deviations and reverse KL."""
    from ppgen.analysis.modes import mode_counts

    side = np.arange(-4.0, 5.0, 2.0)
    centres = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    found = mode_counts(samples, turned(centres, given.turn), 0.05)
    return {"modes": found.modes, "within": found.within, "kl": found.kl}


def run(seed: int, given: argparse.Namespace, settings: dict[str, Any]) -> dict[str, Any]:
    """Fit and count."""
    import ppgen
    from ppgen.data.toys import TOYS

    draw = TOYS["grid25"].sample
    x = turned(draw(given.rows, np.random.default_rng(1000 + seed)), given.turn)
    began, processor = time.perf_counter(), time.process_time()
    gan = ppgen.GAN(**settings, random_state=seed).fit(x, budget=given.budget)
    found: dict[str, Any] = {
        "seed": seed,
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - processor,
        "steps": gan.n_steps_,
        "verdict": str(gan.verdict_),
        **counted(gan.sample(SAMPLES), given),
    }
    if given.refine:
        refined = counted(gan.sample(SAMPLES, refine=True), given)
        found |= {f"refined_{name}": value for name, value in refined.items()}
    truth = draw(SAMPLES, np.random.default_rng(2000 + seed))
    floor = counted(turned(truth, given.turn), given)
    return found | {f"truth_{name}": value for name, value in floor.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--turn", type=float, default=0.0, help="degrees")
    parser.add_argument("--budget", default=None, help="such as 4min; else as long as it takes")
    parser.add_argument("--refine", action="store_true")
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=JSON")
    given = parser.parse_args()
    import torch

    if given.threads:
        torch.set_num_threads(given.threads)
    settings = {k: json.loads(v) for k, v in (pair.split("=", 1) for pair in given.set)}
    about = {
        "benchmark": "gan_grid",
        "rows": given.rows,
        "turn": given.turn,
        "settings": settings,
        "threads": torch.get_num_threads(),
        "versions": {"torch": version("torch"), "python": platform.python_version()},
    }
    every = []
    for seed in given.seeds:
        every.append(run(seed, given, settings))
        print(json.dumps({**about, **every[-1]}), flush=True)
    names = [name for name in every[0] if name.endswith(("modes", "within", "kl", "seconds"))]
    spread = {
        name: [f([one[name] for one in every]) for f in (min, statistics.median, max)]
        for name in names
    }
    print(json.dumps({**about, "least_median_greatest": spread}))


if __name__ == "__main__":
    main()
