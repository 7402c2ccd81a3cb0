"""A step of `GAN` against the same step written by hand in torch.

    python benchmarks/gan_step.py --pairs 15 --steps 200

Both take the same nets, rows, batches, objective (relativistic with R1 + R2 each step), optimiser
and averaged weights; ppgen's learner besides measures the gradients' norms, keeps the state and
its own random state. Turn by turn, processor seconds; the median ratio of pairs, and its spread.
Writes a JSON line.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

Loop = Callable[[Any, argparse.Namespace], Iterator[None]]

CHUNK, DECAY = 16, 0.999
BETAS, GAMMA, RATE = (0.0, 0.99), 0.1, 1e-3


def nets(given: argparse.Namespace) -> Any:
    """ppgen's nets for vectors."""
    from ppgen.models.gan.nets import Architecture
    from ppgen.models.gan.trained import TrainedGAN
    from ppgen.models.nets.values import Values
    from ppgen.models.nets.views import View

    hidden = (given.width,) * given.layers
    architecture = Architecture("mlp", given.latent, hidden=hidden)
    return TrainedGAN(architecture, View(Values(given.columns)), given.seed)


def ours(x: Any, given: argparse.Namespace) -> Iterator[None]:
    """Steps of ppgen's learner."""
    from ppgen.inference.schedule import Schedule
    from ppgen.models.gan.game import Penalty
    from ppgen.models.gan.plan import Plan
    from ppgen.models.nets.held_out import Subset

    every = np.arange(len(x))
    rows = Subset(x, every, np.zeros(len(x)), None, None, None, lambda: every.astype(np.uint64))
    made, penalty = nets(given), Penalty("r1r2", GAMMA)
    plan = Plan("relativistic", made.architecture, 1, penalty, None, Schedule())
    learner = made.learner(rows, None, None, plan)
    rng = np.random.default_rng(0)
    while True:
        for _ in range(given.steps // CHUNK):
            batches = rng.integers(len(x), size=(CHUNK, given.batch))
            learner.run(batches, np.full(CHUNK, RATE))
            learner.average(DECAY**CHUNK)
        yield


def by_hand(x: Any, given: argparse.Namespace) -> Iterator[None]:
    """The same steps in plain torch."""
    import torch
    from torch.nn.functional import softplus

    made = nets(given)
    generator, discriminator = made.generator, made.discriminator
    adam = partial(torch.optim.Adam, betas=BETAS, lr=RATE, fused=True)
    of_d, of_g = adam(discriminator.parameters()), adam(generator.parameters())
    weights = [*generator.parameters(), *discriminator.parameters()]
    averages = [p.detach().clone() for p in weights]
    rows, rng = torch.from_numpy(x).float(), np.random.default_rng(0)
    while True:
        for _ in range(given.steps // CHUNK):
            for numbers in torch.from_numpy(rng.integers(len(x), size=(CHUNK, given.batch))):
                real = rows[numbers]
                with torch.no_grad():
                    fake = generator(torch.randn(given.batch, given.latent))
                both = torch.cat([real, fake]).requires_grad_()
                scores = discriminator(both)
                r, f = scores.chunk(2)
                (slope,) = torch.autograd.grad(scores.sum(), both, create_graph=True)
                penalty = slope.square().sum(1).view(2, -1).sum(0)
                loss = (softplus(f - r) + GAMMA / 2 * penalty).mean()
                of_d.zero_grad()
                loss.backward()
                of_d.step()
                discriminator.requires_grad_(False)
                with torch.no_grad():
                    r = discriminator(real)
                loss = softplus(
                    r - discriminator(generator(torch.randn(given.batch, given.latent)))
                )
                of_g.zero_grad()
                loss.mean().backward()
                of_g.step()
                discriminator.requires_grad_(True)
            with torch.no_grad():
                torch._foreach_lerp_(averages, weights, 1 - DECAY**CHUNK)
        yield


def compare(benchmark: str, by_hand: Loop, ours: Loop, given: argparse.Namespace) -> None:
    """Write what a step costs by hand and by ppgen's learner, in turns, as a JSON line."""
    import torch

    torch.set_num_threads(given.threads)
    x = np.random.default_rng(given.seed).standard_normal((5000, given.columns))
    loops = {"by_hand": by_hand(x, given), "ours": ours(x, given)}
    for loop in loops.values():
        next(loop)
    took: dict[str, list[float]] = {name: [] for name in loops}
    for pair in range(given.pairs):
        for name in sorted(loops, reverse=bool(pair % 2)):
            began = time.process_time()
            next(loops[name])
            took[name].append((time.process_time() - began) / given.steps)
    ratios = [a / b for a, b in zip(took["ours"], took["by_hand"], strict=True)]
    found = {
        "by_hand_ms": 1e3 * statistics.median(took["by_hand"]),
        "ours_ms": 1e3 * statistics.median(took["ours"]),
        "ratio": statistics.median(ratios),
        "quartiles": np.quantile(ratios, [0.25, 0.75]).tolist(),
    }
    versions = {"torch": version("torch"), "python": platform.python_version()}
    print(json.dumps({"benchmark": benchmark, **vars(given), **found, "versions": versions}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--steps", type=int, default=192, help="a turn")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--columns", type=int, default=2)
    parser.add_argument("--latent", type=int, default=8)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    compare("gan_step", by_hand, ours, given)


if __name__ == "__main__":
    main()
