"""`GAN`: the class users meet, which binds nets, the training loop and a codec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...arrays import Array, Floats
from ...artifact import Arrays
from ...capabilities import REACH, TRAINED, Capabilities
from ...coded import made_rows
from ...data import Dataset, Encoded, ImageCodec
from ...data.hashing import mix, row_hashes
from ...density import LogDensity
from ...fitting import Fit
from ...rows import Rows
from ...sampler import Sampler
from ...settings import integer, number
from ...verdict import Reason
from ..latent import Decoder
from ..nets.conditional import Conditional
from ..nets.sheeted import Sheeted
from ..nets.sheets import Sheets
from ..nets.trained import Trained
from .settings import SAMPLING, SETTINGS, GANSettings, Refining

if TYPE_CHECKING:
    from .nets import Architecture
    from .trained import TrainedGAN


_DENSITIES = ("log_density", "score_samples", "score")  # which a generator has not


class GAN(GANSettings, Trained, Conditional, Decoder, Sampler, Sheeted):
    """A generative adversarial network: a generator makes rows of noise, and a discriminator, which
    learns to tell them from real ones, teaches it.

    It has no density; `annealed_log_density` estimates that of rows with noise added. Of the rows
    a tenth is held out, unless `fit` is given `validation`: a proper score of these by generated
    rows chooses the weights that are kept. What is None is chosen by
    the numbers of rows and values. In the trace, validation is that score, loss the generator's,
    and measures has the mean output of the discriminator on held-out real rows and on generated
    ones (see `Objective.outputs`; both 0.5 at the equilibrium) and the norms of both gradients.

    Of a fit with `condition_on`, `decode` tells the generator of all codes what is `given`, or what
    is most usual: the levels that most rows have together, and of these rows one in the middle of
    their numbers.

    Attributes:
        nets_: the trained nets, whose `generate` and `discriminate` work on features.
        architecture_: what they are made of.
        latent_dim_: numbers of noise that a row is made of.
        batch_size_, n_steps_, n_epochs_: of the training; the batch of all turns of a step.
    """

    name: ClassVar[str] = "gan"
    settings = SETTINGS["gan"]
    capabilities: ClassVar[Capabilities] = Capabilities(
        density=None,
        discrete="native",
        conditional=True,
        samples=True,
        told=True,
        sampling=SAMPLING,
        remedy="more training, a larger hidden, pack=2",
        objective="held-out score (training rows: 0)",
        decodes=True,
        images=True,
        sheets=True,
        sequences=True,
        uses=TRAINED,
        reach=REACH,
    )

    shown = "Rows of the same noise, as the averaged weights made them."
    nets_: TrainedGAN
    architecture_: Architecture

    def sample_latents(self, n: int, *, random_state: Any = None) -> Floats:
        """(n, k) noise: codes that `decode` makes rows of."""
        check_is_fitted(self)
        integer(1).check("n", n)
        return self.nets_.noise(n, self._seed(random_state))

    def decode(self, Z: Any, y: Any = None, *, given: Mapping[Any, Any] | None = None) -> Any:
        """The rows expected of noise.

        Args:
            Z: (n, k) noise.
            y: for a conditional fit, one for all rows or one each.
            given: values of columns that a fit with `condition_on` is told; None for what is most
                usual. Where some are given, the others are those of a row fitted that has these,
                the same for all rows.

        Returns:
            Rows in the container that was fitted; images as floats, not rounded.

        Raises:
            InputError: if what is given is not what the fit is told.
        """
        check_is_fitted(self)
        z, held = self._checked(Z), None if given is None else self._fixed(given)
        context = self._context(y, len(z), one_for_all=True)
        return self._shown(Z, self._rows(z, context, held))

    def annealed_log_density(
        self,
        X: Any,
        y: Any = None,
        *,
        sigma: float,
        n_chains: int = 16,
        n_temperatures: int = 500,
        random_state: Any = None,
    ) -> LogDensity:
        """(n,) an estimate of log p_sigma(x) of each row: the density of generated rows to which
        N(0, sigma^2) is added, by annealed importance sampling (see `models/gan/annealed.py`).

        It is no log density of rows, and is compared with nothing but estimates of the same sigma.
        Sigma is in the coordinates in which the nets see rows, which `method` names: pixels from
        -1 to 1, or columns and steps in standard deviations. The density is per unit of the data,
        also of levels of pixels. Where `margins="ranks"`, sigma and density are those of normal
        scores of ranks, and of rows before their margins are brought to those of the data, which
        `sample` does; values that are tied stand in the middle of their ranks. Where numbers are
        told (`condition_on`), it is per standard deviation. `diagnostics` has the effective number
        of chains, "ess", and "khat": near 1 chain, take more temperatures or a larger sigma.

        Args:
            X: rows as in `fit`, of numbers only.
            y: for a conditional fit, what to condition on, one a row.
            sigma: standard deviation of the noise.
            n_chains: for each row.
            n_temperatures: steps from the noise to its posterior, each of ten passes of the
                generator and back.
            random_state: seed; None takes the estimator's own.

        Raises:
            InputError: if the rows have discrete columns.
        """
        from .annealed import annealed, annealing, in_units

        check_is_fitted(self)
        number(above=0).check("sigma", sigma)
        data, settings = self._dataset(X, reset=False), annealing(n_temperatures, n_chains)
        rows = Rows(self._encode(data, draw=None), context=self._context(y, len(data)))
        rows = self.nets_.view.with_context(rows)
        features = self.nets_.features(self.nets_.view.stored(rows.data))
        seeds = mix(row_hashes(data, self._seed(random_state)))
        found = annealed(self.nets_, features, rows.context, seeds, float(sigma), settings)
        log_det, words = in_units(self.codec_, self.nets_.view, rows.data)
        never = np.isneginf(rows.data.log_det)
        return LogDensity(
            values=np.where(never, -np.inf, found.log_mean + log_det),
            kind="estimate",
            method=f"AIS-{n_temperatures}, {n_chains} chains, {words}",
            noise=float(sigma),
            stderr=found.stderr,
            diagnostics={"ess": found.ess, "khat": found.khat},
        )

    def __getattr__(self, name: str) -> Any:
        if name in _DENSITIES:
            raise AttributeError(
                f"{type(self).__name__} has no {name}: its rows have no density. Compare samples "
                "(ppgen.sample_quality, or ppgen.run_study, which ranks by them), or take "
                "annealed_log_density(X, sigma=...), an estimate for rows with that noise."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # What the contract asks for

    def _told(self) -> tuple[str, ...]:
        told = self.nets_.view.told_names
        return tuple(name for name in self.schema_.names if name in told)

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        from .fitting import fit_nets

        self._check_varied()
        found = fit_nets(self._chosen(), self.codec_, rows, fit, self._machine())
        self._take(found.nets)
        self._keep(found.training, **found.chosen)
        self.sheets_ = found.sheets
        return found.reasons

    def _take(self, nets: TrainedGAN) -> None:
        self.nets_, self.architecture_ = nets, nets.architecture
        self.latent_dim_ = nets.architecture.latent

    def _rows(self, z: Floats, context: Floats | None, given: Encoded | None = None) -> Encoded:
        view = self.nets_.view
        told = view.usual(len(z))
        if given is not None:
            held = view.draw(1, given, np.random.default_rng(0))
            told = None if held is None else np.repeat(held, len(z), axis=0)
        rows = view.encoded(self.nets_.expected(z, view.context(told, context)), told)
        return self.codec_.expected(rows) if isinstance(self.codec_, ImageCodec) else rows

    def _sample(
        self,
        n: int,
        rng: np.random.Generator,
        given: Encoded | None,
        context: Floats | None,
        **how: Any,
    ) -> Encoded:
        seed, view = int(rng.integers(2**31 - 1)), self.nets_.view
        told, asked = view.draw(n, given, rng), Refining(**how)
        context = view.context(told, context)
        if not asked.refine:
            asked.check(how)
            return view.encoded(self.nets_.generate(n, context, seed), told, rng)
        made = self.nets_.refine(n, context, seed, asked.refine_steps)
        return view.settled.encoded(made, told, rng)

    def _sheet(self, name: str, rows: Array) -> Dataset:
        return made_rows(self, self._decoded(self.nets_.view.sheet(rows)))

    def _state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        view, arrays = self.nets_.view.state()
        state = {"architecture": self.architecture_.to_json(), "view": view}
        named = {f"view.{name}": array for name, array in arrays.items()}
        named |= self.sheets_.arrays()
        return state | self._training_state(), named | self.nets_.arrays()

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        from ..nets.table_view import TableView
        from ..nets.views import View
        from .nets import Architecture
        from .trained import TrainedGAN

        of_view = {k.removeprefix("view."): v for k, v in arrays.items() if k.startswith("view.")}
        kind = TableView if "table" in state["view"] else View
        view = kind.restored(state["view"], of_view)
        architecture = Architecture.from_json(state["architecture"])
        self._take(TrainedGAN(architecture, view, 0, self._device()))
        self.nets_.load(arrays)
        self._restore_training(state)
        self.sheets_ = Sheets.of(arrays)
