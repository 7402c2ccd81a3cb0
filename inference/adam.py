"""Adam with decoupled weight decay, for the learners on torch:

    m <- b1 m + (1 - b1) g,    v <- b2 v + (1 - b2) g^2,
    w <- w - eta (lambda w + (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)).

The step is that of `torch.optim.AdamW(fused=True)`, bit for bit. Torch's own optimisers load its
compiler when they are made, which takes as long as all else that a fit loads.

Reference: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019,
https://arxiv.org/abs/1711.05101.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_EPS = 1e-8


class Adam:
    """As much of a torch optimiser as a learner asks for.

    Args:
        parameters: that are moved: in a step, those that have a gradient.
        betas: b1 and b2.
        weight_decay: lambda.

    Attributes:
        param_groups: one, with the learning rate under "lr", which is set before each step.
        state: by parameter, what it has taken so far: "step", "exp_avg" (m) and "exp_avg_sq" (v).
    """

    def __init__(
        self,
        parameters: list[Tensor],
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
    ) -> None:
        self.parameters, self.betas, self.weight_decay = parameters, betas, weight_decay
        self.param_groups: list[dict[str, Any]] = [{"params": parameters, "lr": 1e-3}]
        self.state: dict[Tensor, dict[str, Tensor]] = {}

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters."""
        groups: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
        for p in self.parameters:
            if p.grad is not None:
                groups.setdefault((p.device, p.dtype), []).append(p)
        for moved in groups.values():
            slots = [self.state.get(p) or self._begun(p) for p in moved]
            steps = [slot["step"] for slot in slots]
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(
                moved,
                [p.grad for p in moved if p.grad is not None],
                [slot["exp_avg"] for slot in slots],
                [slot["exp_avg_sq"] for slot in slots],
                [],
                steps,
                lr=float(self.param_groups[0]["lr"]),
                beta1=self.betas[0],
                beta2=self.betas[1],
                weight_decay=self.weight_decay,
                eps=_EPS,
                amsgrad=False,
                maximize=False,
            )

    def _begun(self, p: Tensor) -> dict[str, Tensor]:
        self.state[p] = {
            "step": torch.zeros((), dtype=torch.float32, device=p.device),
            "exp_avg": torch.zeros_like(p, memory_format=torch.preserve_format),
            "exp_avg_sq": torch.zeros_like(p, memory_format=torch.preserve_format),
        }
        return self.state[p]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for p in self.parameters:
            p.grad = None
