"""`NormalizingFlow` against a plain loop over zuko's neural spline flow, side by side on POWER.

Both train at once for the same time, each on one core and one thread, on the same rows; the
held-out part given is used for nothing but the score at the end (ppgen holds out rows of the
training part for itself). The plain loop is what zuko's tutorials do, with what is known to help:
Adam, clipping, a cosine to 0 that ends with the time.

    PPGEN_DATA=... python benchmarks/flow_vs_zuko.py --minutes 1 5 10

Then the cost of a step on the same net (zuko's own) in the plain loop and through the Pyro learner,
interleaved. Writes a JSON line. Data: `power_h1/power_h1_train_valid.npz` below PPGEN_DATA with
arrays `train` and `valid`.

References: Papamakarios, Pavlakou and Murray, "Masked autoregressive flow for density estimation",
2017, https://arxiv.org/abs/1705.07057 (the data); Rozet, "zuko", 2022,
https://github.com/probabilists/zuko.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import platform
import statistics
import sys
import time
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

PLAIN: dict[str, dict[str, Any]] = {
    # The net of ppgen's plan for this table, and zuko's own defaults.
    "zuko, same sizes": {
        "net": {"transforms": 5, "hidden_features": (64, 64), "bins": 16},
        "batch_size": 512,
        "learning_rate": 5e-3,
    },
    "zuko, its defaults": {"net": {}, "batch_size": 256, "learning_rate": 1e-3},
}


def load() -> Any:
    import numpy as np

    with np.load(Path(os.environ["PPGEN_DATA"]) / "power_h1" / "power_h1_train_valid.npz") as file:
        return file["train"], file["valid"]


def pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    import torch

    torch.set_num_threads(1)


def ppgen_flow(core: int, seconds: float, seed: int, report: Any) -> None:
    pin(core)
    from ppgen.data import Schema, as_dataset
    from ppgen.models.flow import NormalizingFlow

    train, valid = load()
    # The plain loop takes the numbers as they are: so does ppgen, whose reader would find a rounded
    # column and give a bound on the mean over its cells instead.
    found = as_dataset(train).schema.columns
    schema = Schema(tuple(replace(c, kind="real", width=None, note="") for c in found))
    rows = as_dataset(train, schema)
    flow = NormalizingFlow(random_state=seed).fit(rows, budget=seconds)
    density = flow.log_density(as_dataset(valid, schema))
    report.put(
        (
            "ppgen",
            {
                "log_lik": float(density.values.mean()),
                "kind": density.kind,
                "steps": flow.n_steps_,
                "seconds": flow.fit_seconds_,
                "verdict": str(flow.verdict_),
            },
        )
    )


def plain_step(flow: Any, optimiser: Any, rows: Any, rate: float) -> None:
    import torch

    for group in optimiser.param_groups:
        group["lr"] = rate
    loss = -flow().log_prob(rows).mean()
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
    optimiser.step()


def plain(core: int, seconds: float, seed: int, report: Any, name: str) -> None:
    pin(core)
    import torch
    import zuko

    train, valid = map(torch.from_numpy, load())
    setting = PLAIN[name]
    start, step = time.perf_counter(), 0
    torch.manual_seed(seed)
    flow = zuko.flows.NSF(train.shape[1], **setting["net"])
    optimiser = torch.optim.Adam(flow.parameters(), lr=setting["learning_rate"])
    while True:
        for rows in torch.randperm(len(train)).split(setting["batch_size"]):
            used = (time.perf_counter() - start) / seconds
            if used >= 1:
                break
            rate = 0.5 * (1 + math.cos(math.pi * used)) * min(1, (step + 1) / 20)
            plain_step(flow, optimiser, train[rows], setting["learning_rate"] * rate)
            step += 1
        else:
            continue
        break
    taken = time.perf_counter() - start
    with torch.no_grad():
        values = torch.cat([flow().log_prob(rows) for rows in valid.split(4096)])
    report.put((name, {"log_lik": values.mean().item(), "steps": step, "seconds": taken}))


def race(seconds: float, seed: int, rival: str) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    report: Any = context.Queue()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0, 1]
    runs = [
        context.Process(target=ppgen_flow, args=(cores[0], seconds, seed, report)),
        context.Process(target=plain, args=(cores[1 % len(cores)], seconds, seed, report, rival)),
    ]
    for run in runs:
        run.start()
    found = dict(report.get(timeout=3 * seconds + 300) for _ in runs)
    for run in runs:
        run.join()
    return found


def step_cost(pairs: int = 40, steps: int = 8, batch_size: int = 512) -> dict[str, float]:
    """Milliseconds of a step of the same zuko net, plain and through the learner: medians of
    interleaved blocks."""
    import numpy as np
    import torch
    import zuko

    from ppgen.inference.svi_pyro import PyroLearner
    from ppgen.models.flow.pyro import guide, model

    train, _ = map(torch.from_numpy, load())
    torch.manual_seed(0)
    ours = zuko.flows.NSF(train.shape[1], transforms=3, hidden_features=(64, 64))
    theirs = zuko.flows.NSF(train.shape[1], transforms=3, hidden_features=(64, 64))
    learner = PyroLearner(partial(model, ours), guide, (train,))
    optimiser = torch.optim.Adam(theirs.parameters(), lr=1e-3)
    rng = np.random.default_rng(0)
    taken: dict[str, list[float]] = {"plain": [], "learner": []}
    for i in range(pairs + 3):
        rows = rng.integers(len(train), size=(steps, batch_size))
        for which in ("plain", "learner") if i % 2 else ("learner", "plain"):
            start = time.perf_counter()
            if which == "plain":
                for block in torch.from_numpy(rows):
                    plain_step(theirs, optimiser, train[block], 1e-3)
            else:
                learner.run(rows, np.full(steps, 1e-3))
                learner.average(0.999)
            if i >= 3:
                taken[which].append((time.perf_counter() - start) / steps * 1e3)
    medians = {k: statistics.median(v) for k, v in taken.items()}
    ratios = [a / b for a, b in zip(taken["learner"], taken["plain"], strict=True)]
    return medians | {"ratio": statistics.median(ratios)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, nargs="*", default=[1.0])
    parser.add_argument("--rivals", nargs="*", default=list(PLAIN)[:1], choices=list(PLAIN))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print("training at once, one core each", file=sys.stderr)
    record: dict[str, Any] = {
        "benchmark": "flow_vs_zuko",
        "data": "power_h1, train for fitting, valid for the score",
        "seed": options.seed,
        "threads": 1,
        "machine": platform.processor() or platform.machine(),
        "versions": {k: version(k) for k in ("torch", "zuko", "pyro-ppl", "numpy")},
        "races": [],
    }
    for minutes in options.minutes:
        for rival in options.rivals:
            found = race(60 * minutes, options.seed, rival)
            gain = found["ppgen"]["log_lik"] - found[rival]["log_lik"]
            record["races"].append({"minutes": minutes, "gain": gain, **found})
            print(f"{minutes:g} min: {found}, gain {gain:+.4f} nats", file=sys.stderr)
    pin(0)
    record["step_ms"] = step_cost()
    print(f"a step on the same net: {record['step_ms']}", file=sys.stderr)
    print(json.dumps(record))


if __name__ == "__main__":
    main()
