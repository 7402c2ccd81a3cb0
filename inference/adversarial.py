"""The learner of players that train against each other, as `gradient.train` drives it.

A step of players P_1, ..., P_k is a turn of each in order, or several: in a turn of player P its
own loss is taken over rows, and P's parameters, and no others, move down its gradient,

    w_P <- w_P - eta Adam(grad_{w_P} L_P(w_1, ..., w_k)).

Goodfellow's algorithm 1 is the discriminator with k turns, then the generator with one. A batch is
divided into as many parts as the most turns that any player has; a player with t turns takes the
last t of them, one a turn, so that each of k discriminator steps sees rows of its own.

All weights are averaged and validated together, and all players share one state, so that training
goes on bit for bit.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .learner import Array
from .torch_learner import Loss, Optimiser, TorchLearner


@dataclass(frozen=True, eq=False)
class Player:
    """One who lowers a loss of its own.

    Attributes:
        name: of the player; "discriminator", say.
        parameters: name -> tensor that this player moves.
        loss: its mean loss of the rows numbered, at this step (counted from 0). What other players
            do in it should be computed without gradient where none is needed: their parameters do
            not move, but the time would be spent.
        turns: how often it moves in a step.
        rate: its learning rate, as a multiple of the schedule's.
    """

    name: str
    parameters: Mapping[str, Tensor]
    loss: Loss
    turns: int = 1
    rate: float = 1.0


class AdversarialLearner(TorchLearner):
    """Steps in which players take turns.

    The loss of a step is that of the last player's last turn. The norm of each player's gradient is
    measured, under "NAME gradient norm".

    Args:
        players: in the order of their turns.
        modules: set to training mode in steps only.
        log_density: what `evaluate` gives of the held-out rows, (m,): a score, the higher the
            better.
        optimiser: makes one torch optimiser of all parameters; those of a player move in its turns
            only.
        clip: largest norm of a player's gradient.
        redraw: called with the number of each epoch before its first step.
        kept: name -> tensor that steps change in place and that is no parameter, such as a pool of
            images: it belongs to the state, and is not averaged.
        seed: of all that the losses draw.

    Attributes:
        follow: called with `share` before each run of steps; None where nothing follows it.
    """

    follow: Callable[[float], None] | None = None

    def __init__(
        self,
        players: Sequence[Player],
        *,
        modules: Sequence[nn.Module] = (),
        log_density: Callable[[], Array] | None = None,
        optimiser: Optimiser | None = None,
        clip: float = math.inf,
        redraw: Callable[[int], Any] | None = None,
        kept: Mapping[str, Tensor] | None = None,
        seed: int = 0,
    ) -> None:
        named = {f"{p.name}/{name}": t for p in players for name, t in p.parameters.items()}
        super().__init__(
            named,
            players[-1].loss,
            modules=modules,
            log_density=log_density,
            optimiser=optimiser,
            clip=clip,
            redraw=redraw,
            seed=seed,
        )
        self.players, self.kept = list(players), dict(kept or {})
        self._parts = max(player.turns for player in players)
        self._of = [[t for t in p.parameters.values() if t.requires_grad] for p in players]
        self._sums: dict[str, tuple[Any, int]] = {}

    # What is measured

    def measure(self, name: str, value: Tensor | float) -> None:
        """Measure a number in a loss or in what `evaluate` calls."""
        total, count = self._sums.get(name, (0.0, 0))
        self._sums[name] = (
            total + (value.detach() if isinstance(value, Tensor) else value),
            count + 1,
        )

    def measured(self) -> dict[str, float]:
        means = {name: float(total) / count for name, (total, count) in self._sums.items()}
        self._sums = {}
        return means

    # Steps

    def run(self, batches: NDArray[np.int64], rates: NDArray[np.float64]) -> Array:
        if self.follow is not None:
            self.follow(self.share)
        return super().run(batches, rates)

    def _take_step(self, rows: Tensor, rate: float) -> float:
        parts, value = rows.tensor_split(self._parts), math.nan
        for player, parameters in zip(self.players, self._of, strict=True):
            for part in parts[-player.turns :]:
                value, norm = self._descend(parameters, player.loss, part, player.rate * rate)
                if norm is None:
                    return value
                self.measure(f"{player.name} gradient norm", norm)
        return value

    def _try_step(self, rows: Tensor) -> None:
        kept = {name: value.clone() for name, value in self.kept.items()}
        sums = dict(self._sums)
        part = rows.tensor_split(self._parts)[0]
        try:
            for player, parameters in zip(self.players, self._of, strict=True):
                if len(part):
                    player.loss(part, self.step).backward(inputs=parameters)
        finally:
            self._sums = sums
            for name, value in kept.items():
                self.kept[name].copy_(value)

    # State

    def state(self) -> dict[str, Array]:
        own = {f"kept/{name}": value.cpu().numpy().copy() for name, value in self.kept.items()}
        return super().state() | own

    def load(self, state: Mapping[str, Array]) -> None:
        super().load(state)
        for name, value in self.kept.items():
            value.copy_(torch.from_numpy(np.array(state[f"kept/{name}"])))
