"""The levels that a generator of tables draws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from ppgen.inference.torch_state import seeded
from ppgen.models.gan.table_nets import Levels
from ppgen.models.nets.values import Values

VALUES = Values(1, (3, 2))


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with seeded(0, torch.device("cpu")):
        yield


def test_levels_are_drawn_with_their_probabilities() -> None:
    logits = torch.tensor([[0.7, 1.0, -1.0, 0.5, 2.0, 0.0]]).repeat(20_000, 1)
    drawn = Levels(VALUES)(logits)
    assert torch.equal(drawn[:, 0], logits[:, 0])
    assert torch.equal(drawn[:, 1:4].sum(1), torch.ones(20_000))
    assert set(drawn[:, 1:].unique().tolist()) == {0.0, 1.0}
    for at in VALUES.indicators:
        wanted = torch.softmax(logits[0, at], 0)
        assert torch.allclose(drawn[:, at].mean(0), wanted, atol=0.015)


def test_the_gradient_is_that_of_the_soft_levels() -> None:
    outputs = torch.randn(4, 6, requires_grad=True)
    weights = torch.randn(4, 6)
    state = torch.get_rng_state()
    (Levels(VALUES)(outputs) * weights).sum().backward()
    torch.set_rng_state(state)
    by_hand = outputs.detach().clone().requires_grad_(True)
    total = (by_hand[:, :1] * weights[:, :1]).sum()
    for at in VALUES.indicators:
        noisy = by_hand[:, at] - torch.empty(4, at.stop - at.start).exponential_().log()
        total = total + (torch.softmax(noisy / 0.5, 1) * weights[:, at]).sum()
    total.backward()
    assert torch.allclose(outputs.grad, by_hand.grad)


def test_calibrated_levels_have_the_shares_of_the_rows() -> None:
    outputs = 2 * torch.randn(4000, 6)
    shares = torch.tensor([0.0, 0.9, 0.0, 0.1, 0.25, 0.75])
    levels = Levels(VALUES)
    levels.calibrate(outputs, shares)
    drawn = levels(outputs)[:, 1:].mean(0).numpy()
    np.testing.assert_allclose(drawn, shares[1:], atol=0.02)
    kept = Levels(VALUES)
    kept.load_state_dict(levels.state_dict())
    assert torch.equal(kept.shift, levels.shift)
