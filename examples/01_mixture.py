"""A mixture, and how many components the data speak for.

Eruptions of a geyser come in two sorts: short ones after a short wait, long ones after a long wait.
    BIC should find
two components in rows simulated like that, and the contours show what was learnt.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import ppgen
from ppgen.plotting import plot_mixture


def eruptions(n: int, seed: int = 0) -> pd.DataFrame:
    """n eruptions: their length and the wait for the next, in minutes."""
    rng = np.random.default_rng(seed)
    long = rng.random(n) < 0.64
    length = np.where(long, rng.normal(4.29, 0.41, n), rng.normal(2.04, 0.26, n))
    wait = np.where(long, 80.0 + 5 * (length - 4.29), 54.5 + 8 * (length - 2.04))
    return pd.DataFrame({"length": length, "wait": wait + rng.normal(0, 5.3, n)})


def main(out: str = "out/01", n: int = 300) -> ppgen.GaussianMixture:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    rows = eruptions(n)
    model = ppgen.GaussianMixture("bic", max_components=6, random_state=0).fit(rows)
    for size in model.selection_:
        print(f"{size['n_components']} components: BIC {size['bic']:.1f}, ICL {size['icl']:.1f}")
    print(f"chosen: {model.n_components_}; verdict {model.verdict_}")
    wait = model.condition({"length": 2.0})
    print(f"after an eruption of 2 minutes, wait {wait.sample(2000)['wait'].mean():.1f} minutes")
    figure = plot_mixture(
        model.weights_, model.means_, model.covariances_, rows=rows, names=("length", "wait")
    )
    figure.savefig(folder / "mixture.png")
    return model


if __name__ == "__main__":
    main(*sys.argv[1:])
