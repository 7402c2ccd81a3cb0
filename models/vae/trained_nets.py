"""The nets of a variational autoencoder on torch: trained through their pair, and asked by it what
they know of rows."""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ...arrays import Floats
from ...inference import local_pyro
from ...inference.local_objective import Objective
from ...inference.local_pyro import Pair
from ...inference.local_sites import Sites
from ...inference.local_sites_pyro import Draw, draw, read, replay, rsample
from ...inference.torch_learner import TorchLearner
from ...inference.torch_state import seeded
from ..nets.batches import Batches, floats, slices
from ..nets.held_out import Subset
from ..nets.state import take
from ..nets.values import Values
from ..nets.whitening import Whitening
from . import pyro as programs
from .build import Architecture, build
from .priors import base_of

Array = NDArray[Any]
CODE, DATA = "z_1", "x"  # sites of the pair: a row's code, and the row
CLIP = 50.0  # largest norm of the gradient
_BLOCK = 1024


class TrainedNets:
    """The nets in single precision: training, latents, rows, arrays.

    Args:
        rows: (m, D) stored rows from which the nets start; None where weights are loaded next.
        whitening: of the numbers, where their noise is "full".
    """

    def __init__(
        self,
        architecture: Architecture,
        values: Values,
        seed: int,
        device: torch.device | str = "cpu",
        rows: Array | None = None,
        whitening: Whitening | None = None,
    ) -> None:
        self.architecture, self.values, self.device = architecture, values, torch.device(device)
        start = None if rows is None else values.enter(floats(rows))
        self.nets = build(architecture, seed, start, whitening).eval().to(self.device)
        self.seed = seed
        self.kl_sizes: list[int] = []  # of the last evaluation, see `local_pyro.held_terms`
        if architecture.net == "conv":
            self.nets.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __len__(self) -> int:
        """k, the latents next to the data."""
        return self.architecture.latent[0]

    # The pair

    @property
    def pair(self) -> Pair:
        """Model and guide as they stand in `pyro.py`, called with the nets, rows and context."""
        return Pair(programs.model, programs.guide, self.nets, self.architecture.dropout > 0)

    def guided(self, y: Tensor, context: Tensor | None, samples: int, by: Draw = rsample) -> Sites:
        """The guide's sites given rows (n, D), with draws (K, n, ...) of their latents."""
        return draw(programs.guide, self.nets, y, context, samples=samples, by=by)

    def modelled(self, y: Tensor, context: Tensor | None, values: Mapping[str, Tensor]) -> Sites:
        """The model's sites at rows (n, D), or (K, n, D), and values of their latents."""
        return replay(programs.model, self.nets, y, context, values=values)

    def simulated(
        self, n: int, context: Tensor | None, latent: Callable[[str, Any], Tensor], last: str = DATA
    ) -> Sites:
        """The model's sites, up to one, without data: each has the value that `latent` says."""
        program = partial(programs.model, n_total=n)
        return read(program, self.nets, None, context, latent=latent, last=last)

    # Training

    def learner(
        self,
        rows: Subset,
        held: Subset | None,
        objective: Objective,
        seed: int,
        *,
        augment: Callable[..., Tensor] | None = None,
        redraw: Callable[[int], Array] | None = None,
    ) -> TorchLearner:
        """The learner of the pair; `keep` takes its averaged weights afterwards.

        Args:
            augment: changes a batch of images (n, C, H, W).
            redraw: gives the rows trained on anew for an epoch.
        """
        data = self._batches(rows)
        unseen = None if held is None else self._batches(held)

        def again(epoch: int) -> None:
            if redraw is not None:
                data.x = data.source(redraw(epoch))

        def loss(batch: Tensor, step: int) -> Tensor:
            x, context, weights = data.take(batch)
            if augment is not None:
                images = x.view(-1, *self.architecture.shape)
                x = augment(images, torch.default_generator).reshape(len(x), -1)
            args = (self.nets, self._filled(x), context)
            return -local_pyro.objective(self.pair, objective, step, *args, weights=weights)

        return TorchLearner(
            dict(self.nets.named_parameters()),
            loss,
            modules=[self.nets],
            log_density=None if unseen is None else lambda: self._held_terms(unseen, objective),
            clip=CLIP,
            redraw=again,
            seed=seed,
        )

    def _batches(self, rows: Subset) -> Batches:
        return Batches(rows.x, rows.context, rows.weights, self.device, rows.numbers)

    def _held_terms(self, data: Batches, objective: Objective) -> Array:
        """(m, 1 + J) of held-out rows, for `Objective.judged`."""
        found = []
        for rows in slices(len(data), max(1, 4 * _BLOCK // objective.held_samples)):
            x, context, _ = data.take(rows)
            args = (self.nets, self._filled(x), context)
            terms, self.kl_sizes = local_pyro.held_terms(self.pair, objective, *args)
            found.append(terms)
        return torch.cat(found).cpu().numpy()

    def keep(self, learner: TorchLearner) -> None:
        """Take the averaged weights of a trained learner."""
        learner.keep_average()
        self.nets.eval()

    # Stored rows and model values

    def context(self, context: Array | None, rows: slice = slice(None)) -> Tensor | None:
        """The context (n, c) of some rows on the device."""
        return None if context is None else self.tensor(context[rows])

    def tensor(self, x: Array) -> Tensor:
        """Stored rows, codes or context on the device."""
        return floats(x, torch.get_default_dtype()).to(self.device)

    def _filled(self, x: Tensor) -> Tensor:
        """Model values of stored rows, cells filled in by torch's random state."""
        y: Tensor = self.values.enter(x, torch.rand_like(x) if self.values.filled else None)
        return y

    def rows(self, x: Array) -> Tensor:
        """Stored rows as model values, cells at their middles."""
        y: Tensor = self.values.enter(self.tensor(x))
        return y

    def blocks(
        self, x: Array, context: Array | None, size: int = _BLOCK
    ) -> Iterator[tuple[slice, Tensor, Tensor | None]]:
        """Which rows, their model values, and their context, some at a time."""
        for start in range(0, len(x), size):
            rows = slice(start, start + size)
            yield rows, self.rows(x[rows]), self.context(context, rows)

    # Codes and rows

    @torch.no_grad()
    def encode(self, x: Array, context: Array | None) -> tuple[Floats, Floats]:
        """(n, k) means and standard deviations of q(z_1 | x); of a flow, where it puts the mean of
        its Gaussian part (no expectation, but where the mass lies), and that part's deviations."""
        codes = [self.guided(y, c, 1, middle)[CODE] for _, y, c in self.blocks(x, context)]
        spreads = [base_of(code["fn"])[0].stddev for code in codes]
        return doubles([code["value"][0] for code in codes]), doubles(spreads)

    def decode(self, z: Array, context: Array | None, *, draw: int | None = None) -> Array:
        """(n, D) stored values given codes: expected ones, or drawn ones with the seed `draw`."""

        def latent(rows: slice, name: str, fn: Any) -> Tensor:
            if name == CODE:
                return self.tensor(z[rows])
            value: Tensor = fn.mean if name == DATA and draw is None else fn.sample()
            return value

        return self._made(len(z), context, draw or 0, latent)

    def sample(self, n: int, context: Array | None, seed: int) -> Array:
        """(n, D) stored rows drawn from the model."""
        return self._made(n, context, seed, lambda rows, name, fn: fn.sample())

    @torch.no_grad()
    def _made(
        self,
        n: int,
        context: Array | None,
        seed: int,
        latent: Callable[[slice, str, Any], Tensor],
    ) -> Array:
        """(n, D) stored rows of the model; `latent` gives sites of some rows their values."""
        stored = []
        with seeded(seed, self.device):
            for start in range(0, n, _BLOCK):
                rows = slice(start, min(n, start + _BLOCK))
                c = self.context(context, rows)
                sites = self.simulated(rows.stop - start, c, partial(latent, rows))
                stored.append(self.values.leave(sites[DATA]["value"]))
        return doubles(stored)

    @torch.no_grad()
    def prior(self, n: int, seed: int) -> Floats:
        """(n, k) draws of z_1 from the prior."""
        with seeded(seed, self.device):
            z = self.simulated(n, None, lambda name, fn: fn.sample(), last=CODE)[CODE]["value"]
            return doubles([z])

    @torch.no_grad()
    def posterior(self, x: Array, context: Array | None, n: int, seed: int) -> Floats:
        """(n, rows, k) draws of z_1 from q(z_1 | x)."""
        with seeded(seed, self.device):
            blocks = self.blocks(x, context, max(1, _BLOCK // n))
            return doubles([self.guided(y, c, n)[CODE]["value"] for _, y, c in blocks], 1)

    # Arrays

    def arrays(self) -> dict[str, Array]:
        return {k: v.detach().cpu().contiguous().numpy() for k, v in self.nets.state_dict().items()}

    def load(self, arrays: Mapping[str, Array]) -> None:
        take(self.nets, arrays)


def doubles(parts: Sequence[Tensor], axis: int = 0) -> Floats:
    """Tensors joined, as an array in double precision."""
    joined: Floats = torch.cat(tuple(parts), axis).cpu().double().numpy()
    return joined


def middle(name: str, fn: Any, samples: int) -> Tensor:
    """(1, n, ...) in place of draws: where a distribution puts the mean of what it is made of."""
    base, transforms = base_of(fn)
    z: Tensor = base.mean
    for transform in transforms:
        z = transform(z)
    return z if len(fn.batch_shape) > 1 else z.unsqueeze(0)
