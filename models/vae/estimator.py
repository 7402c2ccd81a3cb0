"""`VAE`: the class users meet, which binds a pair, the training loop and a codec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ...artifact import Arrays
from ...capabilities import REACH, TRAINED, Capabilities
from ...checks import seed_of
from ...data import Encoded, ImageCodec
from ...density_estimator import DensityEstimator
from ...errors import InputError
from ...family_density import Density
from ...fitting import Fit
from ...rows import Rows
from ...settings import integer
from ...verdict import Reason
from ..latent import LatentEstimator
from .gap import DensityGap
from .report import Bound
from .settings import SCORING, SETTINGS, VAESettings

Floats = NDArray[np.float64]
_QUICK_DRAWS = 8  # of importance sampling, where a fit is judged


class VAE(VAESettings, LatentEstimator, DensityEstimator):
    """A variational autoencoder: rows come from a few latents through a net; another net guesses
    the latents of a row.

    Densities are lower bounds, by importance samples from the encoder, whose diagnostics say how
    tight. Of the rows a tenth is held out for early stopping, unless `fit` is given `validation`.
    What is None is chosen by the numbers of rows and values (see `plan`). Tables may have gaps: the
    bound is then that of what is there (MIWAE).
    """

    name: ClassVar[str] = "vae"
    settings = SETTINGS["vae"]
    capabilities: ClassVar[Capabilities] = Capabilities(
        density="lower_bound",
        scoring=SCORING,
        discrete="native",
        missing=True,
        imputes=True,
        conditional=True,
        latents=True,
        prior=True,
        bounds=True,
        images=True,
        engines=("gradient",),
        backends=("pyro", "numpyro"),
        uses=TRAINED,
        reach=REACH,
    )

    # What lies behind rows

    def bound(self, X: Any, y: Any = None) -> Bound:
        """The ELBO of rows in its parts: reconstruction, divergence, and each latent's share."""
        from .report import bound

        return bound(self, X, y)

    @property
    def amortised(self) -> bool:
        """Whether `amortisation_gap` is defined: for one layer with a Gaussian posterior."""
        return self.posterior == "normal" and self.net_.nets.n_layers == 1

    def amortisation_gap(self, X: Any, y: Any = None, *, n_steps: int = 200) -> Floats:
        """(n,) nats by which each row's ELBO rises when its own Gaussian q(z | x) is fitted to it
        instead of read off the encoder."""
        from .report import amortisation_gap

        return amortisation_gap(self, X, y, n_steps)

    def density_gap(
        self,
        n_rows: int = 32,
        *,
        n_chains: int = 16,
        n_temperatures: int = 200,
        n_samples: int | None = None,
        random_state: Any = None,
    ) -> DensityGap:
        """How tight the bounds are, on rows that the fit makes itself: for these, annealing bounds
        the log density from above too (bidirectional Monte Carlo; Grosse, Ghahramani and Adams,
        2015; Wu et al., 2017).

        Args:
            n_rows: simulated rows. For a conditional fit they are of the y that were fitted.
            n_chains: a row, each way.
            n_temperatures: steps from the encoder's posterior to the true one: more, tighter.
            n_samples: importance samples a row that are bounded beside them; None is
                `n_importance`.
            random_state: seed; None takes the estimator's own.

        Returns:
            Both bounds of each row beside IWAE, their mean gap and its standard error, in nats. Of
            tables the rows are meant as encoded, columns standardised; gaps do not depend on that.

        Raises:
            InputError: for a number that is none, or where rounded values are filled in with noise.
        """
        from .gap import density_gap

        return density_gap(self, n_rows, n_chains, n_temperatures, n_samples, random_state)

    def sample_latents(self, n: int, *, random_state: Any = None) -> Floats:
        """(n, k) codes drawn from the prior."""
        check_is_fitted(self)
        integer(1).check("n", n)
        seed = seed_of(self.random_state if random_state is None else random_state)
        return np.asarray(self.net_.prior(n, seed))

    def sample_posterior(
        self, X: Any, y: Any = None, *, n: int = 1, random_state: Any = None
    ) -> Floats:
        """(n, rows, k) draws of each row's latents from q(z | x), whose mean `encode` gives; of two
        layers, those next to the data."""
        check_is_fitted(self)
        integer(1).check("n", n)
        seed = seed_of(self.random_state if random_state is None else random_state)
        data = self._dataset(X, reset=False)
        x, context = self._matrix(self._middle(data)), self._context(y, len(data))
        return np.asarray(self.net_.posterior(x, context, n, seed))

    def impute(self, X: Any, *, n_samples: int = 128, random_state: int = 0) -> Any:
        """Rows with their gaps filled by what is expected of them given the rest: importance
        weighted means of real columns, likeliest levels of discrete ones."""
        from .impute import impute

        return impute(self, X, n_samples, random_state)

    # What the contract asks for

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        from .fitting import fit_vae

        return fit_vae(self, rows.data, rows.weights, rows.context, fit)

    def _conditions_on(self, y: Any) -> bool:
        if self.conditional and y is None:
            raise InputError(
                "conditional is True, and no y was given; give fit(X, y) one a row, or leave "
                "conditional out."
            )
        return bool(self.conditional)

    def _matrix(self, data: Encoded) -> NDArray[Any]:
        """(n, D) stored values: those of images, or continuous columns and level numbers, NaN where
        missing."""
        if isinstance(self.codec_, ImageCodec):
            return data.x
        codes = data.codes.astype(np.float64)
        codes[data.codes == -1] = np.nan
        x = np.clip(data.x, -REACH, REACH)  # what is further out is impossible, see `density`
        return np.concatenate([x, np.maximum(codes, 0)], axis=1)

    def _encoded(self, values: NDArray[Any]) -> Encoded:
        n, d = len(values), values.shape[1]
        if not isinstance(self.codec_, ImageCodec):
            d = len(self.codec_.continuous_names)
        codes = np.rint(values[:, d:]).astype(np.int32)
        return Encoded(values[:, :d], codes, np.zeros(n))

    def _codes(self, rows: Rows) -> Floats:
        return np.asarray(self.net_.encode(self._matrix(rows.data), rows.context)[0])

    def _rows(self, z: Floats, context: Floats | None) -> Encoded:
        rows = self._encoded(self.net_.decode(z, context))
        return self.codec_.expected(rows) if isinstance(self.codec_, ImageCodec) else rows

    def _sample(
        self, n: int, rng: np.random.Generator, given: Encoded | None, context: Floats | None
    ) -> Encoded:
        first, second = rng.integers(2**31 - 1, size=2)
        z = self.net_.prior(n, int(first))
        return self._encoded(self.net_.decode(z, context, draw=int(second)))

    def _log_prob(self, rows: Rows, **how: Any) -> Density:
        from .density import quick_values

        return Density(quick_values(self, self._matrix(rows.data), rows.context, _QUICK_DRAWS))

    def _averaged(self, rows: Rows, places: Sequence[Encoded], **how: Any) -> Density:
        from .density import averaged

        return averaged(self, rows, places, **how)

    def _diagnosed(self, density: Density, **how: Any) -> Mapping[str, Any]:
        from .density import diagnosed

        return diagnosed(self, density, **how)

    def _draw_seed(self) -> int:
        return self.net_seed_

    def _network(self, rows: NDArray[Any] | None = None, device: Any = "cpu") -> Any:
        from .backend_torch import TorchVAE

        return TorchVAE(self.architecture_, self.units_, self.net_seed_, device, rows)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        state = {
            "architecture": self.architecture_.to_json(),
            "units": self.units_.to_json(),
            "seed": self.net_seed_,
            "n_steps": self.n_steps_,
            "n_epochs": self.n_epochs_,
            "kl": self.kl_per_latent_.tolist(),
        }
        return state, self.net_.arrays()

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        from .build import Architecture
        from .units import Units

        self.architecture_ = Architecture.from_json(state["architecture"])
        self.units_ = Units.from_json(state["units"])
        self.net_seed_ = int(state["seed"])
        self.latent_dim_ = self.architecture_.latent[0]
        self.n_steps_, self.n_epochs_ = state["n_steps"], state["n_epochs"]
        self.kl_per_latent_ = np.asarray(state["kl"], dtype=np.float64)
        self.net_ = self._network()  # on the processor: this machine may have no other
        self.net_.load(arrays)
