"""The net of a diffusion model on a device: what it makes of noisy rows, rows of noise, and its
training."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from ...arrays import Array, Floats
from ...inference.diffusion.process import PROCESSES, TARGETS, Denoise, Process, Target
from ...inference.torch_learner import TorchLearner
from ...inference.torch_state import seeded
from ..nets.batches import Batches
from ..nets.features import features
from ..nets.held_out import Subset
from ..nets.state import take
from ..nets.views import View
from .coupling import coupled
from .gauge import Gauge, in_single
from .guidance import Guidance, guided
from .held_out_loss import HeldOutLoss
from .nets import Architecture, build
from .plan import Noise, Plan
from .tables import Levels


class TrainedDiffusion:
    """A net that reverses noise, in single precision.

    Args:
        architecture: what it is made of.
        view: what it sees of a row, which is F features.
        noise: the process, the target and the times.
        seed: of the weights; torch's own random state stays as it is.
        device: where it is.

    Attributes:
        process, target: see `inference.diffusion.process`.
        levels: the features of levels, or None.
        gauge: what densities and conditioning need besides.
    """

    gauge: Gauge
    process: Process
    target: Target

    def __init__(
        self,
        architecture: Architecture,
        view: View,
        noise: Noise,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.architecture, self.view, self.noise = architecture, view, noise
        self.device = torch.device(device)
        self.process = PROCESSES[noise.process]
        self.target = TARGETS[noise.target](self.process, noise.sigma_data)
        with seeded(seed):
            net = build(architecture, view.values)
        self.net: nn.Module = net.to(self.device).eval()
        self.levels = Levels(view.values).to(self.device) if view.values.levels else None

    # What it makes of noisy rows

    def output(
        self, x_t: Tensor, t: Tensor, context: Tensor | None = None, known: Tensor | None = None
    ) -> Tensor:
        """(n, F) what the net gives of rows x_t (n, F): the target of numbers, logits of levels.

        Args:
            t: (n,) times; where they are one number, expanded, it is embedded once.
            context: (n, c) what rows are conditioned on; None where nothing is known of it.
            known: (n,) whether each row's context is known; None is for all.
        """
        once = t[:1] if t.dim() and t.stride(0) == 0 else t.reshape(-1)
        level = self.process.ratio(once).log().to(x_t.dtype)
        x = self.target.network_input(x_t, t)
        out: Tensor = self.net(x, level, context, known)
        return out

    def denoise(self, x_t: Tensor, t: Tensor, context: Tensor | None = None) -> Tensor:
        """(n, F) E[x | x_t] as the net has it; of levels, their probabilities."""
        out = self.output(x_t, t, context)
        data = self.target.data(out, x_t, t)
        if self.levels is None:
            return data
        shares = self.levels.shares(self.levels.logits(out, x_t, t, self.process))
        return torch.cat([data[:, : self.levels.numbers], shares], 1)

    def denoiser(self, context: Floats | None = None, guidance: Guidance | float = 1.0) -> Denoise:
        """E[x | x_t, context] of n rows, for samplers and densities.

        Args:
            context: (n, c) of the rows that it will be given, or (1, c) for all of them.
            guidance: towards the context, or its weight; above 1 it is no denoiser of any density.
        """
        if context is None:
            return self.denoise
        c = self.tensor(context)

        def told(x_t: Tensor, t: Tensor) -> Tensor:
            return self.denoise(x_t, t, c.expand(len(x_t), -1))

        asked = guidance if isinstance(guidance, Guidance) else Guidance(guidance)
        return guided(told, self.denoise, asked, self.process, self.view.values.indicators)

    def losses(
        self,
        x: Tensor,
        eps: Tensor,
        t: Tensor,
        context: Tensor | None = None,
        known: Tensor | None = None,
    ) -> Tensor:
        """(n,) what is trained: squared errors of the target of numbers and twice the
        cross-entropies of levels (see `tables`), their mean over the values of a row."""
        x_t = self.process.noisy(x, eps, t)
        out, target = self.output(x_t, t, context, known), self.target.of(x, eps, t)
        if self.levels is None:
            return (out - target).square().mean(1)
        k = self.levels.numbers
        squares = (out[:, :k] - target[:, :k]).square().sum(1)
        crossed = self.levels.losses(self.levels.logits(out, x_t, t, self.process), x)
        return (squares + crossed) / self.view.values.size

    def features(self, x: Tensor, *, draw: bool = False) -> Tensor:
        """(n, F) features of stored rows (n, D); places within filled cells are drawn by torch's
        own random state, or are the middles."""
        values = self.view.values
        u = torch.rand_like(x) if draw and values.filled else None
        return features(values, values.enter(x, u))

    # Training

    def fit_levels(self, seen: Subset) -> None:
        """Take the shares of the levels of the rows trained on."""
        if self.levels is not None:
            weights = None if seen.shares is None else self.tensor(seen.shares)
            self.levels.fit(self.features(self.tensor(seen.values()[0])), weights)

    def learner(
        self,
        seen: Subset,
        unseen: Subset | None,
        plan: Plan,
        *,
        redraw: Callable[[int], Array] | None = None,
        seed: int = 0,
    ) -> TorchLearner:
        """The learner of the net; `keep` takes its averaged weights afterwards.

        Args:
            redraw: gives the stored rows trained on anew for an epoch.
        """
        rows = Batches(seen.x, seen.context, seen.weights, self.device, seen.numbers)
        times, optimal = self.noise.times(), plan.coupling == "optimal"

        def loss(numbers: Tensor, step: int) -> Tensor:
            stored, context, weights = rows.take(numbers)
            x = self.features(stored, draw=True)
            t, eps, known = times.stratified(len(x), self.device), torch.randn_like(x), None
            if optimal:
                eps = coupled(x, eps, context)
            if context is not None and plan.drop_context:
                known = torch.rand(len(x), device=self.device) >= plan.drop_context
            each = self.losses(x, eps, t, context, known)
            return each.mean() if weights is None else (each * weights).mean()

        def again(epoch: int) -> None:
            if redraw is not None:
                rows.x = rows.source(redraw(epoch))

        together = plan.schedule.batch_size if optimal else 0
        held_out = None if unseen is None else self.held_out_loss(unseen, plan.looks, together)
        return TorchLearner(
            dict(self.net.named_parameters()),
            loss,
            modules=[self.net],
            log_density=None if held_out is None else lambda: -held_out(),
            redraw=again,
            seed=seed,
        )

    def held_out_loss(self, rows: Subset, looks: int, coupled: int = 0) -> HeldOutLoss:
        """The loss of rows that are held out, each looked at so many times (see `HeldOutLoss`)."""
        x, context = rows.values()
        return HeldOutLoss(
            self.losses,
            self.features(self.tensor(x)),
            None if context is None else self.tensor(context),
            rows.units(),
            self.noise.times(),
            looks,
            coupled,
        )

    def keep(self, learner: TorchLearner, seen: Subset) -> None:
        """Take the averaged weights of a trained learner, and the gauge of some rows seen."""
        learner.keep_average()
        self.net.eval()
        stored, context = seen.values()
        with seeded(0, self.device):  # a cell that all rows have is as wide as it is
            x, shares = self.features(self.tensor(stored), draw=True).cpu(), seen.shares
        self.gauge = Gauge.fit(
            in_single(self.denoise, self.device),
            self.process,
            x,
            self.view.values.numbers,
            None if context is None else self.tensor(context),
            None if shares is None else torch.as_tensor(shares),
            words=self.architecture.words > 0,
        )

    # Saved runs

    def arrays(self) -> dict[str, Array]:
        """The weights, the shares of levels, and the gauge."""
        gauge = {f"gauge.{key}": array for key, array in self.gauge.arrays().items()}
        return gauge | {
            f"{name}.{key}": value.detach().cpu().contiguous().numpy()
            for name, module in self._modules.items()
            for key, value in module.state_dict().items()
        }

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Take what `arrays` gave."""
        gauge = {k.removeprefix("gauge."): v for k, v in arrays.items() if k.startswith("gauge.")}
        self.gauge = Gauge.load(gauge, self.process)
        for name, module in self._modules.items():
            start = f"{name}."
            own = {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}
            take(module, own)

    @property
    def _modules(self) -> dict[str, nn.Module]:
        return {"net": self.net} | ({} if self.levels is None else {"levels": self.levels})

    def tensor(self, x: Array) -> Tensor:
        """An array in single precision on the device."""
        return torch.as_tensor(np.asarray(x, np.float32), device=self.device)
