"""Objectives of any pair with latents local to rows: values against closed forms, gradients against
the plain ones."""

from __future__ import annotations

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO
from torch import nn

from ppgen.errors import InputError
from ppgen.inference.local_objective import Objective
from ppgen.inference.local_pyro import (
    Pair,
    divergences,
    draw,
    elbo,
    held_terms,
    iwae,
    objective,
    parts,
    replay,
    terms,
    values_of,
)

from .local_pairs import CLOSED, PAIRS, Counts, Linear, rows


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng(devices=[]), pyro.validation_enabled(False):
        torch.manual_seed(0)
        yield


def pair(made):
    return Pair(made.model, made.guide, made.module)


def log_weights(made, x, samples):
    q = draw(made.guide, x, samples=samples)
    return terms(q, replay(made.model, x, values=values_of(q))).log_w


# Values


@pytest.mark.parametrize("name", PAIRS)
def test_the_mean_weight_is_the_evidence(name):
    """At 5 standard errors of 40,000 draws."""
    made, k = PAIRS[name](), 40_000
    with torch.no_grad():
        log_w = log_weights(made, made.data, k)
        assert log_w.shape == (k, len(made.data))
        w = torch.exp(log_w - made.evidence(made.data))
        assert ((w.mean(0) - 1).abs() < 5 * w.std(0) / math.sqrt(k)).all()
        assert (w.std(0) / math.sqrt(k) < 0.1).all()


@pytest.mark.parametrize("name", PAIRS)
def test_terms_are_those_of_the_traces_of_pyro(name):
    made = PAIRS[name]()
    with torch.no_grad():
        q = draw(made.guide, made.data, samples=1)
        values = values_of(q)
        t = terms(q, replay(made.model, made.data, values=values))
        held = {k: v[0] for k, v in values.items()}
        below = poutine.trace(poutine.condition(made.guide, held)).get_trace(made.data)
        above = poutine.trace(poutine.condition(made.model, held)).get_trace(made.data)
        for trace, found in ((below, t.log_q), (above, {**t.log_p, "x": t.log_x})):
            trace.compute_log_prob()
            for site, value in found.items():
                torch.testing.assert_close(value[0], trace.nodes[site]["log_prob"])


@pytest.mark.parametrize("made", [Linear(), Counts(conjugate=True)])
def test_at_the_posterior_every_draw_weighs_the_evidence(made):
    made.posterior()
    expected = made.evidence(made.data)
    with torch.no_grad():
        torch.testing.assert_close(log_weights(made, made.data, 9), expected.expand(9, 3))
        torch.testing.assert_close(iwae(pair(made), made.data, samples=4), expected.mean())


@pytest.mark.parametrize("name", PAIRS)
def test_the_bound_is_the_mean_log_weight_and_that_of_pyro(name):
    """At 5 standard errors of the difference of two means."""
    made, k = PAIRS[name](), 20_000
    with torch.no_grad():
        log_w = log_weights(made, made.data, k).mean(1)
        found = elbo(pair(made), made.data, samples=k)
        error = float(log_w.std()) / math.sqrt(k)
        assert abs(float(found - log_w.mean())) < 5 * math.sqrt(2) * error
        repeated = made.data.repeat(2000, 1)
        other = -Trace_ELBO().loss(made.model, made.guide, repeated) / len(repeated)
        assert abs(float(found) - other) < 5 * math.sqrt(1 / 2000 + 1 / k) * float(log_w.std())


@pytest.mark.parametrize("name", PAIRS)
def test_divergences_have_a_closed_form_only_where_they_have(name):
    made = PAIRS[name]()
    with torch.no_grad():
        q = draw(made.guide, made.data, samples=4000)
        p = replay(made.model, made.data, values=values_of(q))
        closed = divergences(q, p)
        assert (closed is not None) == (name in CLOSED)
        if closed is not None:
            kl, sizes = closed
            assert kl.shape == (3, len(sizes))
            assert sum(sizes) == (1 if "counts" in name else 2)
            ratio = terms(q, p).log_ratio
            error = ratio.std(0) / math.sqrt(4000)
            assert ((ratio.mean(0) - kl.sum(1)).abs() < 5 * error).all()


@pytest.mark.parametrize("name", PAIRS)
def test_beta_weighs_and_free_bits_spare_the_divergence(name):
    made = PAIRS[name]()
    weights = torch.tensor([0.5, 1.0, 1.5]).double()

    def value(**bend):
        torch.manual_seed(1)
        return float(elbo(pair(made), made.data, samples=3, weights=weights, **bend))

    with torch.no_grad():
        torch.manual_seed(1)
        log_x, kl, sizes = parts(pair(made), made.data, samples=3)
        seen, each = (log_x * weights).mean(), (kl * weights[:, None]).mean(0)
        assert value(beta=0) == pytest.approx(float(seen))
        for beta, free in ((1.0, 0.0), (3.0, 0.0), (0.5, 0.2), (1.0, 1e3)):
            punished = torch.maximum(each, free * torch.tensor(sizes))
            expected = seen - beta * punished.sum() if free else seen - beta * each.sum()
            assert value(beta=beta, free_bits=free) == pytest.approx(float(expected))


