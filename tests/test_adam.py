"""The optimiser of the learners on torch."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from ppgen.inference.adam import Adam
from ppgen.inference.torch_state import as_found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_steps_are_those_of_torch_bit_for_bit(dtype: torch.dtype) -> None:
    draws = torch.Generator().manual_seed(0)

    def parameters() -> list[torch.Tensor]:
        made = [torch.ones(5, 3, dtype=dtype), torch.ones(7, dtype=torch.float32)]
        return [p.requires_grad_() for p in made]

    ours, theirs = parameters(), parameters()
    how = {"betas": (0.5, 0.99), "weight_decay": 0.1}
    with as_found():
        adam, peer = Adam(ours, **how), torch.optim.AdamW(theirs, fused=True, **how)
    for step in range(6):
        for optimiser in (adam, peer):
            optimiser.param_groups[0]["lr"] = 0.1 / (1 + step)
        for p, q in zip(ours, theirs, strict=True):
            p.grad = torch.randn(p.shape, generator=draws, dtype=p.dtype)
            q.grad = p.grad.clone()
        if step % 3 == 0:  # what has no gradient stays, and counts no step
            ours[1].grad = theirs[1].grad = None
        adam.step()
        with as_found():
            peer.step()
    for p, q in zip(ours, theirs, strict=True):
        assert torch.equal(p, q)
        for name, value in peer.state[q].items():
            assert torch.equal(adam.state[p][name], value)


@pytest.mark.slow
def test_no_fit_loads_the_compiler_of_torch() -> None:
    code = (
        "import sys, numpy, ppgen\n"
        "x = numpy.random.default_rng(0).normal(size=(60, 3))\n"
        "ppgen.Autoencoder(1, hidden=(4,), max_epochs=1, random_state=0).fit(x)\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
