"""What an engine gives: draws from a posterior, how they were made, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ...arrays import Array
from ...verdict import Reason

Why = Literal["done", "budget", "warm-up", "interrupted"]


@dataclass(frozen=True)
class Evidence:
    """The log of the marginal likelihood p(data) = E[p(data | theta)] under the prior.

    Attributes:
        value, stderr: in nats; the standard error is of Monte Carlo, NaN where it is not known.
        kind: "estimate"; "lower_bound" where the expectation of `value` is below the evidence.
    """

    value: float
    stderr: float = float("nan")
    kind: Literal["estimate", "lower_bound", "approximation"] = "estimate"


@dataclass(frozen=True)
class Posterior:
    """Draws from a posterior.

    Attributes:
        draws: latent site -> (chain, draw, ...), in the support of the site.
        stats: (chain, draw) arrays under ArviZ's names: lp (log joint on the unconstrained scale),
            and as far as an engine has them energy, acceptance_rate, step_size, n_steps,
            tree_depth, reached_max_treedepth, diverging; log_q (the log density of the
            approximation, on the same scale) where the draws come from one.
        log_evidence: where the engine gives it.
        why: "done"; "budget" where time ended the draws; "warm-up" where it cut the adaptation;
            "interrupted" by the user. What was drawn by then is kept.
        gradients: evaluations of the gradient of the log joint, the warm-up's too.
        seconds_to_first_draw: from the start of the fit to the first draw that is kept.
        guide: arrays of a fitted approximation, by name; empty where there is none.
        reasons: what the engine itself has to say, for the verdict.
    """

    draws: dict[str, Array]
    stats: dict[str, Array] = field(default_factory=dict)
    log_evidence: Evidence | None = None
    why: Why = "done"
    gradients: int = 0
    seconds_to_first_draw: float = float("nan")
    guide: Mapping[str, Array] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)