def test_beta_rises_over_the_warm_up_and_stays():
    t = Objective(beta=3.0, warm_up=4)
    assert [t.beta_at(i) for i in range(6)] == pytest.approx([0.6, 1.2, 1.8, 2.4, 3, 3])
    assert Objective(beta=0.5).beta_at(0) == 0.5
    made = Linear()
    with torch.no_grad():
        found = []
        for step in (0, 3, 9):
            torch.manual_seed(1)
            found.append(float(objective(pair(made), t, step, made.data)))
        torch.manual_seed(1)
        log_x, kl, _ = parts(pair(made), made.data, samples=1)
    expected = [float(log_x.mean() - b * kl.sum(1).mean()) for b in (0.6, 2.4, 3)]
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("what", [Objective(beta=0.3, free_bits=0.4), Objective("iwae", 7)])
@pytest.mark.parametrize("name", PAIRS)
def test_held_out_rows_are_judged_by_the_objective(name, what):
    made, weights = PAIRS[name](), torch.tensor([0.2, 1.0, 1.8]).double()
    with torch.no_grad():
        torch.manual_seed(1)
        found, sizes = held_terms(pair(made), what, made.data)
        torch.manual_seed(1)
        if what.name == "elbo":
            bend = {"beta": what.beta, "free_bits": what.free_bits, "samples": what.held_samples}
            whole = elbo(pair(made), made.data, weights=weights, **bend)
        else:
            whole = iwae(pair(made), made.data, samples=7, weights=weights)
    value, _ = what.judged(found.numpy(), sizes, weights.numpy())
    assert (value * weights.numpy()).mean() == pytest.approx(float(whole), rel=1e-9)


@pytest.mark.parametrize("doubly", [False, True])
def test_a_row_that_weighs_two_is_the_row_twice(doubly):
    """The same latents of both."""
    made = PAIRS["two sites, up"]()
    g = torch.Generator().manual_seed(7)
    noise = {name: torch.randn(4, 3, generator=g).double() for name in "ab"}

    def value(at, weights):
        def same(name, fn, samples):
            return fn.loc + fn.scale * noise[name][:, at]

        made.module.zero_grad()
        found = iwae(pair(made), made.data[at], samples=4, weights=weights, doubly=doubly, by=same)
        found.backward()
        return found.detach(), [p.grad.clone() for p in made.module.parameters()]

    weights = torch.tensor([2.0, 1.0, 1.0]).double()
    one, gradient = value([0, 1, 2], weights / weights.mean())
    two, expected = value([0, 0, 1, 2], None)
    torch.testing.assert_close(one, two)
    torch.testing.assert_close(gradient, expected)
    assert abs(float(value([0, 1, 2], None)[0] - one)) > 1e-3


# Gradients

REPEATS, STEPS = 400, 30


def gradients(made, raised):
    """(steps, parameters) gradients over the same draws."""
    torch.manual_seed(5)
    x, found = made.data.repeat(REPEATS, 1), []
    for _ in range(STEPS):
        made.module.zero_grad()
        raised(pair(made), x).backward()
        flat = [
            (torch.zeros_like(p) if p.grad is None else p.grad).flatten()
            for p in made.module.parameters()
        ]
        found.append(torch.cat(flat))
    return torch.stack(found)


def check_unbiased(made, better, plain):
    """At 5 standard errors of the paired difference, of gradients that are many of them large."""
    one, other = gradients(made, better), gradients(made, plain)
    d = one - other
    error = (d.std(0) / math.sqrt(STEPS)).clamp(min=1e-10)
    assert (d.mean(0).abs() / error).max() < 5
    assert (other.mean(0).abs() / error).max() > 15  # a factor of 2 would be seen


def plain_elbo(of, x):
    """Nothing closed, nothing fixed."""
    q = draw(of.guide, x, samples=1)
    return terms(q, replay(of.model, x, values=values_of(q))).log_w.mean()


@pytest.mark.parametrize("name", PAIRS)
def test_the_gradient_of_the_bound_is_the_plain_one_in_expectation(name):
    check_unbiased(PAIRS[name](), elbo, plain_elbo)


@pytest.mark.parametrize("name", PAIRS)
def test_the_doubly_reparameterised_gradient_is_the_plain_one_in_expectation(name):
    check_unbiased(
        PAIRS[name](),
        lambda of, x: iwae(of, x, samples=5, doubly=True),
        lambda of, x: iwae(of, x, samples=5),
    )


