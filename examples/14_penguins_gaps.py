"""Gaps in a table of mixed columns, filled by a network that was learnt from the rows with gaps.

Penguins where PPGEN_DATA names the folder of the data (Horst, Hill and Gorman, "palmerpenguins",
2020); else birds like them. A tenth of the values is hidden, filled, and compared.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import ppgen
from ppgen.plotting import plot_network


def birds(n: int = 340) -> pd.DataFrame:
    """Three species, two sexes, a bill, flippers and a weight."""
    rng = np.random.default_rng(0)
    kind, male = rng.choice(3, n, p=[0.45, 0.2, 0.35]), rng.random(n) < 0.5
    frame = {
        "species": np.array(["Adelie", "Chinstrap", "Gentoo"])[kind],
        "sex": np.where(male, "male", "female"),
        "bill_length_mm": np.array([38.8, 48.8, 47.5])[kind] + 3 * male + 2 * rng.normal(size=n),
        "flipper_length_mm": np.array([190, 196, 217])[kind] + 5 * male + 5 * rng.normal(size=n),
    }
    mass = 3400 + np.array([0, 0, 900])[kind] + 650 * male
    frame["body_mass_g"] = mass + 20 * (frame["flipper_length_mm"] - 200) + 280 * rng.normal(size=n)
    return pd.DataFrame(frame).round(
        {"bill_length_mm": 1, "flipper_length_mm": 0, "body_mass_g": 0}
    )


def main(out: str = "out/14", n: int = 400) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    file = Path(os.environ.get("PPGEN_DATA", "")) / "tabular" / "penguins.csv"
    real = "PPGEN_DATA" in os.environ and file.exists()
    whole = pd.read_csv(file).drop(columns="year") if real else birds()
    whole = whole.iloc[np.random.default_rng(1).permutation(len(whole))[:n]].reset_index(drop=True)
    hidden = np.random.default_rng(0).random(whole.shape) < 0.1
    kinds = {name: {"kind": "real"} for name in whole.select_dtypes("number")}
    data = ppgen.as_dataset(whole.mask(hidden)).override(kinds)

    model = ppgen.BayesianNetwork(random_state=0).fit(data)
    print(f"{len(model.edges_)} edges; {model.verdict_}")
    filled = model.impute(data)
    errors = []
    for j, name in enumerate(whole):
        gap = hidden[:, j] & whole[name].notna().to_numpy()
        true, guess = whole.loc[gap, name], filled.loc[gap, name]
        if name in kinds:
            error = float(((guess - true) ** 2).mean() ** 0.5 / whole[name].std())
            print(f"  {name}: off by {error:.2f} standard deviations")
            errors.append(error)
        else:
            common = (whole[name].mode()[0] == true).mean()
            print(f"  {name}: {(guess == true).mean():.0%} right; the commonest is {common:.0%}")
    filled.to_csv(folder / "filled.csv", index=False)
    plot_network(model, {"sex": "male"}, title="Given a male").savefig(folder / "network.png")
    return float(np.mean(errors))


if __name__ == "__main__":
    main(*sys.argv[1:])
