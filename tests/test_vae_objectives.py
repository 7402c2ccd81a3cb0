"""The objectives of the variational autoencoder's pair: values against closed forms and each other,
gradients against the plain ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ppgen.inference.torch_state import as_found
from ppgen.models.vae.priors import carried, split

from .vae_nets import (
    CASES,
    context,
    drawn,
    elbo,
    iwae,
    kl_per_latent,
    nets,
    rows,
    scales,
)

CLOSED = [
    name
    for name, case in CASES.items()
    if not {"prior", "posterior"} & set(case) and len(case.get("latent", "1")) == 1
]
SAMPLED = [name for name in CASES if name not in CLOSED]


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


# Values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_the_divergence_has_a_closed_form_only_where_it_has(name):
    of = nets(**CASES[name])
    x, c = rows(of, 4), context(of, 4)
    kl = kl_per_latent(of, x, c)
    assert (kl is not None) == (name in CLOSED)


def test_the_divergence_of_each_latent_is_its_integral():
    of = nets(latent=(2,))
    with torch.no_grad():
        x = rows(of, 5)
        encoded = of.encode(x)
        m, log_s = split(encoded)
        nodes, weights = np.polynomial.hermite_e.hermegauss(40)
        u, w = torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())
        z = m + torch.exp(log_s) * u[:, None, None]
        log_q = -log_s - 0.5 * u.square()[:, None, None]
        expected = ((log_q + 0.5 * z.square()) * w[:, None, None]).sum(0)
        found = kl_per_latent(of, x)
    assert found is not None
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert (found > 0).all()


@pytest.mark.parametrize("name", CLOSED)
def test_the_divergence_is_the_mean_of_log_ratios(name):
    of, n, k = nets(**CASES[name]), 4, 4000
    x, c = rows(of, n), context(of, n)
    with torch.no_grad():
        ratio, kl = drawn(of, x, c, k).log_ratio, kl_per_latent(of, x, c)
    error = ratio.std(0) / math.sqrt(k)
    assert ((ratio.mean(0) - kl.sum(-1)).abs() < 5 * error).all()


def test_beta_and_free_bits_bend_the_divergence_of_each_latent():
    of = nets()
    with torch.no_grad():  # one latent says little
        of.encoder[-1].weight[0] *= 0.01
        of.encoder[-1].bias[[0, 3]] = 0.0
        of.encoder[-1].weight[3] *= 0.01
    x, w = rows(of, 6), scales(6)
    with torch.no_grad():
        kl = (kl_per_latent(of, x) * w[:, None]).mean(0)
        least = float(kl.min()) * 2
        assert (kl < least).sum() == 1
        state = torch.get_rng_state()
        log_x = elbo(of, x, weights=w, beta=0)
        for beta, free in ((1.0, 0.0), (4.0, 0.0), (1.0, least), (0.5, least), (1.0, 1e6)):
            torch.set_rng_state(state)
            found = elbo(of, x, weights=w, beta=beta, free_bits=free)
            torch.testing.assert_close(found, log_x - beta * kl.clamp(min=free).sum())


def test_a_latent_within_its_free_bits_feels_no_pull():
    of = nets()
    x = rows(of, 6)

    def gradient(**settings):
        torch.manual_seed(1)
        of.zero_grad()
        elbo(of, x, **settings).backward()
        return of.encoder[-1].weight.grad.clone()

    torch.testing.assert_close(gradient(free_bits=1e6), gradient(beta=0.0))
    assert not torch.allclose(gradient(free_bits=0.0), gradient(beta=0.0))


@pytest.mark.parametrize("name", SAMPLED)
def test_without_a_closed_form_all_latents_share_the_free_bits(name):
    of = nets(**CASES[name])
    x, c = rows(of, 6), context(of, 6)
    latents = sum(CASES[name].get("latent", (3,)))
    with torch.no_grad():

        def value(**settings):
            torch.manual_seed(1)
            return float(elbo(of, x, c, **settings))

        log_x, whole = value(beta=0), value()
        kl = log_x - whole
        assert value(beta=2) == pytest.approx(log_x - 2 * kl)
        assert value(free_bits=(kl - 1) / latents) == pytest.approx(whole)
        assert value(free_bits=(kl + 1) / latents) == pytest.approx(whole - 1)


@pytest.mark.parametrize("name", CASES)
def test_one_importance_sample_is_the_bound_of_the_same_draw(name):
    of = nets(**CASES[name])
    x, c, w = rows(of, 6), context(of, 6), scales(6)
    with torch.no_grad():
        values = []
        for objective in (
            lambda: iwae(of, x, c, samples=1, weights=w),
            lambda: iwae(of, x, c, samples=1, weights=w, doubly=True),
            lambda: elbo(of, x, c, weights=w) if name in SAMPLED else None,
        ):
            torch.manual_seed(1)
            values.append(objective())
        torch.manual_seed(1)
        log_w = drawn(of, x, c, 1).log_w
        for value in values:
            if value is not None:
                torch.testing.assert_close(value, (log_w[0] * w).mean())


@pytest.mark.parametrize("name", ["plain", "flows", "two layers, all", "mixed, gaps"])
def test_more_importance_samples_give_a_higher_bound(name):
    """Means over 400 draws of each row; more samples are groups of fewer of the same."""
    of = nets(**CASES[name])
    x, c = rows(of, 8), context(of, 8)
    with torch.no_grad():
        log_w = drawn(of, x, c, 400 * 64).log_w
        means = [
            float((log_w.view(-1, k, 8).logsumexp(1) - math.log(k)).mean()) for k in (1, 4, 16, 64)
        ]
    assert np.diff(means).min() > 0.01  # Jensen: of averages of the same numbers
    torch.manual_seed(1)
    with torch.no_grad():
        found = [float(iwae(of, x.repeat(400, 1), _times(c, 400), samples=16)) for _ in range(2)]
    assert abs(np.mean(found) - means[2]) < 0.2 * (means[2] - means[1])


# Gradients ----------------------------------------------------------------------------------------

GRADIENTS = [
    "plain",
    "linear",
    "mixed, gaps",
    "context",
    "flow prior",
    "mixture",
    "vamp",
    "flow posterior",
    "two layers",
    "two layers, all",
]
SLOW = ("context", "flow prior", "linear", "two layers, all")


def _times(x: Tensor | None, n: int) -> Tensor | None:
    return None if x is None else x.repeat(n, 1)


def gradients(of, x, c, objective, steps: int, seed: int = 5) -> dict[str, Tensor]:
    """Name -> (steps, size) gradients; the same seed draws the same latents."""
    found = {name: [] for name, _ in of.named_parameters()}
    torch.manual_seed(seed)
    for _ in range(steps):
        of.zero_grad()
        objective(of, x, c).backward()
        for name, p in of.named_parameters():
            g = torch.zeros_like(p) if p.grad is None else p.grad
            found[name].append(g.flatten().clone())
    return {name: torch.stack(g) for name, g in found.items()}


def plain_elbo(of, x, c):
    """Nothing closed, nothing fixed."""
    return drawn(of, x, c, 1).log_w.mean()


def is_phi(of, name: str) -> bool:
    return name.split(".")[0] in ("encoder", "posterior", "up")


def largest(found: dict[str, Tensor], plain: dict[str, Tensor], of) -> tuple[float, float]:
    """Of the parameters in phi: the largest difference of mean gradients in standard errors of the
    paired difference, and the largest mean gradient in those."""
    d = torch.cat([found[n] - plain[n] for n in found if is_phi(of, n)], 1)
    mean = torch.cat([plain[n] for n in found if is_phi(of, n)], 1).mean(0)
    error = (d.std(0) / math.sqrt(len(d))).clamp(min=1e-12)
    return float((d.mean(0) / error).abs().max()), float((mean / error).abs().max())


STEPS, REPEATS = 40, 150


def compared(name, better, plain):
    """Both gradients over the same draws."""
    of = nets(**CASES[name])
    x, c = rows(of, 3).repeat(REPEATS, 1), _times(context(of, 3), REPEATS)
    return of, gradients(of, x, c, better, STEPS), gradients(of, x, c, plain, STEPS)


def same_in_theta(of, found, plain, vamp: bool) -> None:
    """The decoder and the prior see the same draws with the same weights: exactly the same."""
    for name in found:
        if not is_phi(of, name) and not vamp:
            torch.testing.assert_close(found[name], plain[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in GRADIENTS]
)
def test_the_gradient_of_the_bound_is_the_plain_one_in_expectation(name):
    of, found, plain = compared(name, elbo, plain_elbo)
    off, size = largest(found, plain, of)
    assert off < 5
    assert size > 15  # in the same units: a factor of 2 would be seen
    if name in SAMPLED:
        same_in_theta(of, found, plain, name == "vamp")


def _dreg(samples):
    return lambda of, x, c: iwae(of, x, c, samples=samples, doubly=True)


def _iwae(samples):
    return lambda of, x, c: iwae(of, x, c, samples=samples)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in GRADIENTS]
)
def test_the_doubly_reparameterised_gradient_is_the_plain_one_in_expectation(name):
    of, found, plain = compared(name, _dreg(5), _iwae(5))
    off, size = largest(found, plain, of)
    assert off < 5
    assert size > 15
    same_in_theta(of, found, plain, name == "vamp")


def _dropped(self, hook):
    return None


def _twice(self, hook):
    return _HOOK(self, lambda g: hook(hook(g)))


_HOOK = Tensor.register_hook


@pytest.mark.parametrize("name", ["plain", "two layers"])
@pytest.mark.parametrize("wrong", [_dropped, _twice])
def test_a_wrong_power_of_the_weights_is_seen(name, wrong, monkeypatch):
    monkeypatch.setattr(Tensor, "register_hook", wrong)
    of, found, plain = compared(name, _dreg(5), _iwae(5))
    assert largest(found, plain, of)[0] > 8


@pytest.mark.parametrize(
    "name",
    ["plain", pytest.param("flow posterior", marks=pytest.mark.slow), "two layers"],
)
def test_the_doubly_reparameterised_gradient_has_less_variance(name):
    """Where q is near the posterior; far from it nothing is promised."""
    of = nets(**CASES[name])
    x, c = rows(of, 3), context(of, 3)
    with as_found():
        near = torch.optim.Adam([p for n, p in of.named_parameters() if is_phi(of, n)], lr=0.02)
        for _ in range(150):
            near.zero_grad()
            (-elbo(of, x, c, samples=8)).backward()
            near.step()
    spread = []
    for objective in (_dreg(16), _iwae(16)):
        found = gradients(of, x, c, objective, 60)
        phi = torch.cat([g for n, g in found.items() if is_phi(of, n)], 1)
        spread.append(float(phi.var(0).sum()))
    assert spread[0] < 0.6 * spread[1]


@pytest.mark.parametrize("name", ["flow prior", "two layers"])
def test_with_one_sample_it_is_the_gradient_of_the_bound(name):
    of = nets(**CASES[name])
    x = rows(of, 4)
    one, other = gradients(of, x, None, _dreg(1), 2), gradients(of, x, None, elbo, 2)
    for key in one:
        torch.testing.assert_close(one[key], other[key])


WEIGHED = {
    "elbo": lambda *args, **kw: elbo(*args, samples=3, beta=0.7, **kw),
    "elbo, free": lambda *args, **kw: elbo(*args, samples=3, free_bits=0.4, **kw),
    "iwae": lambda *args, **kw: iwae(*args, samples=3, **kw),
    "dreg": lambda *args, **kw: iwae(*args, samples=3, doubly=True, **kw),
}


@pytest.mark.parametrize("name", ["plain", "mixture", "flows", "two layers, all", "mixed, gaps"])
@pytest.mark.parametrize("objective", WEIGHED)
def test_a_row_that_weighs_two_is_the_row_twice(name, objective):
    """The same latents of both; weights have mean 1."""
    of = nets(**CASES[name])
    x, c = rows(of, 3), context(of, 3)
    g = torch.Generator().manual_seed(7)
    noise = {
        f"z_{i}": torch.randn(3, 3, k, generator=g, dtype=torch.float64)
        for i, k in enumerate(CASES[name].get("latent", (3,)), 1)
    }

    def value(at, weights=None):
        def same(name, fn, samples):
            return carried(fn, noise[name][:, at])

        of.zero_grad()
        args = (of, x[at], None if c is None else c[at])
        found = WEIGHED[objective](*args, weights=weights, by=same)
        found.backward()
        return found.detach(), [None if p.grad is None else p.grad.clone() for p in of.parameters()]

    weights = torch.tensor([2.0, 1.0, 1.0], dtype=torch.float64)
    one, gradient = value([0, 1, 2], weights / weights.mean())
    two, expected = value([0, 0, 1, 2])
    torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-10)
    for a, b in zip(gradient, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)
    plain, _ = value([0, 1, 2])
    assert abs(float(plain - one)) > 1e-4


@pytest.mark.parametrize("doubly", [False, True])
@pytest.mark.parametrize("name", ["plain", "two layers, all"])
def test_weights_multiply_rows(name, doubly):
    of = nets(**CASES[name])
    x, c = rows(of, 2), context(of, 2)

    def found(*w):
        def objective(of, x, c):
            weights = torch.tensor(w, dtype=torch.float64)
            return iwae(of, x, c, samples=5, weights=weights, doubly=doubly)

        return gradients(of, x, c, objective, 1)

    both, first, second = found(1.0, 1.0), found(2.0, 0.0), found(0.0, 2.0)
    for key in both:
        torch.testing.assert_close(both[key], (first[key] + second[key]) / 2)
    assert any((first[k] - second[k]).abs().max() > 1e-3 for k in both)


def test_the_bound_at_the_posterior_has_no_noise_left():
    """Linear and Gaussian with the exact posterior: every draw's weight is p(x), and the path
    gradient in phi is zero at every draw, which the plain one is not."""
    of = nets(parts=CASES["bits"]["parts"], prior="mixture", components=1)
    for p in of.decoder.parameters():  # x says nothing of z: the posterior is the prior
        p.data.zero_()
    with torch.no_grad():
        of.prior.mean.zero_()
        of.prior.log_scale.zero_()
        for p in of.encoder[-1].parameters():
            p.zero_()
    x = rows(of, 4)
    for objective, still in ((elbo, True), (_dreg(3), True), (plain_elbo, False)):
        g = gradients(of, x, None, objective, 1)
        phi = max(float(v.abs().max()) for k, v in g.items() if is_phi(of, k))
        assert (phi < 1e-12) == still
