"""Where paths to the posterior of a NumPyro pair start: a normalised density that can be sampled.

    log p(theta(z), y) = log g(z) + r(z)

With the prior as g, r is the log likelihood. With a Gaussian at the mode (twice as wide as
Laplace's approximation), r is what the log joint is above it: this serves where a prior is
improper, or so wide that a path from it would be long. The integral of exp(g + r) is the evidence
either way; under an improper prior it is one up to the constant that such a prior leaves open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from ...fitting import EngineFit
from ...verdict import Reason
from .modes import required_mode
from .numeric import Numeric

LogDensity = Callable[[Any], Any]
_WIDER = 2.0


@dataclass(frozen=True)
class Reference:
    """A start of paths.

    Attributes:
        log_start: g, of z (p,).
        log_gain: r, of z (p,).
        draws: (key, n) -> (n, p) from exp(g).
        kind: "prior", or "laplace" for the Gaussian.
        reasons: what is to be said of it.
    """

    log_start: LogDensity
    log_gain: LogDensity
    draws: Callable[[Any, int], Any]
    kind: Literal["prior", "laplace"]
    reasons: list[Reason] = field(default_factory=list)


def reference(f: Numeric, start: Literal["prior", "laplace"] | None, fit: EngineFit) -> Reference:
    """The start that is asked for; None is the prior if it is proper, else the Gaussian.

    Raises:
        InputError: if the prior is asked for and improper, or no mode was found.
    """
    target = f.target
    if start is None:
        improper = any(site.improper for site in target.sites.latents.values())
        start = "laplace" if improper else "prior"
    if start == "laplace":
        return _gaussian(f, fit)
    target.check_proper()

    def draws(key: Any, n: int) -> Any:
        return jax.lax.map(target.draw_prior, jax.random.split(key, n), batch_size=256)

    return Reference(target.log_prior, target.log_likelihood, draws, "prior")


def _gaussian(f: Numeric, fit: EngineFit) -> Reference:
    mode, reasons = required_mode(f, fit)
    root = np.linalg.cholesky(mode.precision) / _WIDER
    mean, log_det = mode.z, np.log(np.diag(root)).sum()

    def log_start(z: Any) -> Any:
        noise = jnp.asarray(root).T @ (z - mean)
        return log_det - (noise @ noise + len(mean) * np.log(2 * np.pi)) / 2

    def draws(key: Any, n: int) -> Any:
        noise = jax.random.normal(key, (len(mean), n), jnp.float64)
        return mean + jax.scipy.linalg.solve_triangular(root.T, noise, lower=False).T

    def log_gain(z: Any) -> Any:
        return f.target.log_joint(z) - log_start(z)

    return Reference(log_start, log_gain, draws, "laplace", reasons)
