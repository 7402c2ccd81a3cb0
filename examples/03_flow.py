"""A normalizing flow on two moons: density, samples, and classes as what it is conditioned on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import ppgen
from ppgen.plotting import pair_panel, training_curves


def main(out: str = "out/03", n: int = 2000, budget: str = "30s") -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    data = ppgen.as_dataset(ppgen.read("toy:two_moons").to_native()[:n])
    flow = ppgen.NormalizingFlow(random_state=0).fit(
        data.train, validation=data.valid, budget=budget
    )
    density = flow.log_density(data.test)
    print(f"flow: {density}; {flow.verdict_}")
    floor = ppgen.Gaussian().fit(data.train).score(data.test)
    print(f"one Gaussian: {floor:.3f} nats a row")
    samples = ppgen.as_dataset(flow.sample(1000), data.schema)
    pair_panel(data, samples, ("x0", "x1"), title="flow").savefig(folder / "moons.png")
    training_curves([flow.trace_], title="flow").savefig(folder / "training.png")

    upper = (data.matrix()[:, 1] > 0.25).astype(int)
    conditional = ppgen.NormalizingFlow(random_state=0).fit(data, y=upper, budget=budget)
    high = np.asarray(conditional.sample(500, y=1))[:, 1]
    print(f"sampled given the upper half: {np.mean(high > 0.25):.0%} are in it")
    return density.mean()


if __name__ == "__main__":
    main(*sys.argv[1:])
