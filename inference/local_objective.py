"""What a pair with latents of its own for each row is trained on, whatever the backend.

A model p(x, z) and a guide q(z | x) have all their sites in one plate of n rows. With K draws
z_1 ... z_K ~ q(z | x) of each row and log w_k = log p(x | z_k) + log p(z_k) - log q(z_k | x),

| objective | what is raised |
|---|---|
| elbo | E_q log p(x | z) - beta sum_j max(KL_j, lambda_j) |
| iwae | log (1/K) sum_k w_k, for each row |
| dreg | the same value; its gradient in phi is sum_k v_k^2 d log w_k / dz dz / dphi |

v_k = w_k / sum w, and phi are the parameters of the guide. KL_j is a divergence, a mean over the
rows of a batch, and lambda_j its free bits: nats that it may hold unpunished, in proportion to the
latents that it is of.

- Where each latent site's distributions in guide and model have a closed form, and the model draws
  no site from one that the guide draws later, j counts latents (sites that are not independent
  within a row count as one).
- Elsewhere there is one KL, log q(z | x) - log p(z) at the draws themselves, with phi held fixed in
  log q: its own part in the gradient has the mean 0, and only adds noise.

`local_pyro` and `local_numpyro` read all of it off the sites of model and guide.

References: Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", 2016,
https://arxiv.org/abs/1509.00519; Tucker, Lawson, Gu and Maddison, "Doubly reparameterized gradient
estimators for Monte Carlo objectives", 2019, https://arxiv.org/abs/1810.04152; Roeder, Wu and
Duvenaud, "Sticking the landing", 2017, https://arxiv.org/abs/1703.09194; Higgins et al.,
"beta-VAE", 2017, https://openreview.net/forum?id=Sy2fzU9gl; Kingma et al., "Improving variational
inference with inverse autoregressive flow" (free bits), 2016, https://arxiv.org/abs/1606.04934.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Floats
from ..errors import InputError


@dataclass(frozen=True)
class Objective:
    """Which objective, and what bends it.

    Attributes:
        name: "elbo", "iwae" or "dreg".
        samples: K, draws of each row.
        beta: weight of the divergence; of "elbo" only, as the following two.
        warm_up: steps over which it rises from 0 to beta.
        free_bits: nats that each latent may hold unpunished.
        steady: draws of a held-out row at least, of "elbo": the mean of few rows needs more.
    """

    name: str = "elbo"
    samples: int = 1
    beta: float = 1.0
    warm_up: int = 0
    free_bits: float = 0.0
    steady: int = 4

    @property
    def held_samples(self) -> int:
        """Draws of a held-out row: "iwae" and "dreg" are other objectives with another number, and
        the mean of a plain one is only steadier with more."""
        return max(self.samples, self.steady) if self.name == "elbo" else self.samples

    def beta_at(self, step: Any, least: Any = min) -> Any:
        """beta at a step, counted from 0: it rises linearly over the warm-up.

        Args:
            least: `jnp.minimum` where the step is traced.
        """
        return self.beta * least(1.0, (step + 1) / (self.warm_up + 1))

    def options(self, step: Any, least: Any = min) -> dict[str, Any]:
        """What `elbo` or `iwae` is told at a step, as `beta_at` counts it."""
        if self.name == "elbo":
            bend = {"beta": self.beta_at(step, least), "free_bits": self.free_bits}
            return {"samples": self.samples, **bend}
        return {"samples": self.samples, "doubly": self.name == "dreg"}

    def judged(
        self, terms: Floats, sizes: Sequence[int], weights: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """Of held-out rows (m,), the objective as it is trained after the warm-up, and the bound,

            v_i = log p(x_i | z_i) - beta sum_j (KL_ij, or lambda_j where mean_i KL_ij < lambda_j),
            b_i = log p(x_i | z_i) - sum_j KL_ij,

        so that the mean of v is the objective of these rows.

        Args:
            terms: (m, 1 + J) as `held_terms` gives them.
            sizes: (J,) how many latents each KL is of.
            weights: (m,) of the rows, with the mean 1.
        """
        log_x, kl = terms[:, 0], terms[:, 1:]
        if self.name != "elbo":
            return log_x, log_x
        allowed = self.free_bits * np.asarray(sizes)
        below = np.average(kl, axis=0, weights=weights) < allowed
        punished = np.where(below, allowed, kl)
        return log_x - self.beta * punished.sum(1), log_x - kl.sum(1)


def same_order(guide: Iterable[str], model: Iterable[str]) -> bool:
    """Whether both have the same sites, and whatever the model draws before a site, the guide has
    drawn before it: the mean of log q - log p at that site is then a KL given the others."""
    above, below = list(guide), list(model)
    if above == below:
        return True
    return set(above) == set(below) and all(
        set(below[:i]) <= set(above[: above.index(name)]) for i, name in enumerate(below)
    )


def check_sites(guide: Mapping[str, Any], model: Mapping[str, Any], observed: Any) -> None:
    """Raise InputError unless guide and model draw the same latents and the model observes rows."""
    for name in guide.keys() ^ model.keys():
        where, other = ("guide", "model") if name in guide else ("model", "guide")
        raise InputError(
            f"site {name!r} is a latent of the {where} and none of the {other}; both have to draw "
            "the same latents."
        )
    if not observed:
        raise InputError("the model observes nothing; give it rows, as obs= of a site.")


def check_shape(name: str, shape: tuple[int, ...], draws: int, rows: int) -> None:
    """Raise InputError unless the log density of a site is one of each row, or draw and row."""
    if shape not in ((rows,), (draws, rows), (1, rows)):
        raise InputError(
            f"site {name!r} has the batch shape {shape}; expected {(rows,)}, or {(draws, rows)} of "
            "draws and rows: all sites belong to one plate of rows. Put other dimensions into the "
            "event (to_event)."
        )
