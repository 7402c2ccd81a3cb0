"""Whether a model is a function of its latent sites: whether its log joint at one place is the same
in each run.

A model that draws by itself, such as by `np.random`, has another log joint in each run. Compiled by
JAX it keeps the draws of the run it was compiled in: then values and gradients, compiled apart, are
of different densities, and no engine can draw from them.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ...errors import InputError
from .target import Target


def check_repeats(target: Target) -> None:
    """Raise InputError if the log joint at one place is another in the next run of the model."""
    if target.sites.subsampled:  # each run looks at other elements
        return
    first, second = (_by_jax if target.backend == "numpyro" else _by_torch)(target)
    if first == second or not np.isfinite([first, second]).all():
        return
    raise InputError(
        f"the log joint at one place is {first:.6g} in one run of the model and {second:.6g} in "
        "the next: the model draws random numbers that are no sites of it, such as by np.random. "
        "Draw them by sample, or once before the fit and give them to the model as an argument."
    )


def _by_jax(target: Target) -> tuple[float, float]:
    """The log joint of two runs, which are computed only if the runs are not the same program."""
    import jax

    with target.precision():
        z = jax.numpy.zeros(target.size)
        programs = [jax.make_jaxpr(target.log_joint)(z) for _ in range(2)]
        if _same(*programs):
            return 0.0, 0.0
        first, second = (float(target.log_joint(z)) for _ in range(2))
    return first, second


def _same(one: Any, other: Any) -> bool:
    """Whether two programs are the same, and so are the numbers that they hold."""
    texts = [re.sub("0x[0-9a-f]+", "", str(program)) for program in (one, other)]
    if texts[0] != texts[1] or len(one.consts) != len(other.consts):
        return False
    pairs = zip(one.consts, other.consts, strict=True)
    return all(a is b or np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs)


def _by_torch(target: Target) -> tuple[float, float]:
    import torch

    with target.precision(), torch.no_grad():
        z = torch.zeros(target.size)
        first, second = (float(target.log_joint(z)) for _ in range(2))
    return first, second
