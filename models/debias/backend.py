"""A debiasing variational autoencoder on torch: training with resampling, labels, latents, rows."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from ...arrays import Array, Floats
from ...inference.adam import Adam
from ...inference.torch_learner import TorchLearner
from ..nets.batches import Batches, blockwise
from ..nets.coder import Change, TorchCoder
from ..nets.held_out import Subset
from .nets import Nets, Weights, divergence, loss_parts
from .resampling import Indices, Resampling, draw


class TorchDebias(TorchCoder[Nets]):
    """The nets in single precision: training, latents, labels."""

    made = Nets

    def learner(
        self,
        seen: Subset,
        unseen: Subset | None,
        weights: Weights,
        resampling: Resampling | None,
        *,
        weight_decay: float = 0.0,
        change: Change | None = None,
        seed: int = 0,
    ) -> TorchLearner:
        """The learner of the nets. A number of a batch stands for a row of the epoch's draws.

        Args:
            seen: rows to train on; labels are numbers of classes.
            weights: of the parts of the loss.
            resampling: how often rows are drawn; None draws each row once an epoch.
            change: of stored images (n, C, H, W) before anything else.
        """
        rows, held = self.batches(seen), None if unseen is None else self.batches(unseen)
        y = torch.as_tensor(seen.classes, device=self.device)
        drawn: Indices = np.arange(len(seen))
        # How often each held-out row would have been drawn, had it been among them.
        share: Floats | float = 1.0

        def both(x: Tensor, label: Tensor, change: Change | None = None) -> tuple[Tensor, Tensor]:
            features = self.entering(x, change)
            return loss_parts(self.nets, self.reconstruction, features, label, weights)

        def loss(numbers: Tensor, step: int) -> Tensor:
            numbers = torch.from_numpy(drawn)[numbers].to(self.device)
            classification, unsupervised = both(rows.take(numbers)[0], y[numbers], change)
            return classification.mean() + unsupervised.mean()

        def evaluate() -> Floats:
            assert held is not None
            assert unseen is not None
            label = torch.as_tensor(unseen.classes, device=self.device)

            def losses(at: slice) -> Tensor:
                return torch.stack(both(held.take(at)[0], label[at])).sum(0)

            return np.asarray(-share * blockwise(losses, len(held)))

        def redraw(epoch: int) -> None:
            nonlocal drawn, share
            if resampling is None:
                return
            means, variances = self._latents(rows)
            histograms = resampling.histograms(means, variances, seen.classes, seen.shares)
            p = resampling.probabilities(histograms, means, seen.classes, seen.shares)
            drawn = draw(p, seed, epoch)
            if held is not None and unseen is not None:
                means = self._latents(held)[0]
                p = resampling.probabilities(histograms, means, unseen.classes, unseen.shares)
                share = len(p) * p

        return TorchLearner(
            dict(self.nets.named_parameters()),
            loss,
            modules=[self.nets],
            log_density=None if held is None else evaluate,
            optimiser=partial(Adam, weight_decay=weight_decay),
            redraw=redraw,
            seed=seed,
        )

    def latents(self, x: Array) -> tuple[Floats, Floats]:
        """(n, k) means and variances of stored rows."""
        return self._latents(Batches(x, device=self.device))

    def _latents(self, rows: Batches) -> tuple[Floats, Floats]:
        def both(at: slice) -> Tensor:
            seen = self.nets.see(self.reconstruction.features(rows.take(at)[0]))
            return torch.cat([seen.mean, torch.exp(2 * seen.log_scale)], 1)

        means, variances = np.split(blockwise(both, len(rows)), 2, axis=1)
        return means, variances

    def log_probabilities(self, x: Array) -> Floats:
        """(n, C) log p(y | x) of stored rows."""

        def log_p(at: slice) -> Tensor:
            return torch.log_softmax(self.nets.see(self.features(x[at])).logits.double(), 1)

        return blockwise(log_p, len(x))

    def kl(self, x: Array) -> Floats:
        """(k,) mean nats of each latent over stored rows."""

        def nats(at: slice) -> Tensor:
            seen = self.nets.see(self.features(x[at]))
            return divergence(seen.mean, seen.log_scale)

        return np.asarray(blockwise(nats, len(x)).mean(0))
