"""How far the density of a fit is bounded, on rows that the fit made itself.

For a simulated row, z* ~ p(z) and x ~ p(x | z*), z* is an exact draw from p(z | x). Annealing from
there back to the encoder's q(z | x) bounds log p(x) from above, and forth from q(z | x) from below:

    IWAE-K  <=  log p(x),          AIS  <=  log p(x)  <=  reverse AIS          (in expectation),

so that their difference is the most that any lower bound can be off, on rows as the model has them.
How real rows fare is told by it as far as they are like simulated ones.

References: Grosse, Ghahramani and Adams, "Sandwiching the marginal likelihood using bidirectional
Monte Carlo", 2015, https://arxiv.org/abs/1511.02543; Grosse, Ancha and Roy, "Measuring the
reliability of MCMC inference with bidirectional Monte Carlo", 2016,
https://arxiv.org/abs/1606.02275; Wu, Burda, Salakhutdinov and Grosse, "On the quantitative analysis
of decoder-based generative models", 2017, https://arxiv.org/abs/1611.04273 (for decoders).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ...checks import seed_of
from ...settings import integer

if TYPE_CHECKING:
    from .estimator import VAE

Floats = NDArray[np.float64]


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
        return _stderr(self.upper - self.lower)

    @property
    def iwae_gap(self) -> float:
        """Mean of upper - iwae: the most that the importance samples leave open, a row."""
        return float(np.mean(self.upper - self.iwae))

    @property
    def iwae_gap_stderr(self) -> float:
        """Standard error of `iwae_gap` over rows."""
        return _stderr(self.upper - self.iwae)

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


def density_gap(
    vae: VAE, n_rows: Any, n_chains: Any, n_temperatures: Any, n_samples: Any, random_state: Any
) -> DensityGap:
    """Bounds of rows that the fit makes; `VAE.density_gap` has the arguments."""
    from .annealing import simulated_gap

    check_is_fitted(vae)
    samples = vae.n_importance if n_samples is None else n_samples
    integer(1).check("n_rows", n_rows)
    integer(1).check("n_chains", n_chains)
    integer(2).check("n_temperatures", n_temperatures)
    integer(1).check("n_samples", samples)
    seed = seed_of(vae.random_state if random_state is None else random_state)
    context = None
    if vae.context_ is not None:
        context = vae.context_.draw(int(n_rows), None, np.random.default_rng(seed))
    chains, temperatures = int(n_chains), int(n_temperatures)
    iwae, lower, upper = simulated_gap(
        vae, int(n_rows), seed, chains, temperatures, context, int(samples)
    )
    shift = vae.units_.log_det
    return DensityGap(
        iwae + shift, lower + shift, upper + shift, int(samples), chains, temperatures
    )


def _stderr(values: Floats) -> float:
    n = len(values)
    return float(np.std(values, ddof=1) / math.sqrt(n)) if n > 1 else math.nan


def _plain(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None
