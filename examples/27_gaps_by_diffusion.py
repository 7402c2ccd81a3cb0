"""Gaps in a table of mixed columns, filled by a diffusion model many times over.

A tenth of the values is hidden from rows that were not fitted. Draws say how sure each is: of
numbers, how often the hidden value lies within the middle 80 % of its draws. Penguins where
PPGEN_DATA names the folder of the data (Horst, Hill and Gorman, "palmerpenguins", 2020); else birds
like them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import ppgen


def birds(n: int = 340) -> pd.DataFrame:
    """Three species, their bills and flippers."""
    rng = np.random.default_rng(0)
    kind = rng.choice(3, n, p=[0.45, 0.2, 0.35])
    return pd.DataFrame(
        {
            "species": np.array(["Adelie", "Chinstrap", "Gentoo"])[kind],
            "bill_length_mm": np.array([38.8, 48.8, 47.5])[kind] + 2 * rng.normal(size=n),
            "bill_depth_mm": np.array([18.3, 18.4, 15.0])[kind] + rng.normal(size=n),
            "flipper_length_mm": np.array([190, 196, 217])[kind] + 5 * rng.normal(size=n),
        }
    )


def main(
    out: str = "out/27", budget: str = "1min", n: int = 100, draws: int = 20, **settings: Any
) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    file = Path(os.environ.get("PPGEN_DATA", "")) / "tabular" / "penguins.csv"
    real = "PPGEN_DATA" in os.environ and file.exists()
    table = pd.read_csv(file)[list(birds(1))].dropna() if real else birds()
    table = table.sample(frac=1, random_state=0).reset_index(drop=True)
    fitted, others = table[n:], table[:n].reset_index(drop=True)
    model = ppgen.Diffusion(random_state=0, **settings).fit(fitted, budget=budget)
    print(model.verdict_)

    hidden = np.random.default_rng(0).random(others.shape) < 0.1
    with_gaps = others.mask(hidden)
    filled = [model.impute(with_gaps, draw=True, random_state=k) for k in range(draws)]
    numbers = [str(name) for name in others.select_dtypes("number")]
    within, fig = [], plt.figure(figsize=(7, 2.4), layout="constrained")
    for axes, name in zip(fig.subplots(1, len(numbers)), numbers, strict=True):
        gaps = hidden[:, list(others).index(name)]
        made, true = np.array([rows.loc[gaps, name] for rows in filled]), others.loc[gaps, name]
        low, middle, high = np.quantile(made, [0.1, 0.5, 0.9], axis=0)
        within += list((low <= true) & (true <= high))
        axes.errorbar(true, middle, [middle - low, high - middle], fmt=".", lw=0.8)
        axes.axline((true.mean(), true.mean()), slope=1, lw=0.8, color="0.6")
        axes.set(xlabel=f"{name}, hidden", ylabel="drawn")
    fig.savefig(folder / "gaps.png", dpi=150)
    plt.close(fig)
    share = float(np.mean(within))
    print(f"{share:.0%} of {len(within)} hidden numbers lie within the middle 80 % of their draws")
    return share


if __name__ == "__main__":
    main(*sys.argv[1:2])
