"""Translation learnt without pairs (CycleGAN): the losses.

G brings X to Y and F brings Y to X. Rows of X and of Y belong together in no way; that a
translation keeps what a picture is of is asked for by its way back:

    D_Y lowers     E d(D_Y(y), D_Y(G(x)'))          D_X lowers     E d(D_X(x), D_X(F(y)'))
    G, F lower     E g(D_Y(y), D_Y(G(x)))  +  E g(D_X(x), D_X(F(y)))
                   + lambda   (E |F(G(x)) - x| + E |G(F(y)) - y|)              cycle
                   + iota lambda   (E |G(y) - y| + E |F(x) - x|)               identity

' marks translations of this step or, with probability 1/2, of earlier ones (`pool`). Differences
are of standardised pictures, the mean over values. Identity needs domains of as many channels.

An epoch is the rows of the longer domain. To each goes a row of the shorter, in the order of
permutations that are a function of seed and epoch alone.

The score of a held-out row y of Y is that of `gan.held_out_score`, by the translations of held-out
rows of X (0 is what rows of Y that are trained on reach), less its cycle error as a share of the
spread:

    s(y) = S(y; G(x_1), ..., G(x_m))  -  |G(F(y)) - y| / E |y' - mean|

and of a row of X likewise. S is proper: on average it is highest where translations are distributed
as Y is.

References: Zhu, Park, Isola and Efros, "Unpaired image-to-image translation using cycle-consistent
adversarial networks", 2017, https://arxiv.org/abs/1703.10593.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...arrays import Floats
from ..gan import held_out_score
from ..gan.held_out_score import HeldOutScore
from ..nets.values import Values
from .game import Game, Indices, Pair, Side, Way, absolute, by_blocks
from .pool import Pool

_KNOWN, _VALUES = 1000, 1 << 23  # rows trained on that translations are set beside, and values
_FEWEST = 16  # of these rows


class UnpairedGame(Game):
    """The losses of CycleGAN.

    Args:
        cycle: lambda.
        identity: iota.
        pool: how many earlier translations are kept of each way.
        seed: of which rows go together.
    """

    def __init__(
        self,
        ways: Sequence[Way],
        sides: tuple[Side, Side],
        objective: str,
        gamma: float,
        *,
        cycle: float,
        identity: float,
        pool: int,
        seed: int,
    ) -> None:
        super().__init__(ways, sides, objective, gamma)
        self.cycle, self.seed = cycle, seed
        channels = {side.domain.shape[0] for side in sides}
        self.identity = identity if len(channels) == 1 else 0.0
        self.pools = {}
        for way in ways:
            target = sides[way.target]
            self.pools[way.target] = Pool(pool, target.domain.shape, target.rows.device)
        self.kept = {
            f"pool {i}/{name}": value
            for i, one in self.pools.items()
            for name, value in one.kept.items()
        }
        self._scores: dict[int, HeldOutScore] = {}
        self.redraw(0)

    def redraw(self, epoch: int) -> None:
        """Which rows go together in an epoch."""
        self.partners = [
            torch.from_numpy(partners(self.seed, epoch, i, self.sides)) for i in range(2)
        ]

    def batch(self, rows: Tensor) -> Pair:
        x, y = self.sides
        return x.take(self.partners[0][rows]), y.take(self.partners[1][rows])

    def shown(self, way: Way, a: Tensor, fake: Tensor) -> Pair:
        return a, self.pools[way.target].shown(fake)

    def beside(self, batch: Pair, fakes: Sequence[Tensor]) -> Tensor:
        total = torch.zeros((), device=batch[0].device)
        for way, there, back in zip(self.ways, fakes, reversed(self.ways), strict=True):
            a = batch[way.source]
            # At once: what went there, and what is of the domain already that `back` goes to.
            made = back(torch.cat([there, a]) if self.identity else there)
            cycled, same = made[: len(a)], made[len(a) :]
            total = total + self.cycle * absolute(cycled, a).mean()
            if self.identity:
                total = total + self.identity * self.cycle * absolute(same, a).mean()
        return total

    def held_out(self, held: tuple[Side, Side]) -> Floats:
        own = [by_blocks(side.take, len(side)) for side in held]
        made = {way.target: _through(way, own[way.source]) for way in self.ways}
        values = []
        for way, name in zip(reversed(self.ways), "xy", strict=True):
            # Rows of the domain that this way goes to, and translations to it.
            real, fake = own[way.target], made[way.target]
            spread = absolute(real, real.mean(0, keepdim=True)).mean().clamp(min=1e-6)
            cycle = absolute(_through(way, made[way.source]), real) / spread
            score = self._score(way.target, real)
            values.append((score(fake.flatten(1)) - cycle).double().cpu().numpy())
            self.outputs(_scores(way, real), _scores(way, fake), name)
        return np.concatenate(values)

    def _score(self, which: int, real: Tensor) -> HeldOutScore:
        """What scores translations to a domain by its held-out rows."""
        if which not in self._scores:
            side = self.sides[which]
            most = max(_FEWEST, min(_KNOWN, _VALUES // real[0].numel()))
            some = np.unique(np.linspace(0, len(side) - 1, most).round().astype(np.int64))
            known = side.take(torch.from_numpy(some))
            parts = (held_out_score.Side(rows.flatten(1)) for rows in (real, known))
            self._scores[which] = HeldOutScore(Values(known[0].numel()), *parts)
        return self._scores[which]


def _through(way: Way, pictures: Tensor) -> Tensor:
    return by_blocks(lambda at: way(pictures[at]), len(pictures))


def _scores(way: Way, pictures: Tensor) -> Tensor:
    return by_blocks(lambda at: way.scores(pictures[at], pictures[at]), len(pictures))


def partners(seed: int, epoch: int, which: int, sides: tuple[Side, Side]) -> Indices:
    """(N,) which row of a domain goes with each of the N rows of the longer one, in an epoch."""
    n, longer = len(sides[which]), max(map(len, sides))
    if which == int(len(sides[1]) > len(sides[0])):
        return np.arange(longer)
    rng = np.random.default_rng([seed, epoch, 1])
    each = [rng.permutation(n) for _ in range(-(-longer // n))]
    return np.concatenate(each)[:longer]
