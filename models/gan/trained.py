"""The nets of a GAN on a device: rows of noise, scores of rows, and their training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...arrays import Array, Floats
from ...errors import InputError
from ...inference.adam import Adam
from ...inference.adversarial import AdversarialLearner, Player
from ...inference.torch_learner import TorchLearner
from ...inference.torch_state import seeded
from ..nets.batches import Batches, blockwise, slices
from ..nets.features import features
from ..nets.held_out import Subset
from ..nets.sheet_keeper import SheetKeeper
from ..nets.state import take
from ..nets.views import View
from .game import Game
from .growing import Growth
from .held_out_score import HeldOutScore, Side
from .nets import Architecture, Generator, build
from .objectives import OBJECTIVES
from .plan import Plan
from .refine import LEAST, Ratio, refined

BETAS = (0.0, 0.99)  # of Adam: with momentum, players that turn around each other turn outwards
STAGE = "height of the stage"
REAL, GENERATED = "output on real rows", "output on generated rows"
SHEET = "samples"
_BLOCK = 1024

Score = Callable[[Floats, Floats], Floats]


class TrainedGAN:
    """A generator and a discriminator, in single precision.

    Args:
        architecture: what they are made of.
        view: what they see of a row.
        seed: of the weights; torch's own random state stays as it is.
        device: where they are.

    Attributes:
        growth: of nets that grow in training, else None.
    """

    def __init__(
        self,
        architecture: Architecture,
        view: View,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.architecture, self.view = architecture, view
        self.device = torch.device(device)
        with seeded(seed):
            nets = build(architecture, view.values, bounded=view.bounded)
        self.generator, self.discriminator = (net.to(self.device).eval() for net in nets)
        if architecture.net == "conv" and len(view.values.shape) == 3:
            for net in nets:
                net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.growth = Growth.of(self.generator, self.discriminator)
        self.ratio: Ratio | None = None

    # Once they are trained

    def noise(self, n: int, seed: int) -> Floats:
        """(n, k) noise: the codes that rows are made of."""
        rng = np.random.default_rng(seed)
        return rng.standard_normal((n, self.architecture.latent))

    def generate(self, given: int | Floats, context: Floats | None = None, seed: int = 0) -> Floats:
        """(n, F) features of generated rows.

        Args:
            given: how many, or (n, k) noise.
            context: (n, c) what each is conditioned on.
            seed: of the noise, and of levels that are drawn.
        """
        z = self.noise(given, seed) if isinstance(given, int) else given

        def made(at: slice) -> Tensor:
            c = None if context is None else self.tensor(context[at])
            out: Tensor = self.generator(self.tensor(z[at]), c)
            return out

        with seeded(seed, self.device):
            return blockwise(made, len(z))

    def expected(self, z: Floats, context: Floats | None = None) -> Floats:
        """(n, F) features of noise (n, k), a function of each row's alone: nothing is drawn."""
        net = self.generator
        if not isinstance(net, Generator):
            return self.generate(z, context)

        def made(at: slice) -> Tensor:
            c = None if context is None else self.tensor(context[at])
            return net.expected(self.tensor(z[at]), c)

        return blockwise(made, len(z))

    def discriminate(self, rows: Floats, context: Floats | None = None) -> Floats:
        """(n / pack,) scores of features (n, F), under the objective they were trained by."""
        block = _BLOCK // self.architecture.pack * self.architecture.pack or self.architecture.pack
        with torch.no_grad():
            found = [
                self.discriminator(
                    self.tensor(rows[at]), None if context is None else self.tensor(context[at])
                )
                for at in slices(len(rows), block)
            ]
        return np.asarray(torch.cat(found).double().cpu().numpy())

    def refine(self, n: int, context: Floats | None, seed: int, steps: int) -> Floats:
        """(n, F) finished features of rows that the discriminator has refined (see `refine`)."""
        ratio, pack = self.ratio, self.architecture.pack
        if ratio is None:
            raise InputError(
                "the discriminator was not calibrated, as too few rows were held out, and cannot "
                f"refine samples. Fit to more rows, or give at least {LEAST * pack} validation "
                "rows."
            )
        total = -(-n // pack) * pack
        c = None if context is None else np.resize(context, (total, context.shape[1]))

        def generate(seed: int) -> Floats:
            return self.view.finished(self.generate(total, c, seed))

        def log_ratio(rows: Floats) -> Floats:
            return ratio(self.discriminate(rows, c))

        return refined(generate, log_ratio, steps, seed, pack)[:n]

    def features(self, x: Array) -> Floats:
        """(n, F) features of stored rows."""
        values = self.view.values
        seen = features(values, values.enter(self.tensor(x)))
        return np.asarray(seen.double().cpu().numpy())

    def shown(self, rows: Floats) -> Floats:
        """Features (n, F) of real rows as nets that grow are shown them at their place."""
        if self.growth is None:
            return rows
        return np.asarray(self.growth.shown(self.tensor(rows)).double().cpu().numpy())

    # Training

    def score_of(self, seen: Subset, unseen: Subset, most: int | None = None) -> HeldOutScore:
        """What scores so many generated rows, about, by held-out ones."""
        return HeldOutScore(self.view.values, self._side(unseen), self._side(seen), most=most)

    def _side(self, rows: Subset) -> Side:
        x, context = rows.values()
        shares = None if rows.shares is None else self.tensor(rows.shares)
        c = None if context is None else self.tensor(context)
        return Side(self.tensor(self.features(x)), c, shares)

    def learner(
        self,
        seen: Subset,
        unseen: Subset | None,
        score: HeldOutScore | None,
        plan: Plan,
        *,
        redraw: Callable[[int], Array] | None = None,
        sheets: SheetKeeper | None = None,
        often: Floats | None = None,
        seed: int = 0,
    ) -> AdversarialLearner:
        """The learner of both nets; `keep` takes its averaged weights afterwards.

        Args:
            score: of the held-out rows (see `score_of`), or None.
            plan: of the fit.
            redraw: gives the stored rows trained on anew for an epoch.
            sheets: keeps generated rows of some evaluations.
            often: (n,) of the rows trained on, how often each is drawn, up to a factor; None takes
                each once an epoch.
        """
        rows = Batches(seen.x, seen.context, seen.weights, self.device, seen.numbers)
        game = Game(
            self.generator,
            self.discriminator,
            rows,
            self.view.values,
            OBJECTIVES[plan.objective],
            plan.penalty,
            self.architecture.latent,
            self.architecture.pack,
            None if self.growth is None else self.growth.shown,
            plan.change,
        )
        learner: AdversarialLearner

        def again(epoch: int) -> None:
            if redraw is not None:
                rows.x = rows.source(redraw(epoch))
            if often is not None:
                rng = np.random.default_rng([seed, epoch, 0x0F])
                drawn = rng.choice(len(often), size=len(often), p=often / often.sum())
                game.drawn = torch.from_numpy(drawn)

        def evaluate() -> Floats:
            assert unseen is not None
            assert score is not None
            contexts = None if score.contexts is None else score.contexts.cpu().numpy()
            made = self.generate(score.n_samples, contexts, seed)
            if sheets is not None:
                some = made if contexts is None else np.column_stack([made, contexts])
                sheets.add(learner.step, {SHEET: self.tensor(some[: sheets.size(SHEET)])})
            x, context = unseen.values()
            n = min(len(x), len(made)) // game.pack * game.pack
            both = (self.shown(self.features(x[:n])), context), (made[:n], contexts)
            scores = (
                torch.from_numpy(self.discriminate(rows, None if c is None else c[:n]))
                for rows, c in both
            )
            outputs = game.objective.outputs(*scores)
            for name, output in zip((REAL, GENERATED), outputs, strict=True):
                learner.measure(name, output.mean())
            return np.asarray(score(self.tensor(made)).double().cpu().numpy())

        kept = {} if sheets is None else dict(sheets.tensors)
        kept |= {} if self.growth is None else self.growth.kept
        learner = AdversarialLearner(
            [
                Player(
                    "discriminator",
                    dict(self.discriminator.named_parameters()),
                    game.of_discriminator,
                    turns=plan.steps,
                ),
                Player("generator", dict(self.generator.named_parameters()), game.of_generator),
            ],
            modules=[self.generator, self.discriminator],
            log_density=None if unseen is None or score is None else evaluate,
            optimiser=partial(Adam, betas=BETAS),
            redraw=again,
            kept=kept,
            seed=seed,
        )
        learner.follow = None if self.growth is None else partial(self._grow, learner)
        return learner

    def _grow(self, learner: AdversarialLearner, share: float) -> None:
        """Bring nets that grow to where a training stands at a share of its schedule."""
        assert self.growth is not None
        self.growth.follow(share)
        learner.measure(STAGE, self.growth.size[0])

    def keep(self, learner: TorchLearner) -> None:
        """Take the averaged weights of a trained learner."""
        learner.keep_average()
        self.generator.eval()
        self.discriminator.eval()

    # Saved runs

    def arrays(self) -> dict[str, Array]:
        """The weights, and what the discriminator's score says."""
        nets = {"generator": self.generator, "discriminator": self.discriminator}
        ratio = {} if self.ratio is None else self.ratio.arrays()
        return {f"ratio.{name}": array for name, array in ratio.items()} | {
            f"{name}.{key}": value.detach().cpu().contiguous().numpy()
            for name, net in nets.items()
            for key, value in net.state_dict().items()
        }

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Take what `arrays` gave."""
        self.ratio = Ratio.of(
            {k.removeprefix("ratio."): v for k, v in arrays.items() if k.startswith("ratio.")}
        )
        nets: dict[str, Any] = {"generator": self.generator, "discriminator": self.discriminator}
        for name, net in nets.items():
            own = {
                k.removeprefix(f"{name}."): v for k, v in arrays.items() if k.startswith(f"{name}.")
            }
            take(net, own)

    def tensor(self, x: Array) -> Tensor:
        """Numbers where the nets are, in single precision."""
        return torch.as_tensor(np.asarray(x, np.float32), device=self.device)
