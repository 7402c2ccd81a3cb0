"""A prior learnt from data, in a model of your own: a river gauged badly.

Discharge and sediment were measured well on many days, and a mixture learns how they go together:
along a bend, as a flood carries much more. On a few days both were read off poor instruments. In
the model below the mixture is the prior of what they really were, and how poor the instruments are
is inferred beside. With a log-normal prior, which knows of no bend, less is gained. Any other
fitted density can stand there, a flow for one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import numpyro
import numpyro.distributions as dist

import ppgen


def days(n: int, seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(n, 2) discharge in cubic metres a second, and sediment in grams a litre."""
    rng = np.random.default_rng(seed)
    level = rng.normal(size=n)
    sediment = 0.1 * level + 1.2 * np.logaddexp(0.0, 3 * level - 1) + rng.normal(0, 0.2, n)
    return np.exp(np.column_stack([3 + 0.8 * level, sediment - 1]))


def main(
    out: str = "out/36", n: int = 1000, read: int = 40, num_samples: int = 1000
) -> dict[str, float]:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    measured, true = days(n, seed=0), days(read, seed=1)
    poor = np.array([0.5, 0.5])  # errors of the logarithm, which the model is not told
    readings = true * np.exp(poor * np.random.default_rng(2).normal(size=true.shape))
    rows = ppgen.read(measured, schema={"x0": "positive", "x1": "positive"})
    mixture = ppgen.GaussianMixture("bic", max_components=6, random_state=0).fit(rows)
    priors = {
        "learnt": mixture.as_distribution("numpyro"),
        "log-normal": ppgen.Gaussian().fit(rows).as_distribution("numpyro"),
    }

    def model(y: Any, prior: Any) -> None:
        error = numpyro.sample("error", dist.HalfNormal(1.0).expand([2]).to_event(1))
        with numpyro.plate("days", len(y)):
            x = numpyro.sample("x", prior)
            numpyro.sample("y", dist.LogNormal(jnp.log(x), error).to_event(1), obs=y)

    def off(x: Any) -> float:
        return float(np.sqrt(np.mean(np.log(x / true) ** 2)))

    found = {"as read": off(readings)}
    figure, panels = plt.subplots(
        1, 2, figsize=(9, 4), sharex=True, sharey=True, layout="constrained"
    )
    for panel, (name, prior) in zip(panels, priors.items(), strict=True):
        fit = ppgen.Pair(model).fit(
            readings, prior, method="nuts", num_samples=num_samples, random_state=0
        )
        x = np.exp(np.log(fit.draws["x"]).mean((0, 1)))
        found[name] = off(x)
        print(f"{name}: errors of {fit.draws['error'].mean((0, 1)).round(2)}; {fit.verdict_}")
        panel.loglog(*measured.T, ".", ms=2, color="0.8")
        for start, end in zip(readings, x, strict=True):
            panel.annotate("", end, start, arrowprops={"arrowstyle": "->", "lw": 0.8})
        panel.set(title=f"{name} prior", xlabel="discharge (m³/s)", ylabel="sediment (g/l)")
    for name, each in found.items():
        print(f"{name}: off by a factor of {np.exp(each):.2f}")
    figure.savefig(folder / "corrected.png")
    plt.close(figure)
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
