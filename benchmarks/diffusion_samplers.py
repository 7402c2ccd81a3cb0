"""Samplers of diffusion with exact denoisers: what is left over, by evaluations.

    python benchmarks/diffusion_samplers.py
    python benchmarks/diffusion_samplers.py --sections grids

Laws: a ring of eight narrow Gaussians, and four Gaussians with full covariances in 8 dimensions.

- `methods`: by law, method and number of steps, the error (the distance of rows from those of four
  times as many steps from the same noise, as a share of how far rows are apart), and the energy
  distance to exact samples, as a multiple of that of other exact samples.
- `grids`: the error of methods at 10, 20 and 40 evaluations on grids of times other than their own,
  against 200 steps of Heun's rule.

Writes a JSON line for each law and method, or grid. No data are needed.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from ppgen.inference.diffusion.exact import ExactMixture
from ppgen.inference.diffusion.plan import Plan, draw
from ppgen.inference.diffusion.process import PROCESSES, Process
from ppgen.inference.diffusion.quality import energy_distance, quality_by_steps
from ppgen.inference.diffusion.row_noise import RowNoise
from ppgen.inference.diffusion.samplers import SAMPLERS, run

STEPS = {
    "ancestral": (25, 50, 100, 200),
    "ddim": (10, 20, 40, 100),
    "euler": (10, 20, 40, 100),
    "heun": (5, 10, 18, 50),
    "dpm2m": (5, 10, 20, 25, 100),
}


def laws(process: Process) -> dict[str, ExactMixture]:
    angles = torch.arange(8, dtype=torch.float64) * math.pi / 4
    ring = 1.4 * torch.stack([angles.cos(), angles.sin()], 1)
    narrow = 0.01 * torch.eye(2, dtype=torch.float64).expand(8, 2, 2)
    g = torch.Generator().manual_seed(1)
    a = torch.randn(4, 8, 8, generator=g, dtype=torch.float64)
    means = 0.8 * torch.randn(4, 8, generator=g, dtype=torch.float64)
    wide = 0.36 / 8 * a @ a.mT + 0.0025 * torch.eye(8, dtype=torch.float64)
    weights = torch.tensor([0.4, 0.3, 0.2, 0.1])
    return {
        "ring": ExactMixture(process, torch.full((8,), 1 / 8), ring, narrow),
        "mixture8": ExactMixture(process, weights, means, wide),
    }


def methods(process: Process, rows: int, seed: int) -> Iterator[dict[str, Any]]:
    for law, oracle in laws(process).items():
        noise = RowNoise(seed, np.arange(rows), oracle.means.shape[1], dtype=torch.float64)
        real, *others = (
            oracle.sample(rows, torch.Generator().manual_seed(10 * seed + i)) for i in range(6)
        )
        floor = statistics.mean(abs(energy_distance(real, other)) for other in others)
        for method in SAMPLERS:
            plan_of = partial(Plan.of, process)
            for q in quality_by_steps(plan_of, oracle, noise, (method,), STEPS[method], real):
                found = {"evaluations": q.evaluations, "steps": q.steps, "error": q.error}
                yield {"law": law, "method": method, **found, "distance": q.distance / floor}


def _curve(there: Callable[[float], float], back: Callable[[Any], Any]) -> Callable[..., Any]:
    def ratios(steps: int) -> Any:
        high, low = there(max(10.0, steps / 2)), there(0.3 / steps)
        return back(torch.linspace(high, low, steps - 1, dtype=torch.float64))

    return ratios


def _straight(steps: int) -> Any:
    u = torch.linspace(1, 0, steps + 1, dtype=torch.float64)[1:-1]
    return u / (1 - u)


GRIDS = {
    "log": _curve(math.log, torch.exp),
    "rho 7": _curve(lambda r: r ** (1 / 7), lambda v: v**7),
    "rho 3": _curve(lambda r: r ** (1 / 3), lambda v: v**3),
    "sinh 0.05": _curve(lambda r: math.asinh(r / 0.05), lambda v: 0.05 * v.sinh()),
    "sinh 0.15": _curve(lambda r: math.asinh(r / 0.15), lambda v: 0.15 * v.sinh()),
    "sinh 0.5": _curve(lambda r: math.asinh(r / 0.5), lambda v: 0.5 * v.sinh()),
    "straight": _straight,
}


def grids(process: Process, rows: int, seed: int) -> Iterator[dict[str, Any]]:
    for law, oracle in laws(process).items():
        noise = RowNoise(seed, np.arange(rows), oracle.means.shape[1], dtype=torch.float64)
        best = draw(Plan.of(process, "heun", 200), oracle, noise)
        for method in ("ddim", "heun", "dpm2m"):
            sampler = SAMPLERS[method](process, oracle)
            for grid, ratios in GRIDS.items():
                found = {}
                for evaluations in (10, 20, 40):
                    between = process.time_of(ratios(evaluations // sampler.evaluations)).tolist()
                    times = [process.t_max, *between, 0.0]
                    *_, last = run(sampler, process.end_scale(1.0) * noise.at(0), times, noise)
                    error = (last.x_t - best).norm(dim=1).mean()
                    found[f"at_{evaluations}"] = float(error / torch.pdist(best).mean())
                yield {"law": law, "method": method, "grid": grid, **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", default=["methods"], help="methods, grids")
    parser.add_argument("--process", default="linear", choices=PROCESSES)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    about = {
        "benchmark": "diffusion_samplers",
        "process": given.process,
        "rows": given.rows,
        "seed": given.seed,
        "threads": torch.get_num_threads(),
        "versions": {"torch": version("torch"), "python": platform.python_version()},
    }
    for section in given.sections:
        found = methods if section == "methods" else grids
        for line in found(PROCESSES[given.process], given.rows, given.seed):
            shown = [f"{v:.2g}" if isinstance(v, float) else str(v) for v in line.values()]
            print(f"{section}: {'  '.join(shown)}", flush=True)
            print(json.dumps({**about, "section": section, **line}), flush=True)


if __name__ == "__main__":
    main()
