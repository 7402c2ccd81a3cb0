"""Eight schools: one posterior in two coordinates, of which chains can only walk in one.

Effects of coaching on test scores (Rubin, "Estimation in parallel randomized experiments", 1981).
Where tau is small, all effects must be near their mean: a funnel, whose neck chains on the effects
themselves do not reach. The verdict says so; not centred, there is no neck.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import ppgen

EFFECT = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERROR = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def main(out: str = "out/30", num_samples: int = 1000) -> dict[str, ppgen.PairFit]:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    pair, fits = ppgen.Pair("eight_schools"), {}
    figure = Figure((8, 4), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    for axis, (name, centred) in zip(
        axes, {"centred": True, "not centred": False}.items(), strict=True
    ):
        fit = pair.fit(EFFECT, sigma=ERROR, centred=centred, num_samples=num_samples)
        fits[name] = fit
        tau = fit.draws["tau"]
        theta = fit.draws["theta"] if centred else fit.predictive()["theta"]
        print(f"{name}: {fit.verdict_}")
        print(f"  mean effect {fit.draws['mu'].mean():.1f}, tau below 1 in {(tau < 1).mean():.1%}")
        diverged = fit.stats["diverging"].astype(bool)
        axis.plot(theta[..., 0].ravel(), np.log(tau).ravel(), ".", markersize=2, alpha=0.4)
        axis.plot(theta[diverged][:, 0], np.log(tau[diverged]), "x", label="diverged")
        axis.set(title=name, xlabel="effect of the first school", ylabel="log tau")
        axis.legend()
    best = (theta.argmax(axis=-1) == 0).mean()
    low, high = np.quantile(theta[..., 0], [0.05, 0.95])
    print(
        f"The first school measured {EFFECT[0]:.0f}; 90% of its effect is in {low:.0f}..{high:.0f},"
    )
    print(f"and it is the best of the eight with a probability of {best:.0%} only.")
    figure.savefig(folder / "funnel.png")
    return fits


if __name__ == "__main__":
    main(*sys.argv[1:])
