"""Draws by a seed leave all random states of torch as found, a GPU's too."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ppgen import VAE, Autoencoder, DebiasingVAE, NormalizingFlow
from ppgen.inference.torch_state import seeded

SMALL = {"hidden": (8,), "max_epochs": 1, "random_state": 0}


@pytest.mark.parametrize("kind", [Autoencoder, DebiasingVAE, NormalizingFlow, VAE])
def test_no_fit_seeds_the_gpus(monkeypatch, kind):
    def seed_all(seed: int) -> None:
        raise AssertionError("the random state of every GPU was set")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", seed_all)
    x = np.random.default_rng(0).normal(size=(60, 3))
    fit = kind(**SMALL).fit(x, np.arange(60) % 2)
    if hasattr(fit, "sample"):
        fit.sample(3)


def test_what_is_drawn_depends_on_the_seed_alone():
    before = torch.get_rng_state()
    drawn = []
    for seed in (3, 4, 3):
        with seeded(seed):
            drawn.append(torch.rand(5))
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])
    assert torch.equal(torch.get_rng_state(), before)
