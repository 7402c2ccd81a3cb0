"""Torch's global state for the time of a block: random states, after which those of the processor
and of the device are as before, how many threads compute, and what libraries set on the way."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch
from torch import Tensor


def random_state(device: torch.device) -> list[Tensor]:
    """The random states of the processor and of `device`."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state(d) for d in _cuda(device))]


@contextlib.contextmanager
def from_state(state: list[Tensor], device: torch.device) -> Iterator[None]:
    """Within it, torch draws on from a state that `random_state` gave."""
    with torch.random.fork_rng(devices=_cuda(device)):
        torch.set_rng_state(state[0])
        for each, on_device in zip(_cuda(device), state[1:], strict=True):
            torch.cuda.set_rng_state(on_device, each)
        yield


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Within it, torch draws by this seed, on the processor and on `device`."""
    with torch.random.fork_rng(devices=_cuda(device)):
        torch.default_generator.manual_seed(seed)
        for each in _cuda(device):
            with torch.cuda.device(each):
                torch.cuda.manual_seed(seed)
        yield


def _cuda(device: torch.device | None) -> list[torch.device]:
    return [device] if device is not None and device.type == "cuda" else []


_OF_COMPILER = "TORCHINDUCTOR_"


@contextlib.contextmanager
def as_found() -> Iterator[None]:
    """After it, whether distributions check their arguments, and the environment variables of
    torch's compiler, are as before.

    Pyro sets the former to its own when it leaves a block without checks; an optimiser's first step
    loads the compiler, which sets where it would keep its files.
    """
    checks = torch.distributions.Distribution._validate_args
    variables = {k: v for k, v in os.environ.items() if k.startswith(_OF_COMPILER)}
    try:
        yield
    finally:
        torch.distributions.Distribution.set_default_validate_args(checks)
        for name in [k for k in os.environ if k.startswith(_OF_COMPILER)]:
            del os.environ[name]
        os.environ.update(variables)


@contextlib.contextmanager
def within_cores() -> Iterator[None]:
    """Within it torch has no more threads than this process has cores, and never more than before:
    what the user set lower stays.

    torch starts as many threads as the machine has cores. In a container with a share of them the
    threads wait for each other, and a fit takes many times as long; joblib reads that share.
    """
    from joblib import cpu_count

    before = torch.get_num_threads()
    most = min(before, cpu_count())
    if most == before:
        yield
        return
    torch.set_num_threads(most)
    try:
        yield
    finally:
        torch.set_num_threads(before)
