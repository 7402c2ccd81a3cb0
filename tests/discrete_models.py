"""Small models with discrete latent sites, each written for both backends at once, beside what
listing all states says of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import logsumexp


@dataclass(frozen=True)
class Backend:
    """What a model is written in."""

    name: str
    dist: Any
    sample: Callable[..., Any]
    plate: Callable[..., Any]
    markov: Callable[..., Any]
    mask: Callable[..., AbstractContextManager[Any]]
    scale: Callable[..., AbstractContextManager[Any]]
    array: Callable[[Any], Any]
    where: Callable[..., Any]

    def read(self, model: Callable[..., Any], args: Any, draws: Any) -> Any:
        """The tables of a model."""
        from ppgen.inference import enumerated_numpyro, enumerated_pyro

        by = enumerated_numpyro if self.name == "numpyro" else enumerated_pyro
        given = [self.array(a) if isinstance(a, np.ndarray) else a for a in args]
        return by.read(lambda *data: model(self, *data), given, {}, draws)


def backend(name: str) -> Backend:
    if name == "pyro":
        import pyro
        import torch
        from pyro import poutine

        return Backend(
            name,
            pyro.distributions,
            pyro.sample,
            pyro.plate,
            pyro.markov,
            poutine.mask,
            poutine.scale,
            torch.as_tensor,
            torch.where,
        )
    import numpyro
    from jax.numpy import where
    from numpyro.contrib.funsor import markov
    from numpyro.handlers import mask, scale

    d = numpyro.distributions
    return Backend(name, d, numpyro.sample, numpyro.plate, markov, mask, scale, np.asarray, where)


def normal(x: Any, m: Any, s: float = 1.0) -> Any:
    return stats.norm.logpdf(x, m, s)


class Listed:
    """All states x of a model, log p(x) and log p(y | x) by observation."""

    def __init__(self, sizes, terms) -> None:
        self.states = list(itertools.product(*(range(k) for k in sizes)))
        both = [terms(x) for x in self.states]
        self.log_prior = np.array([p for p, _ in both])
        self.log_lik = np.array([np.asarray(seen, float) for _, seen in both])

    def log_p(self, seen: Any) -> float:
        """log p(y_S) of the observations that `seen` says, an array of bools of their shape."""
        axes = tuple(range(1, self.log_lik.ndim))
        return float(logsumexp(self.log_prior + np.where(seen, self.log_lik, 0).sum(axis=axes)))

    def conditionals(self, given: str) -> Any:
        """Of each observation given all others, or those before it."""
        shape = self.log_lik.shape[1:]
        out = np.empty(shape)
        for i, at in enumerate(np.ndindex(shape)):
            number = np.arange(out.size).reshape(shape)
            with_it = number <= i if given == "previous" else number >= 0
            out[at] = self.log_p(with_it) - self.log_p(with_it & (number != i))
        return out

    def posterior(self) -> Any:
        """Of each state."""
        axes = tuple(range(1, self.log_lik.ndim))
        log_p = self.log_prior + self.log_lik.sum(axis=axes)
        return np.exp(log_p - logsumexp(log_p))


def draws_of(rng, n, **shapes):
    """Draws of sites: probabilities where the name begins with "p", else standard normals."""
    return {
        name: rng.dirichlet(np.ones(shape[-1]), (n, *shape[:-1]))
        if name.startswith("p")
        else rng.normal(size=(n, *shape))
        for name, shape in shapes.items()
    }


def given_draws(b: Backend, shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """The continuous sites of a model, whose draws are given."""
    out = {}
    for name, shape in shapes.items():
        if name.startswith("p"):
            one = b.array(np.ones(shape))
            out[name] = b.sample(name, b.dist.Dirichlet(one).to_event(len(shape) - 1))
        else:
            zero = b.array(np.zeros(shape))
            out[name] = b.sample(name, b.dist.Normal(zero, 1.0).to_event(len(shape)))
    return out


# A row with two columns, one of which lacks values; rows count twice.

TWO_COLUMNS = {"p": (3,), "m": (2, 3)}


def two_columns(b, y1, y2, there):
    t = given_draws(b, TWO_COLUMNS)
    with b.plate("rows", len(y1)):
        z = b.sample("z", b.dist.Categorical(t["p"]))
        with b.scale(scale=2.0):
            b.sample("y1", b.dist.Normal(t["m"][0][z], 1.0), obs=y1)
        with b.mask(mask=there):
            b.sample("y2", b.dist.Normal(t["m"][1][z], 0.5), obs=y2)


def two_columns_listed(draw, y1, y2, there, row):
    def terms(x):
        (z,) = x
        seen = normal(y1[row], draw["m"][0, z]) + there[row] * normal(y2[row], draw["m"][1, z], 0.5)
        return np.log(draw["p"][z]), [seen]

    return Listed([3], terms)


# Cells of a row, each with a state of its own that depends on the row's.

CELLS = {"p": (2,), "pw": (2, 2), "m": (2,)}


def cells(b, y):
    t = given_draws(b, CELLS)
    n, d = y.shape
    with b.plate("rows", n, dim=-2):
        z = b.sample("z", b.dist.Categorical(t["p"]))
        with b.plate("columns", d, dim=-1):
            w = b.sample("w", b.dist.Categorical(t["pw"][z]))
            b.sample("y", b.dist.Normal(t["m"][w], 1.0), obs=y)


def cells_listed(draw, y, row):
    def terms(x):
        z, *w = x
        return np.log(draw["p"][z]) + np.log(draw["pw"][z, w]).sum(), normal(y[row], draw["m"][w])

    return Listed([2] * (1 + y.shape[1]), terms)


# Hidden Markov models: sequences of different lengths in a plate, and a single one.

CHAIN = {"p": (2, 2), "m": (2,)}


def sequences(b, y, there):
    t = given_draws(b, CHAIN)
    with b.plate("sequences", y.shape[1]):
        x = 0
        for i in b.markov(range(len(y))):
            with b.mask(mask=there[i]):
                x = b.sample(f"x{i}", b.dist.Categorical(t["p"][x]))
                b.sample(f"y{i}", b.dist.Normal(t["m"][x], 1.0), obs=y[i])


def chain(b, y):
    t = given_draws(b, CHAIN)
    x = 0
    for i in b.markov(range(len(y))):
        x = b.sample(f"x{i}", b.dist.Categorical(t["p"][x]))
        b.sample(f"y{i}", b.dist.Normal(t["m"][x], 1.0), obs=y[i])


def scanned(b, y):
    from numpyro.contrib.control_flow import scan

    t = given_draws(b, CHAIN)

    def step(x, now):
        x = b.sample("x", b.dist.Categorical(t["p"][x]))
        b.sample("y", b.dist.Normal(t["m"][x], 1.0), obs=now)
        return x, None

    scan(step, 0, y)


def chain_listed(draw, y):
    def terms(x):
        before = (0, *x[:-1])
        return np.log(draw["p"][before, x]).sum(), normal(y, draw["m"][list(x)])

    return Listed([2] * len(y), terms)


SECOND_ORDER = {"p": (2, 2, 2), "m": (2,)}


def second_order(b, y):
    from numpyro.contrib.control_flow import scan

    t = given_draws(b, SECOND_ORDER)

    def step(before, now):
        x = b.sample("x", b.dist.Categorical(t["p"][before]))
        b.sample("y", b.dist.Normal(t["m"][x], 1.0), obs=now)
        return (before[1], x), None

    scan(step, (0, 0), y, history=2)


def second_order_listed(draw, y):
    def terms(x):
        two = (0, 0, *x)
        log_p = sum(np.log(draw["p"][two[i], two[i + 1], k]) for i, k in enumerate(x))
        return log_p, normal(y, draw["m"][list(x)])

    return Listed([2] * len(y), terms)


# Rows with states of their own, under one that they share.

SHARED = {"p": (2,), "pz": (2, 3), "m": (3,)}


def shared(b, y):
    t = given_draws(b, SHARED)
    g = b.sample("g", b.dist.Categorical(t["p"]))
    with b.plate("rows", len(y)):
        z = b.sample("z", b.dist.Categorical(t["pz"][g]))
        b.sample("y", b.dist.Normal(t["m"][z], 1.0), obs=y)


def shared_listed(draw, y):
    def terms(x):
        g, *z = x
        return np.log(draw["p"][g]) + np.log(draw["pz"][g, z]).sum(), normal(y, draw["m"][z])

    return Listed([2, *[3] * len(y)], terms)


# Rows that are independent but for one state that they share.

COMMON = {"p": (2,), "m": (2,)}


def common(b, y):
    t = given_draws(b, COMMON)
    g = b.sample("g", b.dist.Categorical(t["p"]))
    with b.plate("rows", len(y)):
        b.sample("y", b.dist.Normal(t["m"][g], 1.0), obs=y)


def common_listed(draw, y):
    return Listed([2], lambda x: (np.log(draw["p"][x[0]]), normal(y, draw["m"][x[0]])))
