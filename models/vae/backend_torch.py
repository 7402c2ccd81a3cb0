"""A variational autoencoder on torch: what `VAE` needs of the Pyro pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...inference.seeding import seeded
from ...inference.torch_learner import TorchLearner
from ..nets.batches import Batches, slices
from . import objectives
from .build import Architecture, build
from .priors import split
from .training import Rows, Training
from .units import Units

Array = NDArray[Any]
Floats = NDArray[np.float64]
_BLOCK = 1024


class TorchVAE:
    """The nets in single precision: training, latents, rows, arrays.

    Args:
        rows: (m, D) stored rows from which the nets start; None where weights are loaded next.
    """

    def __init__(
        self,
        architecture: Architecture,
        units: Units,
        seed: int,
        device: torch.device | str = "cpu",
        rows: Array | None = None,
    ) -> None:
        self.architecture, self.units, self.device = architecture, units, torch.device(device)
        start = None if rows is None else units.enter(units.tensor(rows))
        self.nets = build(architecture, seed, start).eval().to(self.device)
        if architecture.net == "conv":
            self.nets.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    # Training

    def learner(
        self,
        rows: Rows,
        held: Rows | None,
        training: Training,
        seed: int,
        redraw: Callable[[int], Array] | None = None,
    ) -> TorchLearner:
        """The learner of the pair; `keep` takes its averaged weights afterwards.

        Args:
            rows: to train on; weights with mean 1.
            held: held-out rows; their weights are left to who averages.
            redraw: gives all stored rows anew for an epoch.
        """
        data = self._batches(rows)

        def again(epoch: int) -> None:
            if redraw is not None:
                data.x = data.source(redraw(epoch)[rows.numbers])

        def loss(batch: Tensor, step: int) -> Tensor:
            x, context, weights = data.take(batch)
            if training.augment is not None:
                x = self._augmented(x, training.augment)
            return -self._objective(training, step, self.units.fill(x), context, weights)

        return TorchLearner(
            dict(self.nets.named_parameters()),
            loss,
            modules=[self.nets],
            log_density=None if held is None else partial(self._held, held, training),
            optimiser=partial(torch.optim.Adam, fused=True),
            clip=training.clip,
            redraw=again,
            seed=seed,
        )

    def _batches(self, rows: Rows) -> Batches:
        return Batches(rows.x, rows.context, rows.weights, self.device, rows.numbers)

    def _objective(
        self, t: Training, step: int, x: Tensor, context: Tensor | None, weights: Tensor | None
    ) -> Tensor:
        if t.objective == "elbo":
            return objectives.elbo(
                self.nets,
                x,
                context,
                beta=t.beta_at(step),
                free_bits=t.free_bits,
                weights=weights,
                samples=t.samples,
            )
        return objectives.iwae(
            self.nets,
            x,
            context,
            samples=t.samples,
            weights=weights,
            doubly=t.objective == "dreg",
        )

    def _augmented(self, x: Tensor, augment: Callable[..., Tensor]) -> Tensor:
        images = x.view(-1, *self.architecture.shape)
        return augment(images, torch.default_generator).reshape(len(x), -1)

    def _held(self, held: Rows, training: Training) -> Array:
        """(m, 1 + J) of held-out rows, for `Training.judged`."""
        data, parts, samples = self._batches(held), [], training.held_samples
        for rows in slices(len(data), max(1, 4 * _BLOCK // samples)):
            x, context, _ = data.take(rows)
            y, whole = self.units.fill(x), training.objective != "elbo"
            parts.append(objectives.held_terms(self.nets, y, context, samples=samples, whole=whole))
        return torch.cat(parts).cpu().numpy()

    def keep(self, learner: TorchLearner) -> None:
        """Take the averaged weights of a trained learner."""
        learner.keep_average()
        self.nets.eval()

    # Using

    def context(self, context: Array | None) -> Tensor | None:
        """(n, c) as a tensor on the device."""
        if context is None:
            return None
        return torch.as_tensor(context, dtype=torch.get_default_dtype(), device=self.device)

    def rows(self, x: Array) -> Tensor:
        """Stored rows as model values, cells at their middles."""
        return self.units.enter(self.units.tensor(x, self.device))

    @torch.no_grad()
    def encode(self, x: Array, context: Array | None) -> tuple[Floats, Floats]:
        """(n, k) means and standard deviations of q(z_1 | x)'s Gaussian part."""
        means, scales = [], []
        for start in range(0, len(x), _BLOCK):
            rows = slice(start, start + _BLOCK)
            c = None if context is None else self.context(context[rows])
            raw = self.nets.encode(self.rows(x[rows]), c)
            m, log_s = split(raw[:, : 2 * self.architecture.latent[0]])
            if self.architecture.posterior == "flow":
                # The image of the base's mean: no expectation, but where the mass lies.
                m = self.nets.q_1(raw).transforms[0](m)
            means.append(m.cpu().double().numpy())
            scales.append(log_s.exp().cpu().double().numpy())
        return np.concatenate(means), np.concatenate(scales)

    @torch.no_grad()
    def decode(self, z: Array, context: Array | None, *, draw: int | None = None) -> Array:
        """(n, D) stored values: expected ones, or drawn ones with the seed `draw`."""
        found = []
        with seeded(draw or 0, self.device):
            for start in range(0, len(z), _BLOCK):
                rows = slice(start, start + _BLOCK)
                c = None if context is None else self.context(context[rows])
                p_x = self.nets.p_x(self.context(z[rows]), c)  # type: ignore[arg-type]
                y = p_x.observation.mean(p_x.raw) if draw is None else p_x.sample()
                found.append(self.units.leave(y).cpu().double().numpy())
        return np.concatenate(found)

    @torch.no_grad()
    def prior(self, n: int, seed: int) -> Floats:
        """(n, k) draws of z_1 from the prior."""
        with seeded(seed, self.device):
            z = self.nets.prior()(torch.Size((n,)))
            if self.nets.n_layers == 2:
                z = self.nets.p_1(z).sample()
            return np.asarray(z.cpu().double().numpy())

    @torch.no_grad()
    def posterior(self, x: Array, context: Array | None, n: int, seed: int) -> Floats:
        """(n, rows, k) draws of z_1 from q(z_1 | x)."""
        found, block = [], max(1, _BLOCK // n)
        with seeded(seed, self.device):
            for start in range(0, len(x), block):
                rows = slice(start, start + block)
                c = None if context is None else self.context(context[rows])
                z = objectives.draw(self.nets, self.nets.encode(self.rows(x[rows]), c), n)[0]
                found.append(z.cpu().double().numpy())
        return np.concatenate(found, axis=1)

    def arrays(self) -> dict[str, Array]:
        return {k: v.detach().cpu().contiguous().numpy() for k, v in self.nets.state_dict().items()}

    def load(self, arrays: Mapping[str, Array]) -> None:
        self.nets.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})

    # Looking in

    def log_weights(
        self,
        x: Array,
        context: Array | None,
        seeds: NDArray[np.uint64],
        samples: int,
        places: list[Array] | None = None,
    ) -> Iterator[Floats]:
        """Blocks (rows, K) of log weights, see `scoring`."""
        from .scoring import log_weights

        return log_weights(self, x, context, seeds, samples, places)

    def bound(
        self,
        x: Array,
        context: Array | None,
        seeds: NDArray[np.uint64],
        places: list[Array] | None = None,
    ) -> tuple[Floats, Floats]:
        """(n,) reconstruction and divergence, see `inspect`."""
        from .inspect import bound

        return bound(self, x, context, seeds, places)

    def kl(self, x: Array, context: Array | None) -> Floats:
        """(k,) divergence of each latent, a mean over the rows."""
        from .inspect import kl_per_latent

        return kl_per_latent(self, x, context)

    def amortisation_gap(self, x: Array, context: Array | None, seed: int, n_steps: int) -> Floats:
        """(n,) nats, see `inspect`."""
        from .inspect import amortisation_gap

        return amortisation_gap(self, x, context, seed, n_steps)
