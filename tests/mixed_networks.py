"""Conditional linear Gaussian networks, and their answers by enumeration in moment form."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy import stats

from ppgen.inference.conditional_gaussian import ConditionalGaussian


class Net:
    """A network with numbers, and the joint of all its nodes by enumeration."""

    def __init__(self, sizes, parents, conditionals):
        self.sizes, self.parents, self.conditionals = sizes, parents, conditionals
        self.engine = ConditionalGaussian(sizes, parents)
        self.discrete = [v for v, k in enumerate(sizes) if k]
        self.continuous = [v for v, k in enumerate(sizes) if not k]

    def joint(self, codes):
        """log probability of all states, mean and covariance of all continuous nodes."""
        state = dict(zip(self.discrete, codes, strict=True))
        m = len(self.continuous)
        B, b, s2 = np.zeros((m, m)), np.zeros(m), np.zeros(m)
        log = 0.0
        for v, ps in enumerate(self.parents):
            u = tuple(state[p] for p in ps if self.sizes[p])
            if self.sizes[v]:
                with np.errstate(divide="ignore"):
                    log += np.log(self.conditionals[v][(*u, state[v])])
                continue
            i = self.continuous.index(v)
            intercept, coefficients, variance = self.conditionals[v]
            b[i], s2[i] = intercept[u], variance[u]
            for j, p in enumerate(p for p in ps if not self.sizes[p]):
                B[i, self.continuous.index(p)] = coefficients[(*u, j)]
        T = np.linalg.inv(np.eye(m) - B)
        return log, T @ b, T @ np.diag(s2) @ T.T

    def posterior(self, evidence):
        """For every configuration: log weight, and mean and covariance of all continuous nodes."""
        seen = [i for i, v in enumerate(self.continuous) if v in evidence]
        free = [i for i in range(len(self.continuous)) if i not in seen]
        x = np.array([evidence[self.continuous[i]] for i in seen])
        out = []
        for codes in product(*(range(self.sizes[v]) for v in self.discrete)):
            log, mean, cov = self.joint(codes)
            for v, state in zip(self.discrete, codes, strict=True):
                if v in evidence:
                    lam = np.asarray(evidence[v])
                    with np.errstate(divide="ignore"):
                        log += np.log(lam[state]) if lam.ndim else np.log(float(lam == state))
            full, C = np.zeros(len(mean)), np.zeros_like(cov)
            full[seen] = x
            S = cov[np.ix_(seen, seen)]
            gain = (
                np.linalg.solve(S, cov[np.ix_(seen, free)]).T if seen else np.zeros((len(free), 0))
            )
            full[free] = mean[free] + gain @ (x - mean[seen])
            C[np.ix_(free, free)] = cov[np.ix_(free, free)] - gain @ cov[np.ix_(seen, free)]
            if seen:
                log += stats.multivariate_normal.logpdf(x, mean[seen], S)
            out.append((codes, log, full, C))
        return out

    def answers(self, evidence):
        """log Z, probabilities by node, mean and covariance of the continuous nodes."""
        parts = self.posterior(evidence)
        logs = np.array([log for _, log, _, _ in parts])
        log_z = np.logaddexp.reduce(logs)
        w = np.exp(logs - log_z) if np.isfinite(log_z) else np.full(len(logs), np.nan)
        probs = {v: np.zeros(self.sizes[v]) for v in self.discrete}
        for p, (codes, _, _, _) in zip(w, parts, strict=True):
            for v, state in zip(self.discrete, codes, strict=True):
                probs[v][state] += p
        mean = sum(p * m for p, (_, _, m, _) in zip(w, parts, strict=True))
        second = sum(p * (C + np.outer(m, m)) for p, (_, _, m, C) in zip(w, parts, strict=True))
        return log_z, probs, mean, second - np.outer(mean, mean), w, parts


def random_net(rng, n_discrete, n_continuous, zeros=0.2, noiseless=0.0, edges=0.45):
    """A network over an order of nodes in which kinds are mixed."""
    V = n_discrete + n_continuous
    sizes = np.zeros(V, int)
    sizes[rng.permutation(V)[:n_discrete]] = rng.integers(2, 4, n_discrete)
    parents = []
    for v in range(V):
        able = [p for p in range(v) if sizes[p] or not sizes[v]]
        chosen = [p for p in able if rng.random() < edges]
        parents.append(tuple(rng.permutation(chosen).tolist()))
    names = rng.permutation(V)  # numbers are no order of the graph
    sizes_, parents_, conditionals = [0] * V, [()] * V, [None] * V
    for v in range(V):
        shape = tuple(sizes[p] for p in parents[v] if sizes[p])
        m = sum(not sizes[p] for p in parents[v])
        new = names[v]
        sizes_[new], parents_[new] = int(sizes[v]), tuple(int(names[p]) for p in parents[v])
        if sizes[v]:
            table = rng.gamma(0.7, size=(*shape, sizes[v])) * (
                rng.random((*shape, sizes[v])) > zeros
            )
            table[..., 0] += (table.sum(-1) == 0) * 1.0
            conditionals[new] = table / table.sum(-1, keepdims=True)
        else:
            variance = rng.gamma(2.0, size=shape) * (rng.random(shape) >= noiseless)
            conditionals[new] = (
                rng.normal(size=shape),
                rng.normal(size=(*shape, m)),
                np.asarray(variance),
            )
    return Net(sizes_, parents_, conditionals)


def random_evidence(rng, net, share=0.4):
    """Evidence of positive density in most networks: some nodes of a draw of the network."""
    states = {}
    engine = net.engine
    codes, values = engine.sample(net.conditionals, {}, 1, rng)
    for v, k in enumerate(net.sizes):
        if rng.random() > share:
            continue
        if k and rng.random() < 0.3:
            states[v] = rng.random(k)
        else:
            states[v] = int(codes[0, v]) if k else float(values[0, v])
    return states


def batch(rng, net, n):
    """n rows of evidence with gaps in all nodes, drawn from the network."""
    codes, values = net.engine.sample(net.conditionals, {}, n, rng)
    gaps = rng.random(codes.shape) < 0.4
    return {
        v: np.where(gaps[:, v], -1, codes[:, v])
        if k
        else np.where(gaps[:, v], np.nan, values[:, v])
        for v, k in enumerate(net.sizes)
    }


def row(evidence, i):
    """One row of a batch of evidence, without what it does not observe."""
    out = {}
    for v, values in evidence.items():
        if values.dtype.kind == "i":
            if values[i] >= 0:
                out[v] = int(values[i])
        elif values.ndim == 2 or not np.isnan(values[i]):
            out[v] = values[i]
    return out


def sum_net(variance=0.0, sizes=(0, 0, 0)):
    """a, b ~ Normal(0, 1); c = a + b."""
    root = (np.array(0.0), np.empty(0), np.array(1.0))
    both = (np.array(0.0), np.array([1.0, 1.0]), np.array(variance))
    return Net(list(sizes), [(), (), (0, 1)], [root, root, both])


def switching(length):
    """x_t | x_t-1, s_t over independent switches s_t."""
    sizes, parents, conditionals = [], [], []
    for t in range(length):
        sizes += [2, 0]
        parents += [(), (2 * t, 2 * t - 1) if t else (2 * t,)]
        conditionals += [
            np.array([0.4, 0.6]),
            (np.array([0.0, 1.0]), np.full((2, int(t > 0)), 0.5), np.array([1.0, 2.0])),
        ]
    return Net(sizes, parents, conditionals)
