"""`VAE` on static binarised MNIST: bounds after a time, and its speed against a plain loop.

    PPGEN_DATA=... python benchmarks/vae_mnist.py --minutes 10 20
    PPGEN_DATA=... python benchmarks/vae_mnist.py --sections speed scoring

- `bound`: fits for so many minutes to the training part; IWAE-5000 of the first 1,000 rows of the
  validation part, which nothing else is done with (a tenth of the training part is held out).
- `speed`: processor seconds an epoch of the 784-200-200-50 net, by ppgen's loop and by a loop in
  plain torch with the same net, optimiser, batches and draws, turn by turn; the median ratio.
- `scoring`: seconds of IWAE-5000 on 1,000 rows for that net, and for the convolutional one.

Writes a JSON line for each. Data: `binarized_mnist_static/train_valid.npz` below PPGEN_DATA.

Reference: Larochelle and Murray, "The neural autoregressive distribution estimator" (the
binarisation), 2011, https://proceedings.mlr.press/v15/larochelle11a.html.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

CONV: dict[str, Any] = {"latent_dim": 40, "prior": "flow", "channels": (16, 32)}
MLP: dict[str, Any] = {"latent_dim": 50, "net": "mlp", "hidden": (200, 200)}
SAMPLES, ROWS = 5000, 1000


def load() -> tuple[Any, Any]:
    """Images (n, 28, 28) of 0 and 1: training and validation part."""
    with np.load(
        Path(os.environ["PPGEN_DATA"]) / "binarized_mnist_static" / "train_valid.npz"
    ) as file:
        return tuple(file[part].reshape(-1, 28, 28).astype(np.uint8) for part in ("train", "valid"))


def bound(minutes: float, seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Fit for some minutes; the bound of held-out rows."""
    import ppgen

    train, valid = load()
    vae = ppgen.VAE(**{**CONV, **settings}, random_state=seed)
    vae.fit(train, budget=60 * minutes, progress=True)
    began = time.perf_counter()
    density = vae.log_density(valid[:ROWS], n_samples=SAMPLES)
    seconds = time.perf_counter() - began
    khat = density.diagnostics["khat"]
    return {
        "minutes": minutes,
        "fit_seconds": vae.fit_seconds_,
        "epochs": vae.n_epochs_,
        "steps": vae.n_steps_,
        "nats": -density.mean(),
        "stderr_rows": density.mean_stderr(),
        "method": density.method,
        "elbo": -vae.bound(valid[:ROWS]).elbo.mean(),
        "khat_above": float((khat > density.diagnostics["good_khat"]).mean()),
        "scoring_seconds": seconds,
        "verdict": str(vae.verdict_),
    }


def plain_epochs(x: Any, seed: int) -> Any:
    """The same net and loop, written out: yields after each epoch."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    torch.manual_seed(seed)
    encoder = nn.Sequential(
        nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, 100)
    )
    decoder = nn.Sequential(
        nn.Linear(50, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, 784)
    )
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=1e-3, fused=True)
    while True:
        for rows in torch.randperm(len(x)).split(128):
            batch = x[rows]
            m, log_s = encoder(batch).chunk(2, -1)
            z = m + torch.exp(log_s) * torch.randn_like(m)
            logits = decoder(z)
            log_x = -F.binary_cross_entropy_with_logits(logits, batch, reduction="sum")
            kl = 0.5 * (m.square() + torch.exp(2 * log_s) - 1 - 2 * log_s).sum()
            loss = (kl - log_x) / len(batch)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        yield


def ours_epochs(x: Any, seed: int) -> Any:
    """ppgen's loop with all it does besides: averages, clipping, evaluation on held-out rows."""
    from ppgen.inference import gradient
    from ppgen.inference.local_objective import Objective
    from ppgen.models.nets.held_out import Subset
    from ppgen.models.nets.values import Values
    from ppgen.models.vae.build import Architecture
    from ppgen.models.vae.parts import Part
    from ppgen.models.vae.trained_nets import TrainedNets

    architecture = Architecture(
        "mlp", (Part("bernoulli", 0, 784),), (50,), shape=(1, 28, 28), hidden=(200, 200)
    )
    nets = TrainedNets(architecture, Values(784, shape=(1, 28, 28)), seed, rows=x[:5000])
    every = np.arange(len(x), dtype=np.uint64)
    rows = Subset(x, np.arange(len(x)), np.zeros(len(x)), None, None, None, lambda: every)
    learner = nets.learner(rows, rows.only(np.arange(2000)), Objective(steady=2), seed)
    settings = gradient.Schedule(batch_size=128, max_epochs=1000, decay="constant", patience=0)
    for _ in gradient.train(learner, len(x), settings, seed=seed, validation=learner.evaluate):
        yield


def speed(pairs: int, seed: int) -> dict[str, Any]:
    """Median ratio of processor seconds an epoch, ours to plain, in turns."""
    import torch

    x = load()[0].reshape(-1, 784)
    loops = {"plain": plain_epochs(torch.from_numpy(x).float(), seed), "ours": ours_epochs(x, seed)}
    took: dict[str, list[float]] = {name: [] for name in loops}
    for loop in loops.values():
        next(loop)  # the first evaluation, or the first epoch
    for _ in range(pairs):
        for name, loop in loops.items():
            began = time.process_time()
            next(loop)
            took[name].append(time.process_time() - began)
    ratios = [a / b for a, b in zip(took["ours"], took["plain"], strict=True)]
    return {
        "pairs": pairs,
        "plain_seconds": statistics.median(took["plain"]),
        "our_seconds": statistics.median(took["ours"]),
        "ratio": statistics.median(ratios),
        "ratios": ratios,
    }


def scoring(seed: int) -> dict[str, Any]:
    """Seconds of IWAE-5000 on 1,000 rows after a short fit."""
    import ppgen

    train, valid = load()
    found = {}
    for name, settings in (("mlp", MLP), ("conv", CONV)):
        vae = ppgen.VAE(**settings, random_state=seed).fit(train[:10_000], budget=20)
        began = time.perf_counter()
        vae.log_density(valid[:ROWS], n_samples=SAMPLES)
        found[name] = time.perf_counter() - began
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", default=["bound"])
    parser.add_argument("--minutes", nargs="+", type=float, default=[10])
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=JSON")
    given = parser.parse_args()
    import torch

    if given.threads:
        torch.set_num_threads(given.threads)
    settings = {k: json.loads(v) for k, v in (pair.split("=", 1) for pair in given.set)}
    about = {
        "benchmark": "vae_mnist",
        "seed": given.seed,
        "threads": torch.get_num_threads(),
        "settings": settings,
        "versions": {"torch": version("torch"), "python": platform.python_version()},
    }
    for section in given.sections:
        runs: list[Any] = [lambda: speed(given.pairs, given.seed)]
        if section == "scoring":
            runs = [lambda: scoring(given.seed)]
        if section == "bound":
            runs = [lambda m=m: bound(m, given.seed, settings) for m in given.minutes]
        for run in runs:
            found = run()
            for key, value in found.items():
                shown = (
                    f"{value:.4g}" if isinstance(value, float) and math.isfinite(value) else value
                )
                print(f"{section}: {key}: {shown}", flush=True)
            print(json.dumps({**about, "section": section, **found}), flush=True)


if __name__ == "__main__":
    main()
