"""A GAN on a grid of 25 Gaussians: how many modes its samples reach, drawn plainly and refined."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import ppgen

CENTRES = np.stack(np.meshgrid(*[np.arange(-4.0, 5.0, 2.0)] * 2), axis=-1).reshape(-1, 2)


def main(out: str = "out/16", budget: str = "4min", n: int = 10_000) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    data = ppgen.read("toy:grid25")
    gan = ppgen.GAN(random_state=0).fit(data.train, validation=data.valid, budget=budget)
    print(f"{gan.verdict_}\nafter {gan.n_steps_} steps")

    # The discriminator knows which samples are too common or off the grid.
    drawn = {"drawn": gan.sample(n), "refined": gan.sample(n, refine=True)}
    for name, rows in drawn.items():
        counts = ppgen.mode_counts(rows, CENTRES, 0.05)
        print(
            f"{name}: {counts.modes} of 25 modes, {counts.within:.1%} of samples within three "
            f"standard deviations (of real rows {counts.within_floor:.1%}), reverse KL "
            f"{counts.kl:.3f} (of real rows {counts.kl_floor:.3f})"
        )

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = {"real": data.test.to_native(), **drawn}
    for axes, (name, rows) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        x = np.asarray(rows)[:3000]
        axes.plot(*x.T, ".", markersize=1.5, alpha=0.5)
        axes.set(title=name, xlim=(-5, 5), ylim=(-5, 5), aspect="equal")
    figure.savefig(folder / "grid.png", dpi=120)
    return counts.kl


if __name__ == "__main__":
    main(*sys.argv[1:])
