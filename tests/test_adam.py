"""The optimisers of the learners on torch and on JAX."""

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


@pytest.mark.parametrize("x64", [False, True])
def test_steps_on_jax_are_those_of_optax_up_to_rounding(x64: bool) -> None:
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    from ppgen.inference.adam_jax import Adam as JaxAdam

    rng, kind = np.random.default_rng(0), np.float64 if x64 else np.float32
    with jax.enable_x64(x64):
        start = {"w": rng.normal(size=(5, 3)).astype(kind), "b": np.ones(7, kind)}
        adam = JaxAdam(clip=2.0, b2=0.99, weight_decay=0.1)
        peer = optax.chain(
            optax.clip_by_global_norm(2.0),
            optax.scale_by_adam(b2=0.99),
            optax.add_decayed_weights(0.1),
        )
        ours = theirs = jax.tree.map(jnp.asarray, start)
        slots, kept = adam.begun(ours), peer.init(theirs)
        corrections = adam.corrections(1 + jnp.arange(6))
        for step in range(6):  # gradients that are clipped, and ones that are not
            size = 0.1 if step % 2 else 3.0
            grads = jax.tree.map(
                lambda p, by=size: jnp.asarray(by * rng.normal(size=p.shape), p.dtype), ours
            )
            rate = jnp.asarray(0.1 / (1 + step))
            ours, slots = adam.moved(ours, grads, slots, rate, corrections[step])
            updates, kept = peer.update(grads, kept, theirs)
            theirs = jax.tree.map(lambda p, u, by=rate: p - by * u, theirs, updates)
        for name in start:
            assert ours[name].dtype == kind
            np.testing.assert_allclose(
                ours[name], theirs[name], rtol=1e-12 if x64 else 1e-4, atol=0 if x64 else 1e-5
            )


@pytest.mark.slow
def test_no_fit_loads_the_compiler_of_torch() -> None:
    code = (
        "import sys, numpy, ppgen\n"
        "x = numpy.random.default_rng(0).normal(size=(60, 3))\n"
        "ppgen.Autoencoder(1, hidden=(4,), max_epochs=1, random_state=0).fit(x)\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
