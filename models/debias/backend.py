"""A debiasing variational autoencoder on torch: training with resampling, labels, latents, rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...inference.torch_learner import TorchLearner
from ..autoencoder.layout import Layout
from ..nets.batches import Batches, floats, slices
from ..nets.machine import shrinking
from .nets import Architecture, Weights, build, divergence, loss_parts
from .resampling import draw

Array = NDArray[Any]
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Change = Callable[[Tensor], Tensor]
Weigh = Callable[[Floats, Floats, Floats | None], tuple[Floats, Floats | None]]
_BLOCK = 1024


class TorchDebias:
    """The nets in single precision."""

    def __init__(
        self,
        architecture: Architecture,
        layout: Layout,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.architecture, self.layout, self.device = architecture, layout, torch.device(device)
        self.nets = build(architecture, layout, seed).to(self.device)
        if architecture.net == "conv":
            self.nets.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def begin(self, some: Array, modelled: Array) -> float:
        """Start from stored rows, and from those of them that are modelled.

        Returns:
            The error of the best constant row.
        """
        y = self._enter(modelled)
        start = self.layout.start(y)
        self.nets.begin(start, self._enter(some))
        return max(float(self.layout.errors(start.expand_as(y), y).mean()), 1e-12)

    def learner(
        self,
        rows: Batches,
        labels: Indices,
        held: tuple[Batches, Indices] | None,
        weights: Weights,
        weigh: Weigh | None,
        *,
        weight_decay: float = 0.0,
        augment: Change | None = None,
        block: int = _BLOCK,
        seed: int = 0,
    ) -> Resampled:
        """The learner of the nets.

        Args:
            rows: to train on, with
            labels: numbers of their classes.
            held: held-out rows and their labels.
            weights: of the parts of the loss.
            weigh: of means and variances (n, k) of the rows, and means (m, k) of held-out ones, the
                probabilities of both; None draws each row once an epoch.
            augment: changes stored images (n, C, H, W) before anything else.
            block: rows that are looked at at a time.
        """
        y = torch.as_tensor(labels, device=self.device)

        def parts(x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
            return loss_parts(self.nets, self.layout, self.layout.enter(x), label, weights)

        def loss(numbers: Tensor, step: int) -> Tensor:
            numbers = torch.from_numpy(learner.table)[numbers].to(self.device)
            x = rows.take(numbers)[0]
            if augment is not None:
                x = augment(x.view(-1, *self.layout.shape)).reshape(len(x), -1)
            classification, unsupervised = parts(x, y[numbers])
            return classification.mean() + unsupervised.mean()

        evaluate = None
        if held is not None:
            unseen, of = held[0], torch.as_tensor(held[1], device=self.device)

            def evaluate() -> Array:
                found = []
                for at in slices(len(unseen), block):
                    classification, unsupervised = parts(unseen.take(at)[0], of[at])
                    found.append(-(classification + unsupervised))
                return np.asarray(learner.share * torch.cat(found).cpu().numpy())

        @torch.no_grad()
        def latents(of: Batches) -> tuple[Floats, Floats]:
            seen = [self._latents(of.take(at)[0]) for at in slices(len(of), block)]
            means, variances = (np.concatenate(part) for part in zip(*seen, strict=True))
            return means, variances

        def redraw(epoch: int) -> None:
            if weigh is None:
                return
            others = None if held is None else latents(held[0])[0]
            p, other_p = weigh(*latents(rows), others)
            learner.table = draw(p, seed, epoch)
            if other_p is not None:
                learner.share = len(other_p) * other_p

        learner = Resampled(
            dict(self.nets.named_parameters()),
            loss,
            modules=[self.nets],
            log_density=evaluate,
            optimiser=partial(torch.optim.AdamW, weight_decay=weight_decay, fused=True),
            redraw=redraw,
            seed=seed,
        )
        learner.table = np.arange(len(rows))
        learner.share = np.ones(0 if held is None else len(held[0]))
        return learner

    def _latents(self, x: Tensor) -> tuple[Floats, Floats]:
        seen = self.nets.see(self.layout.enter(x))
        variance = torch.exp(2 * seen.log_scale)
        return seen.mean.cpu().double().numpy(), variance.cpu().double().numpy()

    def keep(self, learner: TorchLearner) -> None:
        """Take the averaged weights of a trained learner."""
        learner.keep_average()
        self.nets.eval()

    # Using

    def latents(self, x: Array) -> tuple[Floats, Floats]:
        """(n, k) means and variances of stored rows."""
        k = self.architecture.latent

        def both(at: slice) -> Tensor:
            seen = self.nets.see(self._enter(x[at]))
            return torch.cat([seen.mean, torch.exp(2 * seen.log_scale)], 1)

        found = self._blockwise(both, len(x))
        return found[:, :k], found[:, k:]

    def log_probabilities(self, x: Array) -> Floats:
        """(n, C) log p(y | x) of stored rows."""
        return self._blockwise(
            lambda at: torch.log_softmax(self.nets.see(self._enter(x[at])).logits.double(), 1),
            len(x),
        )

    def decode(self, z: Floats) -> Floats:
        """(n, features) values expected of codes, as the net sees them."""
        return self._blockwise(
            lambda at: self.layout.expected(self.nets.decode(floats(z[at]).to(self.device))),
            len(z),
        )

    def kl(self, x: Array) -> Floats:
        """(k,) mean nats of each latent over stored rows."""

        def of(at: slice) -> Tensor:
            seen = self.nets.see(self._enter(x[at]))
            return divergence(seen.mean, seen.log_scale)

        return np.asarray(self._blockwise(of, len(x)).mean(0))

    def _blockwise(self, work: Callable[[slice], Tensor], n: int) -> Floats:
        @torch.no_grad()
        def all_of(size: int) -> Floats:
            return np.concatenate([work(at).cpu().double().numpy() for at in slices(n, size)])

        return shrinking(all_of, _BLOCK, "the net")[0]

    def _enter(self, x: Array) -> Tensor:
        return self.layout.enter(floats(x).to(self.device))

    def arrays(self) -> dict[str, Array]:
        """The weights of the nets."""
        return {k: v.detach().cpu().contiguous().numpy() for k, v in self.nets.state_dict().items()}

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Take weights that `arrays` gave."""
        self.nets.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})


class Resampled(TorchLearner):
    """A learner whose rows are looked up in the table of the epoch.

    Attributes:
        table: (n,) the row that each number of a batch stands for.
        share: (m,) how often each held-out row would have been drawn, had it been among them.
    """

    table: Indices
    share: Floats
