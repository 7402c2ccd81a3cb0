"""Players that take turns, and the objectives and penalties they are trained by."""

from __future__ import annotations

import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch

from ppgen.checkpoint import Checkpoints
from ppgen.inference.adversarial import AdversarialLearner, Player
from ppgen.inference.gradient import Schedule, finish, train
from ppgen.models.gan.objectives import OBJECTIVES, gradient_penalty, r1, r2

# Objectives

REAL = torch.tensor([-2.0, 0.0, 0.3, 1.5, 4.0], dtype=torch.float64)
FAKE = torch.tensor([1.0, 0.0, -0.7, 2.5, -3.0], dtype=torch.float64)


def _sigma(t):
    return 1 / (1 + torch.exp(-t))


CLOSED = {
    "minimax": (
        -(torch.log(_sigma(REAL)) + torch.log(1 - _sigma(FAKE))),
        torch.log(1 - _sigma(FAKE)),
    ),
    "non_saturating": (
        -(torch.log(_sigma(REAL)) + torch.log(1 - _sigma(FAKE))),
        -torch.log(_sigma(FAKE)),
    ),
    "wasserstein": (FAKE - REAL, -FAKE),
    "hinge": (
        torch.tensor([3.0 + 2.0, 1.0 + 1.0, 0.7 + 0.3, 0.0 + 3.5, 0.0], dtype=torch.float64),
        -FAKE,
    ),
    "least_squares": (0.5 * (REAL - 1) ** 2 + 0.5 * FAKE**2, 0.5 * (FAKE - 1) ** 2),
    "relativistic": (-torch.log(_sigma(REAL - FAKE)), -torch.log(_sigma(FAKE - REAL))),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_are_their_closed_forms(name):
    objective, (of_d, of_g) = OBJECTIVES[name], CLOSED[name]
    torch.testing.assert_close(objective.discriminator(REAL, FAKE), of_d)
    torch.testing.assert_close(objective.generator(REAL, FAKE), of_g)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_outputs_are_one_half_at_the_equilibrium_and_far_from_it_where_rows_are_told(name):
    even, real, fake = {"least_squares": (0.5, 1.2, -0.1), "hinge": (0.0, 1.0, -1.0)}.get(
        name, (0.0, 9.0, -9.0)
    )
    one = torch.ones(3)
    for output in OBJECTIVES[name].outputs(even * one, even * one):
        torch.testing.assert_close(output, one / 2)
    of_real, of_fake = OBJECTIVES[name].outputs(real * one, fake * one)
    torch.testing.assert_close((of_real, of_fake), (one, 0 * one), atol=2e-4, rtol=0)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_each_player_gains_by_moving_the_scores_its_way(name):
    objective = OBJECTIVES[name]
    real, fake = torch.tensor([0.2]).requires_grad_(), torch.tensor([0.1]).requires_grad_()
    up, down = torch.autograd.grad(objective.discriminator(real, fake).sum(), (real, fake))
    assert up < 0 < down  # the discriminator lowers its loss by real rows up, generated ones down
    of_real, of_fake = torch.autograd.grad(
        objective.generator(real, fake).sum(), (real, fake), allow_unused=True
    )
    assert of_fake < 0
    assert (of_real is not None) == objective.paired


def test_the_best_discriminator_of_minimax_gives_the_jensen_shannon_divergence():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
    scores = torch.from_numpy(np.log(p / q))  # sigma(D) = p / (p + q)
    loss = OBJECTIVES["minimax"].discriminator
    zero = torch.zeros(())
    real = loss(scores, zero) - math.log(2)
    fake = loss(zero, scores) - math.log(2)
    value = -(p @ real.numpy() + q @ fake.numpy())
    m = (p + q) / 2
    divergence = 0.5 * (p @ np.log(p / m) + q @ np.log(q / m))
    assert value == pytest.approx(2 * divergence - math.log(4))


# Penalties, on the critic D(x) = x' A x / 2 + b' x, whose gradient is A x + b


@pytest.fixture
def quadratic():
    draws = torch.Generator().manual_seed(0)
    a = torch.randn(3, 3, generator=draws, dtype=torch.float64)
    a = ((a + a.T) / 2).requires_grad_()
    b = torch.randn(3, generator=draws, dtype=torch.float64)
    x, y = torch.randn(2, 6, 3, generator=draws, dtype=torch.float64)
    return a, b, x, y


def _critic(a, b, x):
    return (x @ a * x).sum(1) / 2 + x @ b


def test_r1_and_r2_are_squared_gradients_and_move_the_critic(quadratic):
    a, b, x, _ = quadratic
    x = x.requires_grad_()
    penalty = r1(_critic(a, b, x), x)
    by_hand = (x @ a + b).square().sum(1)
    torch.testing.assert_close(penalty, by_hand)
    assert r2 is r1
    (gradient,) = torch.autograd.grad(penalty.sum(), a)
    g = (x @ a + b).detach()
    expected = x.T @ g + g.T @ x  # as A enters its gradient (A + A') / 2 x
    torch.testing.assert_close(gradient, expected.detach())


def test_of_rows_judged_together_the_norm_is_over_all(quadratic):
    a, b, x, _ = quadratic
    x = x.requires_grad_()
    scores = _critic(a, b, x).reshape(3, 2).sum(1)
    by_hand = (x @ a + b).square().sum(1).reshape(3, 2).sum(1)
    torch.testing.assert_close(r1(scores, x), by_hand)


def test_the_gradient_penalty_is_taken_between_the_rows(quadratic):
    a, b, x, y = quadratic
    u = torch.linspace(0, 1, 6, dtype=torch.float64)[:, None]
    penalty = gradient_penalty(partial(_critic, a, b), x, y, u)
    between = u * x + (1 - u) * y
    by_hand = ((between @ a + b).norm(dim=1) - 1).square()
    torch.testing.assert_close(penalty, by_hand, rtol=1e-9, atol=1e-9)


def test_a_flat_critic_has_a_penalty_with_a_gradient():
    w = torch.zeros(2, requires_grad=True)
    penalty = gradient_penalty(
        lambda x: x @ w, torch.ones(4, 2), torch.zeros(4, 2), torch.full((4, 1), 0.3)
    )
    (gradient,) = torch.autograd.grad(penalty.mean(), w)
    assert torch.isfinite(gradient).all()
    torch.testing.assert_close(penalty, torch.ones(4), rtol=1e-5, atol=1e-5)


# Turns: a game of two numbers, L_D = -v w + v^2 / 2 + noise, L_G = v w


class Game:
    def __init__(self, turns=1, rate=1.0, **how):
        self.v, self.w = (torch.tensor([x], requires_grad=True) for x in (0.5, 1.0))
        self.moved, self.rows, self.pool = [], [], torch.zeros(2)
        players = [
            Player("d", {"v": self.v}, self.of_d, turns=turns),
            Player("g", {"w": self.w}, self.of_g, rate=rate),
        ]
        how = {"optimiser": lambda ps: torch.optim.SGD(ps, 0.1), "kept": {"pool": self.pool}} | how
        self.learner = AdversarialLearner(players, **how)

    def of_d(self, rows, step):
        self.moved.append(("d", step, self.v.item(), self.w.item()))
        self.rows.append(rows.tolist())
        self.pool += torch.rand(2)
        self.learner.measure("v", self.v.sum())
        noise = 0.01 * torch.randn(1)
        return (-self.v * self.w + self.v**2 / 2 + noise * self.v).sum()

    def of_g(self, rows, step):
        self.moved.append(("g", step, self.v.item(), self.w.item()))
        self.rows.append(rows.tolist())
        return (self.v * self.w).sum()


def _steps(n, size=4):
    return np.arange(n * size).reshape(n, size), np.full(n, 0.1)


def test_a_turn_moves_its_player_alone():
    game = Game(rate=0.5)
    losses = game.learner.run(*_steps(2))
    (d, _, v0, w0), (g, _, v1, w1), (_, _, v2, w2), (_, _, v3, w3) = game.moved
    assert (d, g) == ("d", "g")
    assert (w0, v1) == (w1, v2)  # of the other nothing moved
    assert v0 != v1
    assert w2 == pytest.approx(w1 - 0.5 * 0.1 * v1)
    assert losses == pytest.approx([v1 * w1, v3 * w3])


def test_each_of_k_turns_sees_rows_of_its_own():
    game = Game(turns=3)
    game.learner.run(*_steps(1, size=7))
    assert [who for who, *_ in game.moved] == ["d", "d", "d", "g"]
    assert game.rows == [[0, 1, 2], [3, 4], [5, 6], [5, 6]]
    assert game.learner.step == 1


def test_measures_are_means_since_they_were_asked_for():
    game = Game()
    game.learner.run(*_steps(3))
    measures = game.learner.measured()
    of_d, of_g = (np.array([m[2:] for m in game.moved if m[0] == who]) for who in "dg")
    assert measures["v"] == pytest.approx(of_d[:, 0].mean())
    assert measures["g gradient norm"] == pytest.approx(of_g[:, 0].mean())
    assert set(measures) == {"v", "d gradient norm", "g gradient norm"}
    assert game.learner.measured() == {}


def test_a_loss_that_is_not_finite_ends_the_step_where_it_stands():
    game = Game()
    game.learner.players[0] = Player("d", {"v": game.v}, lambda rows, step: game.v.sum() * math.nan)
    before = game.v.item(), game.w.item()
    losses = game.learner.run(*_steps(2))
    assert len(losses) == 1
    assert math.isnan(losses[0])
    assert (game.v.item(), game.w.item()) == before


def test_a_trial_step_changes_nothing():
    game = Game(turns=2)
    game.learner.run(*_steps(1))
    before = game.learner.state()
    game.learner.probe(np.arange(4))
    for name, array in game.learner.state().items():
        np.testing.assert_array_equal(array, before[name])
    assert game.v.grad is None
    assert game.learner.measured()["v"] == pytest.approx(np.mean([m[2] for m in game.moved[:2]]))


def test_killed_games_go_on_bit_for_bit(tmp_path):
    settings = Schedule(batch_size=4, max_epochs=6, checkpoint_every=0.0, patience=0)

    def play(folder):
        adam = partial(torch.optim.Adam, betas=(0.0, 0.99), fused=True)
        game = Game(turns=2, optimiser=adam, log_density=lambda: (-game.w).detach().numpy())
        store = Checkpoints(folder, "game")
        learner = game.learner
        how = {"seed": 1, "validation": learner.evaluate, "checkpoints": store}
        return learner, train(learner, 20, settings, **how)

    whole, loop = play(tmp_path / "whole")
    expected = finish(loop, (records := []).append)
    _, loop = play(tmp_path / "killed")
    list(itertools.islice(loop, 4))
    del loop
    resumed, loop = play(tmp_path / "killed")
    assert finish(loop, (rest := []).append) == expected
    assert rest[-1].measures == records[-1].measures
    assert len(rest) < len(records)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(resumed.state()[name], array)


def test_the_loop_tells_the_learner_how_far_it_is():
    game, shares = Game(), []
    game.learner.redraw = lambda epoch: shares.append(game.learner.share)
    finish(train(game.learner, 20, Schedule(batch_size=4, max_epochs=4, chunk=5), seed=0))
    assert shares == [0.0, 0.0, 0.25, 0.5]  # before the first chunk of each epoch
    assert game.learner.share == 0.75
