"""One mixture by three engines: a point by EM, a posterior by SVI and by NUTS.

The model is the same pair each time (`models/gmm/numpyro.py`). ArviZ compares the posteriors and
draws them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import arviz_plots
import arviz_stats
import matplotlib.pyplot as plt
import numpy as np

import ppgen


def main(out: str = "out/02", n: int = 200, num_samples: int = 500) -> dict[str, Any]:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(-2, 0.7, (n // 2, 1)), rng.normal(1.5, 1.0, (n - n // 2, 1))])
    draws = {"num_warmup": num_samples, "num_samples": num_samples, "num_chains": 2}
    engines: dict[str, dict[str, Any]] = {
        "em": {},
        "svi": {"num_draws": num_samples},
        "nuts": draws,
    }
    trees = {}
    for engine, settings in engines.items():
        model = ppgen.GaussianMixture(
            2, engine=engine, engine_settings=settings, random_state=0
        ).fit(rows)
        order = np.argsort(model.means_[:, 0])
        means = ", ".join(f"{m:.2f}" for m in model.means_[order, 0])
        print(f"{engine}: means {means}; {model.score(rows):.4f} nats a row; {model.verdict_}")
        if model.posterior_ is not None:
            trees[engine] = model.to_datatree(rows)
    print(arviz_stats.compare({name: arviz_stats.loo(tree) for name, tree in trees.items()}))
    plots = arviz_plots.plot_trace(trees["nuts"], var_names=["w", "mu"], backend="matplotlib")
    plots.savefig(folder / "nuts.png")
    forest = arviz_plots.plot_forest(trees["nuts"], var_names=["mu"], backend="matplotlib")
    forest.savefig(folder / "means.png")
    plt.close("all")  # ArviZ draws through pyplot
    return trees


if __name__ == "__main__":
    main(*sys.argv[1:])
