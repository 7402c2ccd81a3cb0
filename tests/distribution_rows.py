"""Tables with every kind of column that has a density, and what is asked of their distributions."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import ppgen

Backend = Literal["numpyro", "pyro"]
Floats = NDArray[np.float64]


def asked(rows: Any, backend: Backend, values: Floats, slopes: bool, n: int = 1) -> list[Floats]:
    """(m,) log densities of values (m, D), their (m, D) gradients, and n draws."""
    if backend == "numpyro":
        import jax

        def program(x: Any, key: Any) -> Any:
            slope = jax.vmap(jax.grad(rows.log_prob))(x) if slopes else x
            return rows.log_prob(x), slope, rows.sample(key, (n,))

        with jax.enable_x64(True):
            found = jax.jit(program)(jax.numpy.asarray(values), jax.random.key(0))
            return [np.asarray(each) for each in found]
    import torch

    x = torch.tensor(values, requires_grad=slopes)
    log_prob = rows.log_prob(x)
    slope = torch.autograd.grad(log_prob.sum(), x)[0] if slopes else x
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        drawn = rows.sample((n,))
    return [np.asarray(each) for each in (log_prob.detach(), slope, drawn)]


def table(*names: str, n: int = 200) -> ppgen.Dataset:
    """Columns of every kind that has a density: with bounds, around a circle, with a value far out,
    and of levels; or some of them."""
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=n)
    columns = {
        "length": np.exp(rng.normal(0.3 * kind, 0.2)),
        "kind": np.array(list("abc"))[kind],
        "share": rng.beta(2 + kind, 3),
        "same": np.ones(n),
        "angle": rng.normal(350 + 20 * kind, 20) % 360,
        "ringed": rng.random(n) < 0.3 + 0.2 * kind,
        "far": np.where(np.arange(n) == 0, 1e6, rng.normal(size=n)),
    }
    schema = {
        "length": "positive",
        "share": {"kind": "interval", "lower": 0, "upper": 1},
        "angle": {"kind": "circular", "period": 360},
    }
    names = names or tuple(columns)
    schema = {name: kind for name, kind in schema.items() if name in names}
    return ppgen.read({name: columns[name] for name in names}, schema=schema)


def values(data: ppgen.Dataset) -> Floats:
    """(n, D) the columns that vary, levels by number."""
    columns = []
    for column in data.schema.columns:
        if column.kind != "constant":
            given = data.columns[column.name]
            codes = [column.levels.index(v) for v in given.tolist()] if column.levels else given
            columns.append(np.asarray(codes, np.float64))
    return np.stack(columns, -1)


@cache
def of_every_kind(name: str) -> Any:
    made = {
        "independent": lambda: ppgen.IndependentColumns(random_state=0),
        "gmm": lambda: ppgen.GaussianMixture(2, n_init=1, random_state=0),
        "bayesnet": lambda: ppgen.BayesianNetwork(
            [("kind", "length"), ("length", "far"), ("kind", "ringed")], random_state=0
        ),
    }
    return made[name]().fit(table())
