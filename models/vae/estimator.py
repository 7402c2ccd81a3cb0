"""`VAE`: the class users meet, which binds a pair, the training loop and a codec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ...arrays import Floats
from ...artifact import Arrays
from ...capabilities import REACH, TRAINED, Capabilities
from ...conditioned import Imputer
from ...data import Codec, Encoded, ImageCodec
from ...errors import InputError
from ...family_density import Density
from ...fitting import Fit
from ...rows import Rows
from ...scoring import placed
from ...settings import integer
from ...verdict import Reason
from ..latent import LatentEstimator
from ..nets.conditional import Conditional
from ..nets.trained import Trained
from .bounds import Bound, DensityGap
from .settings import IMPUTING, SCORING, SETTINGS, VAESettings, drawn_in_training

if TYPE_CHECKING:
    from .trained_nets import TrainedNets

_QUICK_DRAWS = 8  # of importance sampling, where a fit is judged
_CHAINS = 25  # with fewer chains nothing says how they fare


class VAE(VAESettings, Trained, Conditional, LatentEstimator, Imputer):
    """A variational autoencoder: rows come from a few latents through a net; another net guesses
    the latents of a row.

    Densities are lower bounds, by importance samples from the encoder, whose diagnostics say how
    tight. Of the rows a tenth is held out for early stopping, unless `fit` is given `validation`.
    What is None is chosen by the numbers of rows and values. Tables may have gaps: the
    bound is then that of what is there (MIWAE).
    """

    codec_: Codec | ImageCodec
    name: ClassVar[str] = "vae"
    settings = SETTINGS["vae"]
    capabilities: ClassVar[Capabilities] = Capabilities(
        density="lower_bound",
        scoring=SCORING,
        imputing=IMPUTING,
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
        from .elbo_parts import bound, kl_per_latent
        from .parts import outside

        check_is_fitted(self)
        data = self._dataset(X, reset=False)
        context = self._context(y, len(data))
        at = placed(self, data, context)
        x, places = self._matrix(at.rows.data), [self._matrix(place) for place in at.places]
        assert at.rows.seeds is not None
        log_x, kl = bound(self.net_, x, context, at.rows.seeds, places)
        log_x += np.mean([place.log_det for place in at.places], axis=0) + self.values_.log_det
        never = at.impossible | outside(self.codec_, self.architecture_.parts, x)
        return Bound(np.where(never, -np.inf, log_x), kl, kl_per_latent(self.net_, x, context))

    @property
    def amortised(self) -> bool:
        """Whether `amortisation_gap` is defined: for one layer with a Gaussian posterior."""
        return self.posterior == "normal" and len(self.architecture_.latent) == 1

    def amortisation_gap(self, X: Any, y: Any = None, *, n_steps: int = 200) -> Floats:
        """(n,) nats by which each row's ELBO rises when its own Gaussian q(z | x) is fitted to it
        instead of read off the encoder."""
        from .elbo_parts import amortisation_gap

        check_is_fitted(self)
        integer(1).check("n_steps", n_steps)
        if not self.amortised:
            raise InputError(
                "the amortisation gap is defined here for one layer with a Gaussian posterior; "
                'this fit has another. Fit with posterior="normal" and one latent_dim.'
            )
        x, context = self._inputs(X, y)
        return amortisation_gap(self.net_, x, context, self.net_seed_, n_steps)

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
        from .annealed_bounds import check_unfilled, simulated_gap

        check_is_fitted(self)
        samples = self.n_importance if n_samples is None else n_samples
        integer(1).check("n_rows", n_rows)
        integer(1).check("n_chains", n_chains)
        integer(2).check("n_temperatures", n_temperatures)
        integer(1).check("n_samples", samples)
        check_unfilled(self.net_, self.codec_.dequantised)
        seed = self._seed(random_state)
        context = None
        if self.context_ is not None:
            context = self.context_.draw(n_rows, None, np.random.default_rng(seed))
        how = {"chains": n_chains, "n_temperatures": n_temperatures, "samples": samples}
        return simulated_gap(self.net_, n_rows, seed, context, **how)

    def sample_latents(self, n: int, *, random_state: Any = None) -> Floats:
        """(n, k) codes drawn from the prior."""
        check_is_fitted(self)
        integer(1).check("n", n)
        seed = self._seed(random_state)
        return np.asarray(self.net_.prior(n, seed))

    def sample_posterior(
        self, X: Any, y: Any = None, *, n: int = 1, random_state: Any = None
    ) -> Floats:
        """(n, rows, k) draws of each row's latents from q(z | x), whose mean `encode` gives; of two
        layers, those next to the data."""
        check_is_fitted(self)
        integer(1).check("n", n)
        seed = self._seed(random_state)
        x, context = self._inputs(X, y)
        return np.asarray(self.net_.posterior(x, context, n, seed))

    # What the contract asks for

    def _expected_of_prior(self, n: int, seed: int, context: Floats | None) -> Encoded:
        return self._rows(self.sample_latents(n, random_state=seed), context)

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        from .fitting import fit_nets

        settings = self._chosen()
        found = fit_nets(settings, self.codec_, rows, fit, self._machine(self.backend))
        self._take(found.net)
        self._keep(found.training)
        self.kl_per_latent_ = found.kl
        return found.reasons

    def _resolved(self) -> Mapping[str, Any]:
        kinds = dict.fromkeys(part.kind for part in self.architecture_.parts)
        found = {"likelihood": ", ".join(kinds), "n_samples": drawn_in_training(self)}
        first, *more = self.architecture_.latent
        return {**super()._resolved(), **found, "latent_dim": [first, *more] if more else first}

    def _take(self, net: TrainedNets) -> None:
        self.net_, self.architecture_, self.values_ = net, net.architecture, net.values
        self.net_seed_, self.latent_dim_ = net.seed, net.architecture.latent[0]

    def _matrix(self, data: Encoded) -> NDArray[Any]:
        """(n, D) rows as the nets take them."""
        from .fitting import stored

        return stored(self.values_, data)

    def _inputs(self, X: Any, y: Any) -> tuple[NDArray[Any], Floats | None]:
        """Rows (n, D) and their context (n, c) as the nets take them."""
        data = self._dataset(X, reset=False)
        return self._matrix(self._middle(data)), self._context(y, len(data))

    def _codes(self, rows: Rows) -> Floats:
        return np.asarray(self.net_.encode(self._matrix(rows.data), rows.context)[0])

    def _rows(self, z: Floats, context: Floats | None) -> Encoded:
        rows = self.values_.encoded(self.net_.decode(z, context))
        return self.codec_.expected(rows) if isinstance(self.codec_, ImageCodec) else rows

    def _sample(
        self,
        n: int,
        rng: np.random.Generator,
        given: Encoded | None,
        context: Floats | None,
        **how: Any,
    ) -> Encoded:
        return self.values_.encoded(self.net_.sample(n, context, int(rng.integers(2**31 - 1))))

    def _log_prob(self, rows: Rows, **how: Any) -> Density:
        from .importance_bounds import quick

        return Density(quick(self.net_, self._matrix(rows.data), rows.context, _QUICK_DRAWS))

    def _averaged(self, rows: Rows, places: Sequence[Encoded], **how: Any) -> Density:
        from .annealed_bounds import check_unfilled
        from .importance_bounds import density
        from .parts import outside

        method, samples = self._draws(**how)
        if method == "ais":
            check_unfilled(self.net_, self.codec_.dequantised)
        progress = bool(how.get("progress"))
        found = density(self.net_, rows, places, self._matrix, method, samples, progress=progress)
        return found.without(
            outside(self.codec_, self.architecture_.parts, self._matrix(rows.data))
        )

    def _draws(
        self, method: str = "iwae", n_samples: int | None = None, **how: Any
    ) -> tuple[str, int]:
        """The method of scoring and its draws a row, or chains."""
        return method, n_samples or (_CHAINS if method == "ais" else self.n_importance)

    def _diagnosed(self, density: Density, **how: Any) -> Mapping[str, Any]:
        from .importance_bounds import diagnostics

        pixels = self.codec_.dimension if isinstance(self.codec_, ImageCodec) else None
        values = pixels or max(1, self.architecture_.parts[-1].stop)
        filled = bool(density.filled or self.codec_.dequantised)
        return diagnostics(density, values, *self._draws(**how), filled=filled)

    def _filled(
        self, rows: Rows, rng: np.random.Generator | None, n_samples: int = 128, **how: Any
    ) -> Encoded | None:
        if rng is not None:
            return None
        x = self._matrix(rows.data).astype(np.float64)
        gaps = np.isnan(x)
        if gaps.any() and not self.architecture_.missing:
            raise InputError(
                "the rows have gaps and the rows fitted had none, so the encoder never learnt to "
                "do without a value. Fit to rows with gaps."
            )
        if gaps.any():
            from .importance_bounds import expected

            assert rows.seeds is not None
            x = np.where(gaps, expected(self.net_, x, n_samples, rows.seeds), x)
        return self.values_.encoded(x)

    def _draw_seed(self) -> int:
        return self.net_seed_

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        state = {
            "architecture": self.architecture_.to_json(),
            "values": self.values_.to_json(),
            "seed": self.net_seed_,
            "kl": self.kl_per_latent_.tolist(),
        }
        return state | self._training_state(), self.net_.arrays()

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        from ..nets.values import Values
        from .build import Architecture
        from .trained_nets import TrainedNets

        if "values" in state:
            values = Values.from_json(state["values"])
        else:  # as version 0.1.0 wrote them
            values = replace(Values.of(self.codec_), **state["units"])
        architecture = Architecture.from_json(state["architecture"])
        self._take(TrainedNets(architecture, values, int(state["seed"]), self._device()))
        self.net_.load(arrays)
        self._restore_training(state)
        self.kl_per_latent_ = np.asarray(state["kl"], dtype=np.float64)
