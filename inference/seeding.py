"""Draws by a seed or from a state, after which torch's random states, the processor's and the
device's, are as before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor


def random_state(device: torch.device) -> list[Tensor]:
    """The random states of the processor and of `device`."""
    processor = [torch.get_rng_state()]
    on_device = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return processor + on_device


@contextlib.contextmanager
def from_state(state: list[Tensor], device: torch.device) -> Iterator[None]:
    """Within it, torch draws on from a state that `random_state` gave."""
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.set_rng_state(state[0])
        for each, on_device in zip(cuda, state[1:], strict=True):
            torch.cuda.set_rng_state(on_device, each)
        yield


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Within it, torch draws by this seed, on the processor and on `device`."""
    cuda = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        for each in cuda:
            with torch.cuda.device(each):
                torch.cuda.manual_seed(seed)
        yield
