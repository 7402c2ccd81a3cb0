"""An own schema, gaps, and questions: what is this column likely to be, given that one?"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import ppgen


def trees(n: int, seed: int = 0) -> pd.DataFrame:
    """Trees of two species, with the direction their trunk leans to, and a third of the heights not
    taken."""
    rng = np.random.default_rng(seed)
    oak = rng.random(n) < 0.5
    height = np.exp(np.where(oak, 2.9, 2.4) + 0.2 * rng.normal(size=n))
    frame = pd.DataFrame(
        {
            "species": np.where(oak, "oak", "birch"),
            "height": np.where(rng.random(n) < 0.33, np.nan, np.round(height, 1)),
            "girth": height * np.where(oak, 0.12, 0.06) * np.exp(0.1 * rng.normal(size=n)),
            "lean": (350 + 25 * rng.normal(size=n)) % 360,
            "nests": rng.poisson(np.where(oak, 2.5, 0.4)),
        }
    )
    frame.loc[rng.random(n) < 0.1, "species"] = None
    return frame


def main(out: str = "out/05", n: int = 800) -> pd.DataFrame:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {
        "height": "positive",
        "girth": "positive",
        "lean": {"kind": "circular", "period": 360},
        "nests": "count",
    }
    data = ppgen.as_dataset(trees(n)).override(kinds)
    print(data.schema)
    model = ppgen.GaussianMixture(random_state=0).fit(data.train)
    print(f"{model.log_density(data.test)}; {model.verdict_}")
    oak = model.condition({"species": "oak", "girth": 2.0})
    print(
        f"an oak of girth 2.0 m: {oak.sample(2000, random_state=1)['height'].median():.1f} m high"
    )
    print(model.sample(3, given={"lean": 10.0}))
    filled = model.impute(data.test)
    filled.to_csv(folder / "filled.csv", index=False)
    model.save(folder / "run")
    again = ppgen.load(folder / "run")
    difference = again.score_samples(data.test) - model.score_samples(data.test)
    print(f"saved and loaded: the same scores to {np.abs(difference).max():.1e}")
    return filled


if __name__ == "__main__":
    main(*sys.argv[1:])
