"""What `VAE.bound` and `VAE.density_gap` give, bounds of log densities in nats; and what the
divergences of latents say of a fit."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import html
from ...arrays import Floats
from ...density import mean_stderr
from ...digits import plus_minus, with_error
from ...verdict import Reason, nothing_learnt

ACTIVE = 0.01  # nats below which a latent says nothing of a row


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

    def _repr_html_(self) -> str:
        elbo = plus_minus(float(self.elbo.mean()), mean_stderr(self.elbo))
        parts = [
            with_error(float(part.mean()), mean_stderr(self.elbo))[0]
            for part in (self.reconstruction, self.kl)
        ]
        said = f"ELBO {elbo} = reconstruction {parts[0]} − divergence {parts[1]}, nats a row"
        most = f"{self.kl_per_latent.max(initial=0.0):.2g}"
        return html.block(
            html.line(said, strong=True),
            html.line(f"{self.active.sum()} of {len(self.active)} latents are active"),
            html.bars(
                self.kl_per_latent, f"KL of each latent, from latent 0 on, up to {most} nats"
            ),
        )


@dataclass(frozen=True, eq=False)
class DensityGap:
    """Bounds of the log density of n simulated rows, in nats.

    Attributes:
        iwae: (n,) lower bounds by importance samples from the encoder.
        lower: (n,) lower bounds by annealing.
        upper: (n,) upper bounds by annealing back from the latents that each row was made from.
        n_samples: importance samples a row.
        n_chains, n_temperatures: of the annealing.
    """

    iwae: Floats
    lower: Floats
    upper: Floats
    n_samples: int
    n_chains: int
    n_temperatures: int

    @property
    def gap(self) -> float:
        """Mean of upper - lower: the most that annealing leaves open, a row."""
        return float(np.mean(self.upper - self.lower))

    @property
    def gap_stderr(self) -> float:
        """Standard error of `gap` over rows."""
        return mean_stderr(self.upper - self.lower)

    @property
    def iwae_gap(self) -> float:
        """Mean of upper - iwae: the most that the importance samples leave open, a row."""
        return float(np.mean(self.upper - self.iwae))

    @property
    def iwae_gap_stderr(self) -> float:
        """Standard error of `iwae_gap` over rows."""
        return mean_stderr(self.upper - self.iwae)

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values: means, their errors, and the bounds of each row."""
        found = {
            name: _plain(getattr(self, name))
            for name in ("gap", "gap_stderr", "iwae_gap", "iwae_gap_stderr")
        }
        return found | {
            k: [_plain(v) for v in a] if isinstance(a, np.ndarray) else a
            for k, a in asdict(self).items()
        }

    def __str__(self) -> str:
        return (
            f"{len(self.iwae)} simulated rows: log p between {self.lower.mean():.3f} and "
            f"{self.upper.mean():.3f} nats (AIS-{self.n_temperatures}, {self.n_chains} chains), a "
            f"gap of {self.gap:.3f} ± {self.gap_stderr:.3f}; IWAE-{self.n_samples} is at most "
            f"{self.iwae_gap:.3f} ± {self.iwae_gap_stderr:.3f} too low"
        )


def _plain(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _heard(objective: str, beta: float) -> str:
    """What makes latents say more, under an objective."""
    if objective != "elbo":
        return 'Take objective="elbo" with warm_up (epochs) or free_bits (0.1),'
    lower = f"Lower beta ({beta:g}), set" if beta >= 1 else "Set"
    return f"{lower} warm_up (epochs) or free_bits (0.1),"


def collapse(kl: Floats, objective: str = "elbo", beta: float = 1.0) -> list[Reason]:
    """What the divergences of the latents (k,), means over rows in nats, say.

    Args:
        objective, beta: that the fit was trained on, which the advice goes by.
    """
    inactive = int((kl < ACTIVE).sum())
    if inactive == len(kl):
        return nothing_learnt(
            f"posterior collapse: none of the {len(kl)} latents says anything of a row (each "
            f"below {ACTIVE} nats).",
            f"{_heard(objective, beta)} make the decoder smaller, or train longer; if the columns "
            "are independent, there is nothing to say.",
        )
    if inactive:
        are = "is" if inactive == 1 else "are"
        what = f"{inactive} of {len(kl)} latents {are} inactive (below {ACTIVE} nats a row)."
        return [Reason("ok", what)]
    return []
