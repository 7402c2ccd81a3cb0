"""Do bounds keep their order?

For a model with latents, in expectation over draws,

    ELBO  <=  IWAE-k  <=  IWAE-K  <=  log p(x)        for k < K,

and for rows that the model simulates, AIS and IWAE lie below what annealing back from the latents
that made them gives (bidirectional Monte Carlo). Each step is judged over distinct rows, whose
draws are independent of each other's, by the mean of paired differences.

References: Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", 2016,
https://arxiv.org/abs/1509.00519; Grosse, Ancha and Roy, "Measuring the reliability of MCMC
inference with bidirectional Monte Carlo", 2016, https://arxiv.org/abs/1606.02275.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from ...arrays import Floats
from ...data import row_hashes
from ...density import mean_stderr
from .findings import Check, measured, statistical, step, unchecked
from .subject import Subject

_ROWS, _FEW, _MANY = 200, 8, 64
_SANDWICH = ("AIS <= BDMC", "IWAE <= BDMC")
_SIMULATED = {"n_rows": 24, "n_chains": 8, "n_temperatures": 60, "n_samples": 64}


@step(("bounds", "bounds keep their order"))
def bounds(subject: Subject) -> Iterator[Check]:
    """Rising bounds, and the sandwich, where a model has them."""
    model: Any = subject.model
    if not (model.capabilities.latents and model.capabilities.density == "lower_bound"):
        return
    given = subject.rows if subject.rows is not None else subject.draw(_ROWS, 31)
    # Equal rows have the same draws: one of each, or their noise would count as many times.
    distinct = np.unique(row_hashes(given), return_index=True)[1]
    rows = given.take(np.sort(distinct)[:_ROWS])
    y = subject.repeated(len(rows))

    def said(method: str, n_samples: int) -> Floats:
        return np.asarray(model.log_density(rows, y, method=method, n_samples=n_samples).values)

    steps = [said("elbo", _MANY), said("iwae", _FEW), said("iwae", _MANY)]
    names = ("ELBO", f"IWAE-{_FEW}", f"IWAE-{_MANY}")
    for low, high, below, above in zip(steps, steps[1:], names, names[1:], strict=False):
        yield _ordered(f"{below} <= {above}", low, high, f"{len(rows)} rows, in pairs")
    yield from _sandwich(subject, model)


@step(*((name, f"{name} in expectation") for name in _SANDWICH))
def _sandwich(subject: Subject, model: Any) -> Iterator[Check]:
    subject.share(0.1)
    seed = int(subject.rng(30).integers(2**31 - 1))
    gap = model.density_gap(**_SIMULATED, random_state=seed)
    how = f"{len(gap.iwae)} simulated rows"
    for name, low in zip(_SANDWICH, (gap.lower, gap.iwae), strict=True):
        yield _ordered(name, low, gap.upper, how)


def _claim(name: str) -> str:
    return f"{name} in expectation"


def _ordered(name: str, low: Floats, high: Floats, how: str) -> Check:
    impossible = int((np.isneginf(high) & np.isfinite(low)).sum())
    if impossible:
        rules_out = "a row with a bound above a density of 0"
        return measured(name, _claim(name), impossible, 0.0, rules_out=rules_out, why=how)
    known = np.isfinite(low) & np.isfinite(high)
    gain = high[known] - low[known]
    n = len(gain)
    how += f", {len(low) - n} of them without finite bounds" if n < len(low) else ""
    if n < 2:
        return unchecked(name, _claim(name), "fewer than two rows have finite bounds.")
    mean, stderr = float(gain.mean()), mean_stderr(gain)
    slack = 1e-3  # single precision
    t = (mean + slack) / stderr if stderr > 0 else math.copysign(math.inf, mean + slack)
    return statistical(
        Check(
            name,
            _claim(name),
            mean,
            0.0,
            stderr=stderr,
            p_value=float(stdtr(n - 1, t)) if math.isfinite(t) else float(t < 0),
            why=f"mean rise in nats a row; {how}",
            side="below",
        ),
        "bounds that cross by {} nats a row or more",
        slack=slack,
        critical=lambda p: -float(stdtrit(n - 1, p)) * stderr,
    )
