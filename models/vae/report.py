"""What a bound is made of: reconstruction and divergence, latent by latent, and what the encoder
leaves on the table.

    ELBO = E_q log p(x | z) - sum_j KL_j,
    amortisation gap = max over (m, s) of the ELBO of q = Normal(m, s^2), less the encoder's.

Where the divergence has no closed form for each latent (flows, mixtures, two layers), latent j's
share is that of its Gaussian against the aggregate of all rows' Gaussians, which is 0 exactly where
the latent says nothing of a row.

Reference: Cremer, Li and Duvenaud, "Inference suboptimality in variational autoencoders", 2018,
https://arxiv.org/abs/1801.03558 (amortisation gap).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ...errors import InputError
from ...scoring import placed
from ...settings import integer
from .verdicts import ACTIVE

if TYPE_CHECKING:
    from .estimator import VAE

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bound:
    """The ELBO of n rows in its parts, in nats.

    Attributes:
        reconstruction: (n,) E_q log p(x | z), in the units of the data, by 16 draws of each row.
        kl: (n,) divergence of q(z | x) from the prior.
        kl_per_latent: (k,) each latent's share, a mean over the rows.
    """

    reconstruction: Floats
    kl: Floats
    kl_per_latent: Floats

    @property
    def elbo(self) -> Floats:
        """(n,) reconstruction - kl."""
        return self.reconstruction - self.kl

    @property
    def active(self) -> NDArray[np.bool_]:
        """(k,) which latents say something of a row."""
        return np.asarray(self.kl_per_latent >= ACTIVE)

    def __repr__(self) -> str:
        return (
            f"Bound(elbo={self.elbo.mean():.3f} = {self.reconstruction.mean():.3f} reconstruction "
            f"- {self.kl.mean():.3f} KL nats; {self.active.sum()} of {len(self.active)} latents "
            "active)"
        )


def bound(vae: VAE, X: Any, y: Any) -> Bound:
    """The parts of the ELBO of rows."""
    from .density import outside

    check_is_fitted(vae)
    data = vae._dataset(X, reset=False)
    context = vae._context(y, len(data))
    at = placed(vae, data, context)
    x = vae._matrix(at.rows.data)
    places = [vae._matrix(place) for place in at.places] if len(at.places) > 1 else None
    log_x, kl = vae.net_.bound(x, context, at.rows.seeds, places)
    log_det = np.mean([place.log_det for place in at.places], axis=0)
    log_x = np.where(at.impossible | outside(vae, x), -np.inf, log_x + log_det)
    return Bound(log_x + vae.units_.log_det, kl, vae.net_.kl(x, context))


def amortisation_gap(vae: VAE, X: Any, y: Any, n_steps: int) -> Floats:
    """(n,) nats that a row's own Gaussian gains over the encoder's."""
    check_is_fitted(vae)
    integer(1).check("n_steps", n_steps)
    if not vae.amortised:
        raise InputError(
            "the amortisation gap is defined here for one layer with a Gaussian posterior; this "
            'fit has another. Fit with posterior="normal" and one latent_dim.'
        )
    data = vae._dataset(X, reset=False)
    x, context = vae._matrix(vae._middle(data)), vae._context(y, len(data))
    return np.asarray(vae.net_.amortisation_gap(x, context, vae.net_seed_, n_steps))
