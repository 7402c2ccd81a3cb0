"""torch's threads beside the cores that a process may use."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
import torch

from ppgen.inference.torch_learner import TorchLearner
from ppgen.inference.torch_state import within_cores


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("cores", "within"), [(1, 1), (2, 2), (64, 2)])
def test_there_are_no_more_threads_than_cores(two_threads, monkeypatch, cores, within):
    monkeypatch.setattr(joblib, "cpu_count", lambda: cores)
    with within_cores():
        assert torch.get_num_threads() == within
    assert torch.get_num_threads() == 2


def test_training_stays_within_the_cores(two_threads, monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 1)
    seen = []

    def loss(rows, step):
        seen.append(torch.get_num_threads())
        return w.square().sum()

    w = torch.ones(2, requires_grad=True)
    TorchLearner({"w": w}, loss).run(np.zeros((2, 1), dtype=np.int64), np.full(2, 0.1))
    assert seen == [1, 1]
    assert torch.get_num_threads() == 2
