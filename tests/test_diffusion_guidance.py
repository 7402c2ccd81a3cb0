"""Guidance: what it combines, where it acts, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import ppgen
from ppgen.errors import InputError
from ppgen.inference.diffusion.process import PROCESSES
from ppgen.models.diffusion.guidance import Guidance, guided

from .bars import bars, fitted, side

LINEAR = PROCESSES["linear"]


def told(x_t: Tensor, t: Tensor) -> Tensor:
    return x_t + 1


def plain(x_t: Tensor, t: Tensor) -> Tensor:
    return 2 * x_t


X = torch.tensor([[0.5, -1.0], [2.0, 3.0]])
T = torch.tensor([0.5, 0.5])


@pytest.mark.parametrize(("weight", "own"), [(0.0, plain), (1.0, told)])
def test_weights_of_one_and_none_are_the_two_models(weight: float, own: object) -> None:
    found = guided(told, plain, Guidance(weight), LINEAR)
    assert torch.equal(found(X, T), own(X, T))


def test_scores_combine_as_those_of_gaussians_do() -> None:
    # Of N(0, 1) without context and N(m, 1) with it, p(x_t) p(c | x_t)^w has the score of
    # N(w m, 1) with the noise added.
    m, w = 1.5, 2.5
    t = torch.tensor([0.3], dtype=torch.float64)
    alpha, sigma = LINEAR.alpha(t), LINEAR.sigma(t)
    gain = alpha / (alpha**2 + sigma**2)

    def of(mean: float):
        return lambda x_t, t: mean + gain * (x_t - alpha * mean)

    x_t = torch.linspace(-2, 2, 5, dtype=torch.float64)[:, None]
    found = guided(of(m), of(0.0), Guidance(w), LINEAR)(x_t, t)
    assert torch.allclose(found, of(w * m)(x_t, t))
    score = LINEAR.score(x_t, found, t)
    assert torch.allclose(score, -(x_t - alpha * w * m) / (alpha**2 + sigma**2))


def test_levels_stay_shares_and_combine_by_their_logarithms() -> None:
    shares = [torch.tensor([[0.5, 0.3, 0.2]]), torch.tensor([[0.2, 0.3, 0.5]])]
    found = guided(
        lambda *_: shares[0].clone(), lambda *_: shares[1], Guidance(2.0), LINEAR, [slice(0, 3)]
    )(X[:1], T[:1])
    expected = shares[0] ** 2 / shares[1]
    assert torch.allclose(found, expected / expected.sum())


def test_outside_the_interval_rows_are_those_of_the_model() -> None:
    found = guided(told, plain, Guidance(3.0, (0.5, 2.0)), LINEAR)
    t = torch.tensor([0.5, 0.9])  # sigma / alpha of 1 and 9
    whole = guided(told, plain, Guidance(3.0), LINEAR)(X, t)
    out = found(X, t)
    assert torch.equal(out[0], whole[0])
    assert torch.equal(out[1], told(X, t)[1])
    assert torch.equal(found(X, t[1:].expand(2)), told(X, t))


def test_samples_guided_away_from_a_label_show_the_other() -> None:
    fit, y = fitted(), np.repeat("left", 20)
    whole, none = (
        side(fit.sample(20, y=y, steps=10, random_state=1, guidance=w)).mean() for w in (1.5, 0.0)
    )
    assert whole <= 0.1
    assert none > whole


def test_guidance_is_refused_where_there_is_nothing_to_guide_to() -> None:
    x, y = bars()
    how = {"channels": (4,), "max_epochs": 1}
    with pytest.raises(InputError, match="conditional on nothing"):
        ppgen.Diffusion(**how).fit(x).sample(2, guidance=2.0)
    always = ppgen.Diffusion(conditional=True, drop_context=0.0, **how).fit(x, y)
    with pytest.raises(InputError, match="drop_context was 0"):
        always.sample(2, guidance=2.0)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"guidance_interval": (0.5, 2.0)}, "guides nothing"),
        ({"guidance": 2.0, "guidance_interval": (2.0, 0.5)}, "the lower one first"),
        ({"guidance": 2.0, "guidance_interval": (2.0,)}, "two levels of noise"),
        ({"guidance": -1.0}, "guidance"),
    ],
)
def test_wrong_guidance_is_refused(how: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        fitted().sample(2, **how)
