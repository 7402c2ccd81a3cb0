"""Losses of translations against their formulas, on nets that are numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ppgen import as_dataset
from ppgen.data import ImageCodec
from ppgen.models.gan.held_out_score import HeldOutScore
from ppgen.models.gan.held_out_score import Side as Rows
from ppgen.models.gan.objectives import OBJECTIVES
from ppgen.models.nets.values import Values
from ppgen.models.translation.game import Side, Way, absolute, apart, parameters
from ppgen.models.translation.kinds import domain_of
from ppgen.models.translation.paired import PairedGame
from ppgen.models.translation.unpaired import UnpairedGame, partners

CPU = torch.device("cpu")


class Times(nn.Module):
    """A translation that multiplies; counts its calls."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by, self.calls = nn.Parameter(torch.tensor(by)), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.by * x


class Judge(nn.Module):
    """Two patches: weighted sums of squares of the left and the right half."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, x: Tensor) -> Tensor:
        halves = x.chunk(2, -1)
        return torch.stack([self.weight * h.square().flatten(1).sum(1) for h in halves], 1)


def side(n: int, seed: int) -> Side:
    images = np.random.default_rng(seed).integers(0, 256, (n, 4, 4)).astype(np.uint8)
    data = as_dataset(images)
    codec = ImageCodec(data.schema)
    domain = domain_of(codec)
    pictures = domain.pictures(codec.encode(data))
    return Side.of(domain.fitted(pictures), pictures, np.arange(n), CPU)


def paired(objective: str = "least_squares", gamma: float = 0.0, both: bool = False) -> PairedGame:
    ways = [Way(Times(0.7 - i), Judge(0.1 + 0.1 * i), i, pairs=True) for i in range(1 + both)]
    return PairedGame(ways, (side(6, 0), side(6, 1)), objective, gamma, weight=100.0)


def unpaired(pool: int = 0, gamma: float = 0.0, identity: float = 0.5) -> UnpairedGame:
    ways = [Way(Times(0.7 - i), Judge(0.1 + 0.1 * i), i, pairs=False) for i in range(2)]
    how: Any = {"cycle": 10.0, "identity": identity, "pool": pool, "seed": 3}
    return UnpairedGame(ways, (side(6, 0), side(9, 1)), "least_squares", gamma, **how)


ROWS = torch.tensor([0, 2, 5])


@pytest.mark.parametrize("objective", ["least_squares", "relativistic"])
def test_losses_of_pairs_are_their_formulas(objective: str) -> None:
    game = paired(objective)
    (way,) = game.ways
    x, y = game.batch(ROWS)
    fake = 0.7 * x
    real_scores = way.discriminator(torch.cat([x, y], 1)).flatten()
    fake_scores = way.discriminator(torch.cat([x, fake], 1)).flatten()
    play = OBJECTIVES[objective]
    expected = play.discriminator(real_scores, fake_scores).mean()
    torch.testing.assert_close(game.discriminator(ROWS, 0), expected)
    expected = play.generator(real_scores, fake_scores).mean() + 100 * (fake - y).abs().mean()
    torch.testing.assert_close(game.generator(ROWS, 0), expected)


def test_two_ways_of_pairs_are_two_losses() -> None:
    game = paired(both=True)
    alone = [PairedGame([way], game.sides, "least_squares", 0.0, weight=100.0) for way in game.ways]
    for player in ("discriminator", "generator"):
        expected = sum(getattr(one, player)(ROWS, 0) for one in alone)
        torch.testing.assert_close(getattr(game, player)(ROWS, 0), expected)


def test_losses_without_pairs_are_their_formulas() -> None:
    game = unpaired()
    forward, back = game.ways
    x, y = game.batch(ROWS)
    g, f = 0.7, -0.3
    scores = {
        name: judge(rows)
        for name, judge, rows in [
            ("y", forward.discriminator, y),
            ("G(x)", forward.discriminator, g * x),
            ("x", back.discriminator, x),
            ("F(y)", back.discriminator, f * y),
        ]
    }
    real = (scores["y"] - 1).square().mean() + (scores["x"] - 1).square().mean()
    fake = scores["G(x)"].square().mean() + scores["F(y)"].square().mean()
    torch.testing.assert_close(game.discriminator(ROWS, 0), (real + fake) / 2)
    fooled = (scores["G(x)"] - 1).square().mean() + (scores["F(y)"] - 1).square().mean()
    size = x.abs().mean() + y.abs().mean()
    cycle = 10 * abs(g * f - 1) * size
    identity = 5 * (abs(f - 1) * x.abs().mean() + abs(g - 1) * y.abs().mean())
    torch.testing.assert_close(game.generator(ROWS, 0), fooled / 2 + cycle + identity)
    assert unpaired(identity=0.0).identity == 0.0


@pytest.mark.parametrize("make", [paired, unpaired])
def test_a_player_moves_by_its_own_loss_alone_and_translations_are_made_once(make: Any) -> None:
    game = make()
    generators, judges = (parameters(game.ways, p) for p in ("generator", "discriminator"))
    game.discriminator(ROWS, 0).backward()
    assert all(p.grad is None for p in generators.values())
    assert all(p.grad is not None for p in judges.values())
    before = [way.generator.calls for way in game.ways]
    assert before == [1] * len(game.ways)
    game.generator(ROWS, 0).backward(inputs=list(generators.values()))
    assert all(p.grad is not None for p in generators.values())
    # Only the ways back were made besides.
    assert [way.generator.calls for way in game.ways] == [1 + (make is unpaired)] * len(game.ways)
    game.generator(ROWS, 1).backward()  # without a turn of the discriminators before


def test_other_rows_are_translated_anew() -> None:
    game, other = paired(), torch.tensor([1, 3, 4])
    game.discriminator(ROWS, 0)
    torch.testing.assert_close(game.generator(other, 0), paired().generator(other, 0))


def test_translations_of_before_a_state_was_loaded_are_made_anew() -> None:
    # A step that diverged is taken again, by weights of before, on the same rows.
    game = paired()
    game.discriminator(ROWS, 0)
    with torch.no_grad():
        for weight in game.ways[0].generator.parameters():
            weight.mul_(2)
    anew = game.discriminator(ROWS, 0)
    fresh = paired()
    with torch.no_grad():
        for weight in fresh.ways[0].generator.parameters():
            weight.mul_(2)
    torch.testing.assert_close(anew, fresh.discriminator(ROWS, 0))


def test_the_penalty_is_that_of_the_gradient_on_every_eighth_step() -> None:
    game, plain = unpaired(gamma=0.2), unpaired()
    penalties = []
    for way, rows in zip(game.ways, reversed(game.batch(ROWS)), strict=True):
        # The mean over two patches of w |half|^2 has the gradient w b.
        weight = way.discriminator.weight.detach()
        penalties.append((weight * rows).square().flatten(1).sum(1).mean())
    expected = 8 * 0.2 / 2 * sum(penalties)
    for step, times in ((0, 1), (1, 0), (7, 0), (8, 1)):
        found = game.discriminator(ROWS, step) - plain.discriminator(ROWS, step)
        torch.testing.assert_close(found, times * torch.as_tensor(expected), rtol=1e-4, atol=1e-4)


def test_discriminators_are_shown_what_the_pool_shows() -> None:
    game = unpaired(pool=3)
    assert set(game.kept) == {f"pool {i}/{name}" for i in (0, 1) for name in ("images", "filled")}
    game.discriminator(ROWS, 0)
    x, y = game.batch(ROWS)
    torch.testing.assert_close(game.kept["pool 1/images"], 0.7 * x)
    torch.testing.assert_close(game.kept["pool 0/images"], -0.3 * y)


def test_which_rows_go_together_is_a_function_of_seed_and_epoch() -> None:
    sides = side(4, 0), side(10, 1)
    longer = partners(5, 2, 1, sides)
    np.testing.assert_array_equal(longer, np.arange(10))
    shorter = partners(5, 2, 0, sides)
    np.testing.assert_array_equal(shorter, partners(5, 2, 0, sides))
    assert not np.array_equal(shorter, partners(5, 3, 0, sides))
    assert not np.array_equal(shorter, partners(6, 2, 0, sides))
    np.testing.assert_array_equal(np.sort(shorter[:8]), np.repeat(np.arange(4), 2))
    same = side(6, 0), side(6, 1)  # rows of one number in both are no pairs
    assert not np.array_equal(partners(0, 0, 0, same), partners(0, 0, 1, same))


def test_held_out_pairs_are_scored_by_their_absolute_error() -> None:
    game, seen = paired(both=True), {}
    game.measure = seen.__setitem__
    held = side(5, 2), side(5, 3)
    x, y = (s.take(slice(None)) for s in held)
    expected = absolute(0.7 * x, y) + absolute(-0.3 * y, x)
    np.testing.assert_allclose(game.held_out(held), -expected.detach() / 2, rtol=1e-5)
    assert {f"{what} {name}" for what in ("real", "fake", "told apart") for name in "xy"} == set(
        seen
    )


def test_held_out_rows_are_scored_by_their_likeness_and_cycle() -> None:
    game, seen = unpaired(), {}
    game.measure = seen.__setitem__
    held = side(5, 2), side(7, 3)
    x, y = (s.take(slice(None)) for s in held)
    values = game.held_out(held)
    assert values.shape == (12,)
    left = abs(0.7 * -0.3 - 1)
    for rows, fake, known, found in (
        (x, -0.3 * y, game.sides[0], values[:5]),
        (y, 0.7 * x, game.sides[1], values[5:]),
    ):
        others = known.take(slice(None)).flatten(1)
        score = HeldOutScore(Values(16), Rows(rows.flatten(1)), Rows(others))
        cycle = left * rows.abs().flatten(1).mean(1) / absolute(rows, rows.mean(0)).mean()
        np.testing.assert_allclose(found, score(fake.flatten(1)) - cycle, rtol=1e-4, atol=1e-5)
    assert 0 <= seen["told apart x"] <= 1


def test_how_well_scores_tell_rows_apart_is_the_area_under_the_curve() -> None:
    real, fake = torch.tensor([0.1, 0.5, 0.9, 0.5]), torch.tensor([0.5, 0.2, 0.0])
    pairs = [(a > b) + 0.5 * (a == b) for a in real.tolist() for b in fake.tolist()]
    assert apart(real, fake) == pytest.approx(np.mean(pairs))
    assert apart(torch.ones(3), torch.zeros(2)) == 1.0
