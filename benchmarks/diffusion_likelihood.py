"""Log densities of diffusion where they are known: bias and cost of each way to take them.

    python benchmarks/diffusion_likelihood.py --rows 200 --seeds 0 1 2

The denoisers are exact, so what is measured is the integration alone, on the linear path:

- `ring`: eight Gaussians of deviation 0.07 on a circle, scaled to unit variance, in 2 dimensions;
- `gaussian16`: a Gaussian of 16 dimensions, in coordinates of its own and in those of N(0, I);
- `mixture40`: four Gaussians in 40 dimensions, their covariances Wishart.

Writes a JSON line for each way: the mean error over rows ("bias"), its root mean square and its
largest value, what was stated of it (`stderr` of probes or draws, `ode_error` of steps), the
evaluations of the denoiser for a row, each with its products, and processor milliseconds a row.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from ppgen.inference.diffusion.bound import NoiseLevels, bound
from ppgen.inference.diffusion.exact import ExactMixture, exact_gaussian
from ppgen.inference.diffusion.gaussian_frame import GaussianFrame
from ppgen.inference.diffusion.likelihood import Steps, log_density
from ppgen.inference.diffusion.process import PROCESSES
from ppgen.inference.diffusion.trace import signs

LINEAR = PROCESSES["linear"]
GRIDS = (("euler", 4), ("euler", 8), ("euler", 128), ("heun", 64), ("rk4", 16), ("rk4", 64))
F64: dict[str, Any] = {"dtype": torch.float64}


def wishart(size: int, generator: torch.Generator) -> torch.Tensor:
    a = torch.randn(size, size, generator=generator, **F64) / math.sqrt(size)
    return a @ a.T + 0.05 * torch.eye(size, **F64)


def oracles(seed: int) -> Iterator[tuple[str, ExactMixture, GaussianFrame]]:
    """Name, denoiser and Gaussian of each."""
    g = torch.Generator().manual_seed(seed)
    angles = torch.arange(8, **F64) * math.pi / 4
    means = math.sqrt(2 * (1 - 0.07**2)) * torch.stack([angles.cos(), angles.sin()], 1)
    small = (0.07**2 * torch.eye(2, **F64)).repeat(8, 1, 1)
    ring = ExactMixture(LINEAR, torch.full((8,), 1 / 8, **F64), means, small)
    yield "ring", ring, GaussianFrame.of(ring.mean(), ring.covariance())
    mean, covariance = torch.randn(16, generator=g, **F64), wishart(16, g)
    gaussian = exact_gaussian(LINEAR, mean, covariance)
    yield "gaussian16", gaussian, GaussianFrame.of(mean, covariance)
    yield "gaussian16 from N(0, I)", gaussian, GaussianFrame.of(0 * mean, torch.eye(16, **F64))
    means = torch.randn(4, 40, generator=g, **F64)
    covariances = torch.stack([wishart(40, g) for _ in range(4)])
    mixture = ExactMixture(LINEAR, torch.full((4,), 0.25, **F64), means, covariances)
    yield "mixture40", mixture, GaussianFrame.of(mixture.mean(), mixture.covariance())


def ways(
    oracle: ExactMixture, frame: GaussianFrame, x: torch.Tensor
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each way to score rows, with what it gives."""
    rows, size = np.arange(len(x)), x.shape[1]

    def flow(steps: Steps | None = None, probes: int | None = None) -> dict[str, Any]:
        v = None if probes is None else signs(rows, probes, size, x)
        return vars(log_density(oracle, LINEAR, x, frame, steps=steps, probes=v))

    for tolerance in (1e-3, 1e-4, 1e-5):
        if size <= 16:
            yield f"flow, steps by {tolerance:g}", flow(Steps(tolerance=tolerance))
    if size > 2:
        for probes in (4, 8, 16):
            yield f"flow, {probes} probes", flow(Steps(tolerance=1e-3), probes)
    else:
        for method, count in GRIDS:
            yield f"flow, {count} {method} steps", flow(Steps(count, method))
    times = NoiseLevels.fit(oracle, LINEAR, x[:16], frame, rows[:16])
    for draws in (64, 256):
        how = {"end_scale": 1.0, "draws": draws}
        found = bound(oracle, LINEAR, x, frame, rows, times=times, **how)
        yield f"bound, {draws} draws", {"values": found.values, **vars(found)}


def measured(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A line for each oracle, way and seed."""
    for seed in given.seeds:
        for name, oracle, frame in oracles(seed):
            x = oracle.sample(given.rows, torch.Generator().manual_seed(1000 + seed))
            truth = oracle.log_prob(x, torch.zeros(len(x), **F64))
            began = time.process_time()
            for way, found in ways(oracle, frame, x):
                took = time.process_time() - began
                wrong = found["values"] - truth
                line = {
                    "oracle": name,
                    "way": way,
                    "seed": seed,
                    "bias": float(wrong.mean()),
                    "rms": float(wrong.square().mean().sqrt()),
                    "largest": float(wrong.abs().max()),
                    "evaluations": float(np.mean(np.asarray(found["evaluations"], np.float64))),
                    "ms_a_row": 1000 * took / len(x),
                }
                if found.get("stderr") is not None:
                    line["stderr"] = float(found["stderr"].square().mean().sqrt())
                if "ode_error" in found:
                    line["ode_error"] = float(found["ode_error"].median())
                yield line
                began = time.process_time()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    for line in measured(parser.parse_args()):
        print(json.dumps(line), flush=True)
