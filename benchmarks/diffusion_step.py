"""A step of `Diffusion` against the same step written by hand in torch.

    python benchmarks/diffusion_step.py --pairs 15

Both take the same net, rows, batches, distribution of times, target, optimiser and averaged
weights; ppgen's learner besides clips the gradient, looks whether the loss is finite, keeps its own
random state and stratifies the times. Turn by turn, processor seconds; the median ratio of pairs,
and its spread. Writes a JSON line.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
from gan_step import compare

CHUNK, DECAY, RATE = 16, 0.999, 1e-3
MEAN, SPREAD = -1.2, 2.0


def net(given: argparse.Namespace) -> Any:
    """ppgen's net for vectors."""
    from ppgen.models.diffusion.nets import Architecture
    from ppgen.models.diffusion.plan import Noise
    from ppgen.models.diffusion.trained import TrainedDiffusion
    from ppgen.models.nets.values import Values
    from ppgen.models.nets.views import View

    architecture = Architecture("mlp", 0, given.width, given.depth, given.frequencies)
    noise = Noise("linear", "edm", 1.0, MEAN, SPREAD)
    return TrainedDiffusion(architecture, View(Values(given.columns)), noise, given.seed)


def ours(x: Any, given: argparse.Namespace) -> Iterator[None]:
    """Steps of ppgen's learner."""
    from ppgen.inference.schedule import Schedule
    from ppgen.models.diffusion.plan import Plan
    from ppgen.models.nets.held_out import Subset

    every, made = np.arange(len(x)), net(given)
    rows = Subset(x, every, np.zeros(len(x)), None, None, None, lambda: every.astype(np.uint64))
    plan = Plan(made.architecture, made.noise, "independent", 0.0, 1, Schedule())
    learner = made.learner(rows, None, plan)
    rng = np.random.default_rng(0)
    while True:
        for _ in range(given.steps // CHUNK):
            learner.run(rng.integers(len(x), size=(CHUNK, given.batch)), np.full(CHUNK, RATE))
            learner.average(DECAY**CHUNK)
        yield


def by_hand(x: Any, given: argparse.Namespace) -> Iterator[None]:
    """The same steps in plain torch: linear path, preconditioned target, rows of unit variance."""
    import torch

    module = net(given).net
    adam = torch.optim.Adam(module.parameters(), lr=RATE, fused=True)
    weights = list(module.parameters())
    averages = [p.detach().clone() for p in weights]
    rows, rng = torch.from_numpy(x).float(), np.random.default_rng(0)
    while True:
        for _ in range(given.steps // CHUNK):
            for numbers in torch.from_numpy(rng.integers(len(x), size=(CHUNK, given.batch))):
                data = rows[numbers]
                level = MEAN + SPREAD * torch.randn(given.batch)
                t = level.sigmoid()[:, None]
                eps = torch.randn_like(data)
                scale = (t**2 + (1 - t) ** 2).sqrt()
                output = module(((1 - t) * data + t * eps) / scale, level, None, None)
                loss = (output - (t * data - (1 - t) * eps) / scale).square().mean()
                adam.zero_grad()
                loss.backward()
                adam.step()
            with torch.no_grad():
                torch._foreach_lerp_(averages, weights, 1 - DECAY**CHUNK)
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--steps", type=int, default=96, help="a turn")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--columns", type=int, default=2)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--frequencies", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    compare("diffusion_step", by_hand, ours, given)


if __name__ == "__main__":
    main()
