"""What the latents of a variational autoencoder say of the fit."""

from __future__ import annotations

from ...arrays import Floats
from ...verdict import Reason, warning

ACTIVE = 0.01  # nats below which a latent says nothing of a row


def collapse(kl: Floats) -> list[Reason]:
    """What the divergences of the latents (k,), means over rows in nats, say."""
    inactive = int((kl < ACTIVE).sum())
    if inactive == len(kl):
        return warning(
            f"posterior collapse: none of the {len(kl)} latents says anything of a row (each "
            f"below {ACTIVE} nats).",
            "Lower beta, set warm_up (epochs) or free_bits (0.1), make the decoder smaller, or "
            "train longer; if the columns are independent, there is nothing to say.",
        )
    if inactive:
        what = f"{inactive} of {len(kl)} latents are inactive (below {ACTIVE} nats a row)."
        return [Reason("ok", what)]
    return []
