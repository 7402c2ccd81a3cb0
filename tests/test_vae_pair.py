"""The variational autoencoder's Pyro pair: its densities are those of its formula, its draws follow
them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO
from scipy import stats

from ppgen.inference import local_pyro
from ppgen.models.vae.parts import Part
from ppgen.models.vae.pyro import guide, model

from .vae_nets import CASES, context, elbo, nets, rows


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def traces(of, *args, **kwargs):
    below = poutine.trace(guide).get_trace(of, *args, **kwargs)
    above = poutine.trace(poutine.replay(model, below)).get_trace(of, *args, **kwargs)
    z = [below.nodes[f"z_{i + 1}"]["value"] for i in range(of.n_layers)]
    return above, below, z


def by_hand(of, z, x, c):
    """(n,) log p(x | z), log p(z) and log q(z | x) written out."""
    log_q, log_p = of.q_1(of.encode(x, c)).log_prob(z[0]), of.prior().log_prob(z[-1])
    if of.n_layers == 2:
        log_q = log_q + of.q_2(z[0]).log_prob(z[1])
        log_p = log_p + of.p_1(z[1]).log_prob(z[0])
    return of.p_x(z[0], c).log_prob(x), log_p, log_q


@pytest.mark.parametrize("name", CASES)
def test_the_pair_has_the_terms_that_its_formula_says(name):
    of = nets(**CASES[name])
    x, c = rows(of, 7), context(of, 7)
    for total in (None, 50):
        above, below, z = traces(of, x, c, n_total=total)
        log_x, log_p, log_q = by_hand(of, z, x, c)
        expected = (log_x + log_p - log_q).sum() * (1 if total is None else total / 7)
        found = above.log_prob_sum() - below.log_prob_sum()
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    q = local_pyro.replay(guide, of, x, c, values={f"z_{i}": v[None] for i, v in enumerate(z, 1)})
    p = local_pyro.replay(model, of, x, c, values=local_pyro.values_of(q))
    t = local_pyro.terms(q, p)
    assert t.log_w.shape == (1, 7)
    torch.testing.assert_close(t.log_x[0], log_x)
    torch.testing.assert_close(t.log_ratio[0], log_q - log_p)


@pytest.mark.parametrize("name", CASES)
def test_the_objective_is_the_bound_of_the_pair(name):
    """At 6 standard errors of the difference of two means of 16 times 80 draws."""
    of, n, draws = nets(**CASES[name]), 5, 16
    x, c = rows(of, n).repeat(80, 1), context(of, n)
    c = None if c is None else c.repeat(80, 1)
    with torch.no_grad():
        theirs, ours = [], []
        for _ in range(draws):
            theirs.append(-Trace_ELBO().loss(model, guide, of, x, c, n_total=1000) / 1000)
            ours.append(float(elbo(of, x, c)))
        theirs, ours = np.array(theirs), np.array(ours)
        error = math.sqrt((theirs.var(ddof=1) + ours.var(ddof=1)) / draws)
        assert 0 < error < 0.02 * abs(theirs.mean())
        assert abs(theirs.mean() - ours.mean()) < 6 * error
        many = float(elbo(of, x, c, samples=4))
        assert abs(theirs.mean() - many) < 6 * error


def log_prob(of, x, reach=40.0, places=4001):
    """(n,) log p(x) of rows by a sum over a grid of one latent, or of two of two layers."""
    with torch.no_grad():
        line = torch.linspace(-reach, reach, places, dtype=torch.float64)
        step = float(line[1] - line[0])
        z = line[:, None, None].expand(places, 1, 1)
        if of.n_layers == 1:
            log_z = of.prior().log_prob(z)
        else:
            inner = of.p_1(line[::4, None]).log_prob(z)  # (places of z_1, places of z_2)
            outer = of.prior().log_prob(line[::4, None])
            log_z = torch.logsumexp(inner + outer, 1, keepdim=True) + math.log(4 * step)
        log_x = torch.stack([of.p_x(z[:, 0]).log_prob(row.expand(places, -1)) for row in x], 1)
        return torch.logsumexp(log_z + log_x, 0) + math.log(step)


DRAWN = {
    "normal": {},
    "flow": {"prior": "flow"},
    "mixture": {"prior": "mixture"},
    "vamp": {"prior": "vamp"},
    "vamp, flow": {"prior": "vamp", "posterior": "flow"},
    "two layers": {"latent": (1, 1)},
    "two layers, mixture": {"latent": (1, 1), "prior": "mixture"},
}


@pytest.mark.parametrize("name", DRAWN)
def test_bits_drawn_follow_their_probabilities(name):
    """Chi-square of 4000 rows in 8 cells: fails 1 in 10^6."""
    parts = (Part("bernoulli", 0, 3),)
    of = nets(3, **{"parts": parts, "latent": (1,), **DRAWN[name]})
    with torch.no_grad():
        of.decoder[-1].weight *= 4
    cells = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)), dtype=torch.float64)
    p = log_prob(of, cells).exp().numpy()
    assert p.sum() == pytest.approx(1, abs=1e-6)
    with torch.no_grad():
        drawn = model(of, None, n_total=4000)
    assert drawn.shape == (4000, 3)
    counts = np.bincount((drawn @ torch.tensor([4.0, 2.0, 1.0]).double()).long(), minlength=8)
    assert stats.chisquare(counts, 4000 * p / p.sum()).pvalue > 1e-6


@pytest.mark.parametrize("noise", ["column", "row", 0.5])
def test_numbers_drawn_follow_their_density(noise):
    """Probability integral transform of 4000 rows, KS test: fails 1 in 10^6."""
    of = nets(5, parts=(Part("gaussian", 0, 1),), latent=(1,), prior="mixture", noise=noise)
    with torch.no_grad():
        of.decoder[-1].weight *= 4
    line = torch.linspace(-25, 25, 2001, dtype=torch.float64)
    p = log_prob(of, line[:, None], places=1001).exp().numpy()
    assert np.trapezoid(p, line) == pytest.approx(1, abs=1e-5)
    with torch.no_grad():
        drawn = model(of, None, n_total=4000)[:, 0].numpy()
    places = np.interp(drawn, line, np.cumsum(p) / p.sum())
    assert stats.kstest(places, "uniform").pvalue > 1e-6


def test_a_context_goes_with_its_row():
    of = nets(context=2)
    c = torch.tensor([[0.0, 0.0], [3.0, -3.0]], dtype=torch.float64)
    with torch.no_grad():
        drawn = model(of, None, c.repeat(500, 1), n_total=1000)
        z = torch.randn(1000, 3, dtype=torch.float64)
        for i in range(2):
            expected = of.p_x(z, c[i].expand(1000, 2)).raw
            error = ((expected.var(0) + drawn[i::2].var(0)) / 500).sqrt()
            assert ((drawn[i::2].mean(0) - expected.mean(0)).abs() < 5 * error).all()
    assert (drawn[::2].mean(0) - drawn[1::2].mean(0)).abs().max() > 0.3


def test_a_dropped_term_is_seen():
    """What the first test would say of log weights without one of their terms."""
    of = nets(latent=(3, 2))
    x = rows(of, 7)
    with torch.no_grad():
        above, below, z = traces(of, x)
        log_x, log_p, log_q = by_hand(of, z, x, None)
        found = above.log_prob_sum() - below.log_prob_sum()
    for wrong in (log_x - log_q, log_x + log_p, log_x + log_p + log_q):
        assert abs(wrong.sum() - found) > 1e-3
