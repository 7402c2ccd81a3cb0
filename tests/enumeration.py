"""Small discrete models, and what enumerating their joint distribution says of them."""

from __future__ import annotations

import string

import numpy as np


def random_network(rng, n=6, most_states=3, most_parents=3, zeros=0.0):
    """Sizes, parents and tables (parents' axes, then the node's own) of a random network.

    `zeros` is the share of rows of tables that are deterministic."""
    sizes = [int(k) for k in rng.integers(2, most_states + 1, n)]
    parents, tables = [], []
    for node in range(n):
        count = int(rng.integers(0, min(node, most_parents) + 1))
        parents.append(tuple(int(p) for p in rng.choice(node, count, replace=False)))
        shape = [sizes[p] for p in parents[-1]]
        table = rng.dirichlet(np.ones(sizes[node]), shape)
        certain = np.eye(sizes[node])[rng.integers(0, sizes[node], shape)]
        tables.append(np.where(rng.random((*shape, 1)) < zeros, certain, table))
    return sizes, parents, tables


def scopes_of(parents):
    """The scopes of the tables of a network."""
    return [(*found, node) for node, found in enumerate(parents)]


def random_tree(rng, n=7, most_states=3):
    """Sizes, scopes and tables of a factor graph that is a tree: each variable after the first is
    joined to one before it, and some have a table of their own."""
    sizes = [int(k) for k in rng.integers(2, most_states + 1, n)]
    scopes = [(int(rng.integers(0, v)), v) for v in range(1, n)]
    scopes += [(v,) for v in range(n) if rng.random() < 0.5]
    return sizes, scopes, [rng.gamma(1.0, size=[sizes[v] for v in scope]) for scope in scopes]


def random_graph(rng, n=6, m=8, most_states=3, zeros=0.0):
    """Sizes, scopes and tables of a factor graph of `m` tables of up to three variables."""
    sizes = [int(k) for k in rng.integers(2, most_states + 1, n)]
    scopes = [
        tuple(int(v) for v in rng.choice(n, int(rng.integers(1, 4)), replace=False))
        for _ in range(m)
    ]
    tables = [rng.gamma(1.0, size=[sizes[v] for v in scope]) for scope in scopes]
    return sizes, scopes, [np.where(rng.random(t.shape) < zeros, 0.0, t) for t in tables]


def joint(sizes, scopes, tables, likelihoods=None):
    """(k_1, ..., k_n) the product of all tables and likelihoods."""
    letters = string.ascii_letters
    factors = [(tuple(scope), table) for scope, table in zip(scopes, tables, strict=True)]
    factors += [((v,), np.asarray(lam)) for v, lam in (likelihoods or {}).items()]
    factors += [((v,), np.ones(k)) for v, k in enumerate(sizes)]
    spec = ",".join("".join(letters[v] for v in scope) for scope, _ in factors)
    return np.einsum(f"{spec}->{letters[: len(sizes)]}", *(t for _, t in factors), optimize=True)


def marginals(product):
    """Log of the sum of a joint table, and the marginals of its axes."""
    total = product.sum()
    axes = range(product.ndim)
    return np.log(total), [product.sum(axis=tuple(a for a in axes if a != v)) / total for v in axes]
