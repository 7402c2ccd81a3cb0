"""Defaults on tables: the flow and the VAE beside fixed kinds, one Gaussian, the mixture and a
plain loop over zuko, at the same time a fit.

    PPGEN_DATA=... python benchmarks/tables.py --minutes 1
    PPGEN_DATA=... python benchmarks/tables.py --tables bike sml --models flow maf gaussian

Each table is split 80/10/10 at random; the tenth for validation stops the fits, and the other is
scored: mean log density in nats a row, in the units of the data. The plain loop sees what the flow
sees (columns standardised, cells filled in anew each epoch), and keeps its best weights on the same
validation rows. A line is printed for each fit, and a JSON line at the end. Data: CSV files without
names of columns, `uci_datasets/*/data.csv.gz` below PPGEN_DATA, or paths.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

import ppgen
from ppgen.data import Codec, Dataset, as_dataset
from ppgen.data.dequantise import offsets

TABLES = ("airfoil", "bike", "elevators", "sml", "solar", "stock")
KINDS = ("nsf-ar", "maf", "nsf", "realnvp")
MODELS: dict[str, Callable[..., Any]] = {
    "gaussian": ppgen.Gaussian,
    "mixture": ppgen.GaussianMixture,
    "zuko": lambda **how: Plain(**how),
    "flow": ppgen.NormalizingFlow,
    "vae": ppgen.VAE,
    **{kind: (lambda kind=kind, **how: ppgen.NormalizingFlow(kind=kind, **how)) for kind in KINDS},
    **{
        f"{kind}, unwhitened": (
            lambda kind=kind, **how: ppgen.NormalizingFlow(kind=kind, whiten=False, **how)
        )
        for kind in KINDS
    },
    "vae, column": lambda **how: ppgen.VAE(noise="column", **how),
    "vae, flow prior": lambda **how: ppgen.VAE(prior="flow", **how),
    "vae, flows": lambda **how: ppgen.VAE(prior="flow", posterior="flow", **how),
}
BATCH, RATE = 256, 1e-3


def parts(table: str, seed: int) -> list[Dataset]:
    """Rows to train on, to stop at and to score."""
    path = Path(table)
    if not path.exists():
        path = Path(os.environ["PPGEN_DATA"]) / "uci_datasets" / table / "data.csv.gz"
    rows = np.loadtxt(path, delimiter=",")
    order = np.random.default_rng(seed).permutation(len(rows))
    data = as_dataset(rows)
    ends = [int(0.8 * len(rows)), int(0.9 * len(rows))]
    return [data.take(np.sort(part)) for part in np.split(order, ends)]


class Plain:
    """What zuko's tutorials do: its neural spline flow at its defaults, Adam, a cosine to 0."""

    verdict_ = "plain"

    def __init__(self, random_state: int) -> None:
        self.seed = random_state

    def _encoded(self, data: Dataset, draw: int) -> Any:
        cells = len(self.codec.continuous_names) if self.codec.dequantised else 0
        return self.codec.encode(
            data, offsets(data, cells, draw=draw, seed=self.seed) if cells else None
        )

    def _log_prob(self, data: Dataset, draw: int) -> Any:
        import torch

        encoded = self._encoded(data, draw)
        with torch.no_grad():
            found = self.flow().log_prob(torch.from_numpy(encoded.x).float())
        return found.double().numpy() + encoded.log_det

    def fit(self, train: Dataset, validation: Dataset, budget: float) -> Plain:
        import torch
        import zuko

        began = time.perf_counter()
        self.codec = Codec.fit(train, discrete="dequantised")
        torch.manual_seed(self.seed)
        self.flow = zuko.flows.NSF(len(self.codec.continuous_names))
        optimiser = torch.optim.Adam(self.flow.parameters(), lr=RATE)
        best, kept, epoch, used = -math.inf, None, 0, 0.0
        while used < 1:
            x = torch.from_numpy(self._encoded(train, epoch).x).float()
            for rows in torch.randperm(len(x)).split(BATCH):
                used = (time.perf_counter() - began) / budget
                for group in optimiser.param_groups:
                    group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * min(used, 1)))
                loss = -self.flow().log_prob(x[rows]).mean()
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)
                optimiser.step()
                if used >= 1:
                    break
            epoch += 1
            if epoch % 10 == 0 or used >= 1:
                value = float(self._log_prob(validation, 0).mean())
                if value > best:
                    best, kept = value, deepcopy(self.flow.state_dict())
        if kept is not None:
            self.flow.load_state_dict(kept)
        return self

    def score_samples(self, test: Dataset) -> Any:
        return self._log_prob(test, 0)


def measured(table: str, model: str, minutes: float, seed: int) -> dict[str, Any]:
    """A fit of a model to a table, and its score."""
    train, validation, test = parts(table, seed)
    began = time.perf_counter()
    fitted = MODELS[model](random_state=seed).fit(train, validation=validation, budget=60 * minutes)
    seconds = time.perf_counter() - began
    values = fitted.score_samples(test)
    known = np.isfinite(values)
    architecture = getattr(fitted, "architecture_", None)
    return {
        "table": table,
        "model": model,
        "seed": seed,
        "nats": float(values[known].mean()),
        "stderr": float(values[known].std() / math.sqrt(max(known.sum(), 1))),
        "impossible": int((~known).sum()),
        "rows": len(train),
        "columns": len(train.schema.columns),
        "seconds": seconds,
        "steps": getattr(fitted, "n_steps_", 0),
        "architecture": {} if architecture is None else _said(architecture),
        "chosen": _chosen(fitted.verdict_),
        "verdict": str(fitted.verdict_),
    }


def _said(architecture: Any) -> dict[str, Any]:
    names = ("kind", "n_transforms", "hidden", "whitened", "noise", "prior", "posterior")
    return {name: getattr(architecture, name) for name in names if hasattr(architecture, name)}


def _chosen(verdict: Any) -> str:
    said = [reason.what for reason in getattr(verdict, "reasons", ())]
    return " ".join(what for what in said if "was chosen" in what)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="+", default=TABLES)
    fixed = [name for name in MODELS if "," not in name]
    parser.add_argument("--models", nargs="+", default=fixed, choices=list(MODELS))
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--verdicts", action="store_true", help="print what fits say")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    found = []
    print(
        f"{'table':<12} {'rows':>6} {'cols':>4}  {'model':<20} {'nats':>10} {'s':>6} {'steps':>7}"
    )
    for table in options.tables:
        for seed in options.seeds:
            for model in options.models:
                one = measured(table, model, options.minutes, seed)
                found.append(one)
                nats = f"{one['nats']:10.3f} {one['seconds']:6.1f} {one['steps']:7d}"
                size = f"{one['rows']:6d} {one['columns']:4d}"
                impossible = f"  {one['impossible']} rows of -inf" if one["impossible"] else ""
                made_of = " ".join(f"{k}={v}" for k, v in one["architecture"].items())
                print(
                    f"{table:<12} {size}  {model:<20} {nats}  ± {one['stderr']:.2f}  "
                    f"{made_of}{impossible} {one['chosen']}",
                    flush=True,
                )
                if options.verdicts:
                    print("    " + one["verdict"].replace("\n", "\n    "), flush=True)
    for one in found:
        del one["verdict"]
    print(json.dumps({"benchmark": "tables", "minutes": options.minutes, "fits": found}))


if __name__ == "__main__":
    main()
