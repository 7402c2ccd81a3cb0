"""Draws from a Pyro guide as it is, with their importance weights."""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pyro import poutine

from ...arrays import Array
from ...errors import InputError
from .guides import check_guide
from .minibatch import accepted
from .sites_pyro import drawn
from .target import Target


def weighed(target: Target, guide: Callable[..., Any], n: int, seed: int) -> tuple[Array, Array]:
    """Draws z (n, p) and log weights (n,) = log p(theta, y) - log q(theta).

    Raises:
        InputError: if the guide misses a site or has others, or the model has discrete ones.
    """
    if target.sites.discrete:
        raise InputError("a guide cannot be weighed where sites are discrete; take method='nuts'.")
    places, log_weights = [], []
    named = accepted(guide, target.kwargs)
    with target.precision(), torch.no_grad():
        torch.manual_seed(seed)
        for _ in range(n):
            of_guide = poutine.trace(guide).get_trace(*target.args, **named)
            check_guide(target, drawn(of_guide), "the guide")
            replayed = poutine.replay(target.model, trace=of_guide)
            of_model = poutine.trace(replayed).get_trace(*target.args, **target.kwargs)
            values = {name: of_guide.nodes[name]["value"] for name in target.sites.latents}
            places.append(target.unconstrain(values).numpy())
            log_weights.append(float(of_model.log_prob_sum() - of_guide.log_prob_sum()))
    return np.stack(places), np.array(log_weights)