@pytest.mark.parametrize("name", ["two sites, up", "counts, log-normal"])
def test_with_one_sample_it_is_the_gradient_of_the_bound(name):
    made = PAIRS[name]()
    one = gradients(made, lambda of, x: iwae(of, x, samples=1, doubly=True))
    torch.testing.assert_close(one, gradients(made, elbo))


def test_at_the_posterior_the_gradient_in_phi_has_no_noise():
    made = Counts(conjugate=True)
    made.posterior()
    of = pair(made)
    for raised, still in (
        (lambda of, x: iwae(of, x, samples=3, doubly=True), True),
        (plain_elbo, False),
    ):
        made.module.zero_grad()
        raised(of, made.data).backward()
        # Draws of a Gamma are differentiated by a series of torch's own.
        assert (float(made.module.c.grad.abs().max()) < 1e-5) == still


# What a pair may hold


class Dropping(nn.Module):
    """A guide with dropout; its only site is a flow's, so that log q is asked of its nets again."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 32), nn.Dropout(0.5), nn.Linear(32, 4)).double()

    def guide(self, x):
        m, log_s = self.net(x).chunk(2, -1)
        base = dist.Normal(m, log_s.exp()).to_event(1)
        with rows(len(x)):
            pyro.sample("z", dist.TransformedDistribution(base, [Scaled()]))


class Scaled(dist.transforms.AffineTransform):
    """A transform that holds more than tensors."""

    def __init__(self) -> None:
        super().__init__(0.0, 2.0)
        self.held = object()


def test_what_drops_out_of_a_guide_drops_out_of_its_density():
    made, x = Dropping().train(), Linear.data
    model = Linear().model
    torch.manual_seed(3)
    state = torch.get_rng_state()
    q = draw(made.guide, x, samples=2)
    expected = terms(q, replay(model, x, values=values_of(q))).log_w
    after = torch.get_rng_state()
    torch.set_rng_state(state)
    log_x, kl, _ = parts(Pair(model, made.guide, made), x, samples=2)
    torch.testing.assert_close(log_x - kl[:, 0], expected.mean(0))
    assert torch.equal(torch.get_rng_state(), after)
    assert all(p.requires_grad for p in made.parameters())


def test_parameters_of_modules_and_sites_are_constants_in_log_q():
    """With or without the module given, where all is in Pyro's own store."""
    pyro.clear_param_store()
    net, x = nn.Linear(3, 2).double(), Linear.data

    def guide(x):
        encode, scale = pyro.module("net", net), pyro.param("scale", torch.ones(2).double())
        with rows(len(x)):
            base = dist.Normal(encode(x), scale).to_event(1)
            pyro.sample("z", dist.TransformedDistribution(base, [Scaled()]))

    found = []
    for module in (net, None):
        net.zero_grad()
        torch.manual_seed(1)
        iwae(Pair(Linear().model, guide, module), x, samples=4, doubly=True).backward()
        found.append(net.weight.grad.clone())
        assert net.weight.requires_grad
    assert torch.equal(*found)
    pyro.clear_param_store()


def test_scales_and_masks_in_a_pair_count():
    made, x = Linear(), Linear.data
    share = torch.tensor([1.0, 0.0, 2.0]).double()

    def scaled(x):
        with poutine.scale(scale=share):
            made.model(x)

    def masked(x):
        with poutine.mask(mask=share > 0):
            made.model(x)

    with torch.no_grad():
        q = draw(made.guide, x, samples=2)
        whole = terms(q, replay(made.model, x, values=values_of(q)))
        for program, factor in ((scaled, share), (masked, (share > 0).double())):
            p = replay(program, x, values=values_of(q))
            t = terms(q, p)
            torch.testing.assert_close(t.log_x, whole.log_x * factor)
            torch.testing.assert_close(t.log_p["z"], whole.log_p["z"] * factor)
            assert divergences(q, p) is None


def discrete(x):
    with rows(len(x)):
        pyro.sample("z", dist.Poisson(torch.ones(2).double()).to_event(1))


def unobserved(x):
    with rows(len(x)):
        pyro.sample("z", dist.Normal(torch.zeros(2).double(), 1).to_event(1))


def more(x):
    unobserved(x)
    with rows(len(x)):
        pyro.sample("extra", dist.Normal(0.0, 1.0))


def wide(x):
    unobserved(x)
    with rows(len(x)), pyro.plate("columns", 3):
        pyro.sample("x", dist.Normal(torch.zeros(()).double(), 1.0), obs=x.T)


@pytest.mark.parametrize(
    ("model", "guide", "words"),
    [
        (Linear().model, discrete, "no reparameterised draws"),
        (unobserved, Linear().guide, "observes nothing"),
        (more, Linear().guide, "'extra' is a latent of the model"),
        (Linear().model, more, "'extra' is a latent of the guide"),
        (wide, Linear().guide, "batch shape"),
    ],
)
def test_pairs_of_another_kind_are_refused(model, guide, words):
    with pytest.raises(InputError, match=words):
        elbo(Pair(model, guide), Linear.data)
