"""The nets of a translation on a device: pictures there and back, and the learner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ...arrays import Array, Floats
from ...inference.adam import Adam
from ...inference.adversarial import AdversarialLearner, Player
from ...inference.torch_state import seeded
from ..nets.batches import blockwise
from ..nets.sheet_keeper import SheetKeeper
from ..nets.state import take
from .domains import Domain
from .game import Game, Indices, Side, Way, parameters
from .nets import Architecture, Patches, Residual, UNet

_BETAS = (0.5, 0.999)  # of Adam
SHOWN = 12  # rows of each domain that are kept of an evaluation
OWN, MADE, AGAIN = ("X", "y"), ("X to y", "y to X"), ("X and back", "y and back")
Sides = tuple[Side, Side]


class TorchTranslation:
    """Generators and discriminators of one way or both.

    Args:
        domains: of X and of Y, fitted.
        pairs: whether discriminators see what is translated.
        both: whether there is a way back.
        seed: of the weights; torch's own random state stays as it is.

    Attributes:
        ways: from X to Y, and back if there is one.
    """

    def __init__(
        self,
        architecture: Architecture,
        domains: tuple[Domain, ...],
        *,
        pairs: bool,
        both: bool,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.architecture, self.domains = architecture, domains
        self.device = torch.device(device)
        with seeded(seed):
            ways = [self._way(source, pairs) for source in range(1 + both)]
        self.ways = nn.ModuleList(ways).to(self.device).eval()

    def _way(self, source: int, pairs: bool) -> Way:
        a, before, after = self.architecture, self.domains[source], self.domains[1 - source]
        made = UNet if a.net == "unet" else Residual
        generator = made(before.shape, after.shape, a, after.statistics)
        channels = after.shape[0] + (before.shape[0] if pairs else 0)
        return Way(generator, Patches(channels, after.shape, a), source, pairs=pairs)

    def rows(self, pictures: tuple[Array, Array], numbers: tuple[Indices, Indices]) -> Sides:
        """Some of the pictures of both domains, by number, on the device."""
        x, y = (
            Side.of(domain, some, at, self.device)
            for domain, some, at in zip(self.domains, pictures, numbers, strict=True)
        )
        return x, y

    def translated(self, x: Tensor, *, back: bool = False) -> Tensor:
        """Standardised pictures (n, C, H, W) of the other domain."""
        way = self.ways[int(back)]
        made = blockwise(lambda at: way(x[at].to(self.device)).flatten(1), len(x))
        return torch.from_numpy(made).view(-1, *self.domains[1 - int(back)].shape)

    def learner(
        self,
        game: Game,
        held: Sides | None,
        *,
        redraw: Callable[[int], Any] | None = None,
        sheets: SheetKeeper | None = None,
        seed: int = 0,
    ) -> AdversarialLearner:
        """The learner of all players.

        Args:
            game: their losses.
            held: held-out rows of both domains, or None.
            redraw: called with the number of each epoch before its first step.
            sheets: keeps what is `shown` of some evaluations.
        """
        ways: Any = list(self.ways)

        def evaluate() -> Floats:
            assert held is not None
            if sheets is not None:
                sheets.add(learner.step, self.shown(held))
            return game.held_out(held)

        learner = AdversarialLearner(
            [
                Player(name, parameters(ways, name), getattr(game, name))
                for name in ("discriminator", "generator")
            ],
            modules=[self.ways],
            log_density=None if held is None else evaluate,
            optimiser=partial(Adam, betas=_BETAS),
            redraw=redraw,
            kept=game.kept | ({} if sheets is None else sheets.tensors),
            seed=seed,
        )
        game.measure = learner.measure
        return learner

    def shown(self, held: Sides) -> dict[str, Tensor]:
        """A few held-out rows of each domain, and what is made of them there and back."""
        n = min(SHOWN, *map(len, held))
        rows: dict[str, Tensor] = {}
        for i, side in enumerate(held):
            rows[OWN[i]] = own = side.take(slice(0, n)).cpu()
            if i < len(self.ways):
                rows[MADE[i]] = made = self.translated(own, back=bool(i)).float()
                if len(self.ways) > 1:
                    rows[AGAIN[i]] = self.translated(made, back=not i)
        return {name: values.float() for name, values in rows.items()}

    def keep(self, learner: AdversarialLearner) -> None:
        """Take the averaged weights of a trained learner."""
        learner.keep_average()
        self.ways.eval()

    def arrays(self) -> dict[str, Array]:
        """The weights."""
        return {k: v.detach().cpu().numpy() for k, v in self.ways.state_dict().items()}

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Take weights that `arrays` gave."""
        take(self.ways, arrays)
