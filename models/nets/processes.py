"""Training on several devices, through Lightning Fabric: one process each, on one machine.

Every process runs the same fit: the same rows, held-out rows, batches and decisions. The batch B of
a step is dealt out, B = B_1 + ... + B_P, each process takes the gradient of its rows, and as the
loss is a mean over rows,

    grad L(B) = sum_p |B_p| / |B| grad L(B_p),

the sum that Fabric forms is the gradient of one device, up to rounding. What a loss draws (dropout,
noise, latents) each process draws for its own rows: other draws than those of one device, of the
same distribution. A loss that is no mean over rows (free bits) is the mean of the parts' losses.
What depends on the clock or on memory is decided by the first process. All processes end with the
same fit; a script that saves it does so in one of them.

Reference: Li et al., "PyTorch distributed: experiences on accelerating data parallel training",
2020, https://arxiv.org/abs/2006.15704.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from ...errors import InputError

T = TypeVar("T")


class Processes:
    """The processes of a fit, this one among them.

    Args:
        kind: "cpu" or "cuda".
        size: how many there are to be.

    Raises:
        InputError: if Lightning Fabric is missing, or so many processes or devices are not there.
    """

    def __init__(self, kind: str, size: int) -> None:
        try:
            from lightning_fabric import Fabric
            from lightning_fabric.strategies.ddp import DDPStrategy
        except ImportError:
            raise InputError(
                f"devices is {size}, and training on several needs Lightning Fabric; install "
                "ppgen[fabric], or leave devices out."
            ) from None
        self._check(kind, size)
        strategy = DDPStrategy(cluster_environment=_environment(size))
        self.fabric: Any = Fabric(accelerator=kind, devices=size, strategy=strategy)
        self.fabric.launch()
        self.rank, self.size = int(self.fabric.global_rank), size
        self.device: torch.device = self.fabric.device

    @staticmethod
    def _check(kind: str, size: int) -> None:
        there = int(os.environ.get("WORLD_SIZE", 1))
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            there = torch.distributed.get_world_size()
        if there != size:
            raise InputError(
                f"devices is {size}, and processes of this fit: {there}. Start the script with "
                f"torchrun --nproc-per-node={size}, or set devices={there}."
            )
        if kind == "cuda" and torch.cuda.device_count() < size:
            raise InputError(
                f"devices is {size}, and this machine has {torch.cuda.device_count()} GPUs that "
                'torch can use. Set devices to that, or device="cpu".'
            )

    def part(self, rows: Tensor) -> Tensor:
        """The rows of a batch that are this process's."""
        return rows[self.rank :: self.size]

    def sum_gradients(self, parameters: Sequence[Tensor], loss: Tensor) -> float:
        """Sum the gradients of all processes, and give the sum of their losses.

        A parameter that has no gradient in any process has none afterwards.
        """
        there = loss.new_tensor([p.grad is not None for p in parameters])
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([loss.detach().reshape(1), there, *(g.reshape(-1) for g in grads)])
        total = self.fabric.all_reduce(flat, reduce_op="sum")
        sums = total[1 + len(grads) :].split([g.numel() for g in grads])
        for p, some, grad in zip(parameters, total[1:], sums, strict=False):
            p.grad = torch.empty_like(p).copy_(grad.view(p.shape)) if some else None
        return float(total[0])

    def agreed(self, value: T) -> T:
        """What the first process says."""
        said: T = self.fabric.broadcast(value)
        return said

    def least(self, value: int) -> int:
        """The least number of any process."""
        each = torch.tensor(value, device=self.device)
        return int(self.fabric.all_reduce(each, reduce_op=torch.distributed.ReduceOp.MIN))


def _environment(size: int) -> Any:
    """How Fabric finds the processes: the group that exists already, or the one that torchrun
    started."""
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

    if not torch.distributed.is_initialized():
        return TorchElasticEnvironment()

    class Joined(LightningEnvironment):
        """The process group that exists."""

        @property
        def creates_processes_externally(self) -> bool:
            return True

        def world_size(self) -> int:
            return size

        def global_rank(self) -> int:
            return torch.distributed.get_rank()

        def local_rank(self) -> int:
            return torch.distributed.get_rank()

    return Joined()
