"""A step of SVI by ppgen against the bare backend's, turn by turn in one process.

    python benchmarks/svi_step.py --pairs 15
    python benchmarks/svi_step.py --backends pyro --models vae

- `gmm`: 3 components in 2 dimensions, 10,000 rows, 256 a step; the components of rows summed out.
- `vae`: nets of 784-200-200-50 and back, 2,000 rows, 128 a step; in single precision in NumPyro,
  in double in Pyro, whose nets must have the precision of the latents.

The bare loops do no more than `SVI` does: NumPyro's `svi.update` compiled, called step by step
("loop") and 100 steps in one `lax.scan` ("scan"); Pyro's `svi.step` with its Adam, and with
`SVI.loss_and_grads` under the optimiser of torch that ppgen uses ("fused"). ppgen's averages
weights, clips, keeps states and watches for a plateau besides. Ratios are of seconds for 100 steps.

Writes a JSON line for each.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

STEPS = 100
SIZES = {"gmm": (10_000, 256), "vae": (2_000, 128)}
WIDTHS = (784, 200, 200, 50)


def rows(name: str, backend: str, rng: np.random.Generator) -> Any:
    n, _ = SIZES[name]
    if name == "vae":
        kind = np.float32 if backend == "numpyro" else np.float64
        return (rng.random((n, WIDTHS[0])) < 0.3).astype(kind)
    centres = rng.normal(0, 4, (3, 2))
    return centres[rng.integers(3, size=n)] + rng.normal(size=(n, 2))


def batches(name: str, rng: np.random.Generator) -> Any:
    n, size = SIZES[name]
    return rng.integers(n, size=(STEPS, size))


# Pairs


def numpyro_pair(name: str) -> tuple[Any, Any]:
    """Model and guide."""
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist
    from jax.nn import relu, softplus

    if name == "gmm":

        def mixture(x: Any, n_total: Any = None) -> None:
            w = numpyro.sample("w", dist.Dirichlet(jnp.ones(3)))
            with numpyro.plate("components", 3):
                mu = numpyro.sample("mu", dist.Normal(0, 5).expand([2]).to_event(1))
            with numpyro.plate("rows", n_total, subsample_size=len(x)):
                z = numpyro.sample("z", dist.Categorical(w), infer={"enumerate": "parallel"})
                numpyro.sample("x", dist.Normal(mu[z], 1.0).to_event(1), obs=x)

        return mixture, "normal"

    def net(name: str, x: Any, widths: Any) -> Any:
        rng = np.random.default_rng(0)
        for i, (a, b) in enumerate(pairwise(widths)):
            start = (rng.normal(size=(a, b)) / np.sqrt(a)).astype(np.float32)
            x = x @ numpyro.param(f"{name}{i}_w", jnp.asarray(start))
            x = x + numpyro.param(f"{name}{i}_b", jnp.zeros(b, jnp.float32))
            x = relu(x) if i < len(widths) - 2 else x
        return x

    def model(x: Any, n_total: Any = None) -> None:
        with numpyro.plate("rows", n_total, subsample_size=len(x)):
            z = numpyro.sample("z", dist.Normal(jnp.zeros((len(x), WIDTHS[-1])), 1).to_event(1))
            logits = net("decoder", z, WIDTHS[::-1])
            numpyro.sample("x", dist.Bernoulli(logits=logits).to_event(1), obs=x)

    def guide(x: Any, n_total: Any = None) -> None:
        with numpyro.plate("rows", n_total, subsample_size=len(x)):
            m, s = jnp.split(net("encoder", x, (*WIDTHS[:-1], 2 * WIDTHS[-1])), 2, -1)
            numpyro.sample("z", dist.Normal(m, softplus(s)).to_event(1))

    return model, guide


def pyro_pair(name: str, seed: int) -> tuple[Any, Any]:
    import pyro
    import pyro.distributions as dist
    import torch
    from torch import nn

    if name == "gmm":

        def mixture(x: Any, n_total: Any = None) -> None:
            w = pyro.sample("w", dist.Dirichlet(torch.ones(3)))
            with pyro.plate("components", 3):
                mu = pyro.sample("mu", dist.Normal(0, 5).expand([2]).to_event(1))
            with pyro.plate("rows", n_total, subsample_size=len(x)):
                z = pyro.sample("z", dist.Categorical(w), infer={"enumerate": "parallel"})
                pyro.sample("x", dist.Normal(mu[z], 1.0).to_event(1), obs=x)

        return mixture, "normal"

    def net(widths: Any) -> Any:
        layers: list[Any] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.ReLU()]
        return nn.Sequential(*layers[:-1]).double()

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        decoder, encoder = net(WIDTHS[::-1]), net((*WIDTHS[:-1], 2 * WIDTHS[-1]))

    def model(x: Any, n_total: Any = None) -> None:
        pyro.module("decoder", decoder)
        with pyro.plate("rows", n_total, subsample_size=len(x)):
            z = pyro.sample("z", dist.Normal(torch.zeros(len(x), WIDTHS[-1]), 1).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=decoder(z)).to_event(1), obs=x)

    def guide(x: Any, n_total: Any = None) -> None:
        pyro.module("encoder", encoder)
        with pyro.plate("rows", n_total, subsample_size=len(x)):
            m, s = encoder(x).chunk(2, -1)
            pyro.sample("z", dist.Normal(m, nn.functional.softplus(s)).to_event(1))

    return model, guide


# Loops: each yields after 100 steps


def ours(name: str, backend: str, x: Any, seed: int) -> Iterator[None]:
    from importlib import import_module

    from ppgen.inference.gradient import Schedule, train
    from ppgen.inference.plateau import Plateau
    from ppgen.inference.posterior.guides import build
    from ppgen.inference.posterior.minibatch import call_of
    from ppgen.models.pair import Pair
    from ppgen.models.pair.settings import SVI

    side = import_module(f"ppgen.inference.posterior.variational_{backend}")
    model, guide = numpyro_pair(name) if backend == "numpyro" else pyro_pair(name, seed)
    target = Pair(model, guide, backend).target(x)  # type: ignore[arg-type]
    call = call_of(target, SIZES[name][1])
    with side.precision(not call.single):
        guide = build(guide, target, seed, []) if isinstance(guide, str) else guide
        learner = side.make_learner(target, guide, call, SVI(), seed)
        schedule = Schedule(
            batch_size=call.batch_size, learning_rate=1e-3, max_epochs=10_000, ema=0.99,
            chunk=STEPS, epoch_steps=STEPS, hold=1 / 3,
        )  # fmt: skip
        loop = train(learner, call.n_rows, schedule, seed=seed, validation=Plateau(first=10**6))
        while True:
            next(loop)
            yield


def bare_numpyro(name: str, x: Any, seed: int, scan: bool) -> Iterator[None]:
    import jax
    from numpyro import handlers
    from numpyro.infer import SVI, Trace_ELBO, TraceEnum_ELBO
    from numpyro.infer.autoguide import AutoNormal
    from numpyro.optim import Adam

    rng, n = np.random.default_rng(seed), len(x)
    model, guide = numpyro_pair(name)
    with jax.enable_x64(x.dtype == np.float64):
        if name == "gmm":
            inner = handlers.block(handlers.seed(model, jax.random.key(0)), hide=["z"])
            guide, elbo = AutoNormal(inner), TraceEnum_ELBO(max_plate_nesting=1)
        else:
            elbo = Trace_ELBO()
        svi = SVI(model, guide, Adam(1e-3), elbo)
        data = jax.numpy.asarray(x)
        state = svi.init(jax.random.key(seed), data[: SIZES[name][1]], n_total=n)

        def step(state: Any, data: Any, at: Any) -> Any:
            return svi.update(state, data[at], n_total=n)

        one = jax.jit(step)
        many = jax.jit(lambda s, d, each: jax.lax.scan(lambda c, at: step(c, d, at), s, each))
        while True:
            each = batches(name, rng)
            if scan:
                state, losses = many(state, data, jax.numpy.asarray(each))
                np.asarray(losses)
            else:
                for at in each:
                    state, loss = one(state, data, at)
                float(loss)
            yield


def bare_pyro(name: str, x: Any, seed: int, fused: bool) -> Iterator[None]:
    import pyro
    import torch
    from pyro import poutine
    from pyro.infer import SVI, Trace_ELBO, TraceEnum_ELBO, config_enumerate
    from pyro.infer.autoguide import AutoNormal
    from pyro.optim import Adam

    rng, n, store = np.random.default_rng(seed), len(x), pyro.get_param_store()
    model, guide = pyro_pair(name, seed)
    data, elbo = torch.tensor(x), Trace_ELBO()
    if name == "gmm":
        guide = AutoNormal(poutine.block(model, hide=["z"]))
        model, elbo = config_enumerate(model), TraceEnum_ELBO(max_plate_nesting=1)
    own: Any = {"params": {}, "constraints": {}}
    svi = SVI(model, guide, Adam({"lr": 1e-3}), elbo)
    optimiser = None
    while True:
        with store.scope(own), pyro.validation_enabled(False):
            for at in torch.tensor(batches(name, rng)):
                if not fused:
                    svi.step(data[at], n_total=n)
                    continue
                loss = elbo.differentiable_loss(model, guide, data[at], n_total=n)
                if optimiser is None:
                    ps = [p for _, p in store.named_parameters()]
                    optimiser = torch.optim.Adam(ps, lr=1e-3, fused=True)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
        yield


def compared(name: str, backend: str, pairs: int, seed: int) -> dict[str, Any]:
    """Seconds of 100 steps by each loop, in turns, and their ratios."""
    x = rows(name, backend, np.random.default_rng(seed))
    loops = {"ours": ours(name, backend, x, seed)}
    if backend == "numpyro":
        loops |= {"loop": bare_numpyro(name, x, seed, False)}
        loops |= {"scan": bare_numpyro(name, x, seed, True)}
    else:
        loops |= {"step": bare_pyro(name, x, seed, False)}
        loops |= {"fused": bare_pyro(name, x, seed, True)}
    for loop in loops.values():
        next(loop), next(loop), next(loop)  # compiled, and warm
    took: dict[str, list[float]] = {kind: [] for kind in loops}
    for _ in range(pairs):
        for kind, loop in loops.items():
            began = time.process_time()
            next(loop)
            took[kind].append(time.process_time() - began)
    found: dict[str, Any] = {f"{k}_ms": 1e3 * statistics.median(v) / STEPS for k, v in took.items()}
    for kind, each in took.items():
        if kind != "ours":
            ratios = [a / b for a, b in zip(took["ours"], each, strict=True)]
            found[f"ratio_to_{kind}"] = statistics.median(ratios)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["gmm", "vae"])
    parser.add_argument("--backends", nargs="+", default=["numpyro", "pyro"])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for backend in given.backends:
        for name in given.models:
            found = compared(name, backend, given.pairs, given.seed)
            about = {"benchmark": "svi_step", "model": name, "backend": backend}
            print(
                json.dumps({**about, "pairs": given.pairs, "seed": given.seed, **found}), flush=True
            )


if __name__ == "__main__":
    main()
