"""Stochastic variational inference: learners for `gradient.train` whose loss is the ELBO of a
(model, guide) pair.

For rows x_1 ... x_N, latents z and a batch B, the loss a step takes is, in nats a row,

    L(theta, phi) = -1/N E_q [ log p_theta(x_B, z) - log q_phi(z) ],

the terms of B's rows weighted by N / |B|.

Both learners call `model(*batch, n_total=N)` and `guide(*batch, n_total=N)`, where `batch` is the
same rows of each array in `data` (None stays None). The weight N / |B| is the model's plate: in
Pyro `pyro.plate("rows", n_total, subsample=rows)` with any `rows` of length |B|, in NumPyro
`numpyro.plate("rows", n_total, subsample_size=|B|)`. A flow is the pair whose guide is empty.

Parameters belong to the learner: Pyro's global store, the validation flag, the random state and the
default dtype are left as found.

Reference: Hoffman, Blei, Wang and Paisley, "Stochastic variational inference", 2013,
https://jmlr.org/papers/v14/hoffman13a.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .svi_numpyro import NumpyroLearner as NumpyroLearner
    from .svi_pyro import PyroLearner as PyroLearner

__all__ = ["NumpyroLearner", "PyroLearner"]


def __getattr__(name: str) -> Any:
    # Lazily: one backend's user does not pay for importing the other.
    if name == "PyroLearner":
        from .svi_pyro import PyroLearner

        return PyroLearner
    if name == "NumpyroLearner":
        from .svi_numpyro import NumpyroLearner

        return NumpyroLearner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
