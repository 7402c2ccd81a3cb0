"""Early stopping of SVI: how often a fit that still improves is stopped, and how late a plateau is
found; and what is lost by it on real fits.

    python benchmarks/early_stopping.py
    PPGEN_DATA=... python benchmarks/early_stopping.py --sections fits

- `traces`: synthetic losses of four shapes (linear, exponential, power-law, staircase) with noise
  that is normal, Student-t(3), exponential, autocorrelated or fading, of several sizes; the share
  stopped while they improve, and the median delay after they have ceased to.
- `fits`: regressions of posteriordb, fitted with and without early stopping; the ELBO lost.

Writes a JSON line for each.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

SHAPES = ("linear", "exponential", "power-law", "staircase")
# kind of noise, and the improvement a step in units of its standard deviation at the slowest
NOISE = tuple(
    (kind, rate)
    for kind in ("normal", "student", "exponential", "ar0.5", "ar0.8", "fading")
    for rate in ((0.05, 0.2) if kind in ("ar0.8", "fading") else (0.02, 0.05, 0.2))
)
STAIR = 100


def shape(kind: str, steps: int) -> Any:
    """A loss that falls to the end (steps,)."""
    t = np.arange(steps)
    if kind == "linear":
        return 1 - t / steps
    if kind == "exponential":
        return np.exp(-3 * t / steps)
    if kind == "power-law":
        return (1 + t / 20) ** -0.5
    return 1 - t // STAIR * STAIR / steps


def noise(kind: str, shape: tuple[int, int], rng: np.random.Generator) -> Any:
    """Noise of standard deviation 1; of "fading" it falls from 3 to 1."""
    if kind == "student":
        return rng.standard_t(3, shape) / math.sqrt(3)
    if kind == "exponential":
        return rng.exponential(size=shape) - 1
    white = rng.normal(size=shape)
    if kind == "fading":
        return white * np.linspace(3, 1, shape[1])
    if kind.startswith("ar"):
        rho = float(kind[2:])
        for step in range(1, shape[1]):
            white[:, step] = rho * white[:, step - 1] + math.sqrt(1 - rho**2) * white[:, step]
    return white


def traces(
    kind: str,
    of: tuple[str, float],
    steps: int,
    n: int,
    rng: np.random.Generator,
    plateau: int | None = None,
) -> Any:
    """Losses (n, steps) that improve at the rate `of` at the slowest, or up to `plateau` only."""
    end = steps if plateau is None else plateau
    fall = shape(kind, end)
    tenth = max(end // 10, STAIR)
    fall = fall * of[1] / ((fall[-1 - tenth] - fall[-1]) / tenth)
    if plateau is not None:
        fall = np.concatenate([fall, np.full(steps - plateau, fall[-1])])
    return fall + noise(of[0], (n, steps), rng)


def stopped_at(losses: Any) -> float:
    """The step at which a trace is stopped; infinite where it is not."""
    from ppgen.inference.plateau import BLOCK, Plateau

    watch = Plateau()
    for start in range(0, len(losses), BLOCK):
        if watch.see(losses[start : start + BLOCK]):
            return start + BLOCK
    return math.inf


def of_traces(n: int, steps: int, seed: int) -> Iterator[dict[str, Any]]:
    """Of each shape, `n` traces of each use."""
    rng, each = np.random.default_rng(seed), math.ceil(n / len(NOISE))
    for kind in SHAPES:
        stops = [stopped_at(x) for of in NOISE for x in traces(kind, of, steps, each, rng)]
        half = steps // 2
        late = np.array(
            [stopped_at(x) for of in NOISE for x in traces(kind, of, steps, each, rng, half)]
        )
        yield {
            "shape": kind,
            "traces": len(stops),
            "stopped": float(np.isfinite(stops).mean()),
            "delay_median": float(np.median(late - half)),
            "delay_90": float(np.quantile(late - half, 0.9)),
            "stopped_before": float((late <= half).mean()),
        }


def of_fits(names: list[str], steps: int, seed: int) -> Iterator[dict[str, Any]]:
    """The ELBO with and without early stopping."""
    from posteriordb_models import POSTERIORS

    import ppgen

    for name in names:
        posterior, found = POSTERIORS[name], {}
        for early in (True, False):
            began = time.perf_counter()
            fit = ppgen.Pair(posterior.model).fit(
                **posterior.data(), method="svi", num_steps=steps, early_stopping=early,
                random_state=seed,
            )  # fmt: skip
            found[early] = fit.log_evidence_, fit.posterior.gradients, time.perf_counter() - began
        (early, taken, seconds), (whole, *_) = found[True], found[False]
        yield {
            "posterior": name,
            "elbo": early.value,
            "elbo_of_all_steps": whole.value,
            "stderr": math.hypot(early.stderr, whole.stderr),
            "lost_share": (whole.value - early.value) / abs(whole.value),
            "steps": taken,
            "seconds": seconds,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", default=["traces"])
    parser.add_argument("--traces", type=int, default=1000)
    parser.add_argument("--length", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument(
        "--posteriors", nargs="+", default=["kidiq-kidscore_interaction", "mesquite-mesquite"]
    )
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for section in given.sections:
        runs = of_traces(given.traces, given.length, given.seed)
        if section == "fits":
            runs = of_fits(given.posteriors, given.steps, given.seed)
        for found in runs:
            about = {"benchmark": "early_stopping", "section": section, "seed": given.seed}
            print(json.dumps({**about, **found}), flush=True)


if __name__ == "__main__":
    main()
