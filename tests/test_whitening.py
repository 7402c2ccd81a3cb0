"""Whitened coordinates: the map, when it is taken, and the flows and autoencoders that start in
it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, multivariate_t

import ppgen
from ppgen.errors import InputError
from ppgen.models.nets.held_out import Subset
from ppgen.models.nets.whitening import BEND, LEAST, Whitening, chosen

D = 4


def collinear(n, seed=0, noise=1e-2):
    """(n, 4) rows of which the last two columns nearly follow from the first."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, D))
    x[:, 2] = x[:, 0] - x[:, 1] + noise * x[:, 2]
    x[:, 3] = 2 * x[:, 0] + noise * x[:, 3]
    return (x - x.mean(0)) / x.std(0)


def subset(x, numbers=None):
    every = np.arange(len(x), dtype=np.uint64)
    at = np.arange(len(x)) if numbers is None else np.flatnonzero(numbers)
    return Subset(x, at, np.zeros(len(x)), None, None, None, lambda: every)


def taken(x, **how):
    """The whitening chosen for rows of which every tenth is held out."""
    held = np.arange(len(x)) % 10 == 0
    rng = np.random.default_rng(0)
    return chosen(subset(x, ~held), subset(x, held), x.shape[1], rng, **how)


def test_whitened_columns_are_uncorrelated_and_in_order():
    x = collinear(500)
    found = Whitening.fit(x)
    y = found(x)
    np.testing.assert_allclose(y.T @ y / len(y), np.eye(D), atol=1e-9)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-9)
    assert (np.triu(found.matrix, 1) == 0).all()
    assert (np.diagonal(found.matrix) > 0).all()
    np.testing.assert_allclose(found.matrix @ found.root, np.eye(D), atol=1e-9)


def test_rows_of_weight_two_count_as_two():
    x, twice = collinear(60), np.arange(60) < 20
    weighted = Whitening.fit(x, 1.0 + twice)
    repeated = Whitening.fit(np.concatenate([x, x[twice]]))
    np.testing.assert_allclose(weighted.matrix, repeated.matrix, rtol=1e-8)
    np.testing.assert_allclose(weighted.centre, repeated.centre, atol=1e-9)


def test_its_density_is_that_of_the_gaussian_of_the_rows():
    x = collinear(400)
    x = x[(np.abs(Whitening.fit(x)(x)) < BEND).all(1)]
    found = Whitening.fit(x)
    exact = multivariate_normal(x.mean(0), np.cov(x.T, bias=True)).logpdf(x)
    np.testing.assert_allclose(found.log_prob(x), exact, rtol=1e-6)


def test_one_row_far_out_neither_sets_it_nor_is_impossible():
    x = collinear(2000)
    plain = Whitening.fit(x)
    x[7, 3] += 1e3
    found = Whitening.fit(x)
    others = np.delete(x, 7, 0)
    spread = found(others).std(0)
    assert (spread > 0.3).all()
    assert (spread < 3).all()
    assert plain.log_prob(x[7:8]) > -500  # of a Gaussian it is -1e9
    np.testing.assert_allclose(found.spread, 1, atol=0.1)


@pytest.mark.parametrize("columns", [2, 5])
def test_columns_that_are_the_same_are_magnified_to_a_limit(columns):
    x = np.random.default_rng(0).normal(size=(300, 1)).repeat(columns, 1)
    found = Whitening.fit(x)
    assert np.isfinite(found.matrix).all()
    assert np.linalg.norm(found.matrix, axis=1).max() <= 1.01 * LEAST**-0.5 / x.std()
    assert np.isfinite(found.log_prob(x)).all()


def test_it_is_taken_where_held_out_rows_say_that_it_helps():
    rng = np.random.default_rng(0)
    assert taken(collinear(500)) is not None
    assert taken(rng.normal(size=(500, D))) is None
    assert taken(rng.normal(size=(500, D)), always=True) is not None
    assert taken(rng.normal(size=(40, 30))) is None


def test_it_is_not_taken_where_columns_part_in_the_rows_held_out():
    x = collinear(500, noise=1e-3)
    x[::10, 3] = np.random.default_rng(1).normal(size=50)
    assert taken(x) is None


def test_it_is_not_taken_of_gaps_one_column_or_without_held_out_rows():
    x = collinear(500)
    assert taken(x[:, :1]) is None
    assert chosen(subset(x), None, D, np.random.default_rng(0)) is None
    x[3, 1] = np.nan
    assert taken(x) is None
    assert taken(x, always=True) is None


# Flows


@pytest.fixture(scope="module")
def layers():
    """The map, and the layer on torch."""
    torch = pytest.importorskip("torch")
    from ppgen.models.flow.transforms import Whiten

    found = Whitening.fit(collinear(300))
    return found, Whiten(torch.tensor(found.centre), torch.tensor(found.matrix))()


def far(n=50):
    return collinear(n, 1) + np.random.default_rng(2).normal(size=(n, D))  # many beyond the bend


def test_the_layer_of_flows_is_the_map(layers):
    import torch

    found, layer = layers
    x = torch.tensor(far())
    y, ladj = layer.call_and_ladj(x)
    assert (y.abs() > BEND).any()
    normal = -0.5 * (y**2 + np.log(2 * np.pi)).sum(1)
    np.testing.assert_allclose(normal + ladj, found.log_prob(x.numpy()), rtol=1e-10)
    np.testing.assert_allclose(layer.inv(y), x, atol=1e-9)
    for i in range(5):
        jacobian = torch.autograd.functional.jacobian(layer, x[i])
        np.testing.assert_allclose(torch.linalg.slogdet(jacobian)[1], ladj[i], atol=1e-9)


@pytest.mark.parametrize("name", ["whitening", "linear"])
def test_a_layer_goes_back_for_many_rows_without_a_matrix_for_each(layers, name, monkeypatch):
    import torch

    from ppgen.models.flow.transforms import LinearTransform

    layer = layers[1]
    if name == "linear":
        upper = torch.eye(D).double() + torch.ones(D, D).double().triu(1)
        shift = torch.arange(D).double()
        layer = LinearTransform(torch.eye(D).double()[[1, 0, 3, 2]], upper, torch.zeros(()), shift)
    shapes = []

    def watched(solve):
        def solved(matrix, rows, **how):
            shapes.append((*matrix.shape, *rows.shape))
            return solve(matrix, rows, **how)

        return solved

    x = torch.tensor(far(30)).reshape(5, 6, D)
    y = layer(x)
    for solver in ("solve", "solve_triangular"):
        monkeypatch.setattr(torch.linalg, solver, watched(getattr(torch.linalg, solver)))
    np.testing.assert_allclose(layer.inv(y), x, atol=1e-9)
    assert set(shapes) == {(D, D, D, 30)}


def test_the_layer_on_jax_is_that_on_torch(layers):
    import jax
    import jax.numpy as jnp
    import torch

    from ppgen.models.flow.numpyro import Whiten

    found, layer = layers
    x = far(3)
    with jax.enable_x64(True):
        twin = Whiten(jnp.asarray(found.centre), jnp.asarray(found.matrix))
        y, ladj = jax.vmap(twin.transform_and_log_det)(jnp.asarray(x))
        back, back_ladj = jax.vmap(twin.inverse_and_log_det)(y)
    expected = layer.call_and_ladj(torch.tensor(x))
    np.testing.assert_allclose(y, expected[0], rtol=1e-9)
    np.testing.assert_allclose(ladj, expected[1], rtol=1e-9)
    np.testing.assert_allclose(back, x, atol=1e-9)
    np.testing.assert_allclose(back_ladj, -ladj, rtol=1e-9)


FLOW = {"kind": "maf", "n_transforms": 1, "hidden": (8,), "max_epochs": 2, "random_state": 0}


def test_a_flow_of_nearly_collinear_columns_starts_at_their_gaussian(tmp_path):
    x, test = np.split(collinear(900, noise=1e-3), [600])
    flow = ppgen.NormalizingFlow(**FLOW).fit(x)
    assert flow.architecture_.whitened
    gaussian = ppgen.Gaussian(random_state=0).fit(x).score(test)
    assert flow.score(test) > gaussian - 0.2
    assert ppgen.NormalizingFlow(**FLOW, whiten=False).fit(x).score(test) < gaussian - 5
    flow.save(tmp_path / "run")
    back = ppgen.load(tmp_path / "run")
    np.testing.assert_array_equal(back.score_samples(test), flow.score_samples(test))
    drawn = flow.sample(500)
    assert np.std(drawn[:, 3] - drawn[:, 0]) < 0.01
    # A row where they are not is rare, not impossible.
    assert flow.score(np.array([[0.0, 0.0, 0.0, 3.0]])) > -1e3


def test_a_flow_of_independent_columns_is_not_whitened():
    x = np.random.default_rng(0).normal(size=(300, 2))
    assert not ppgen.NormalizingFlow(**FLOW).fit(x).architecture_.whitened


# Autoencoders

NU = 7.0


@pytest.fixture(scope="module")
def observed():
    """p(x | z) with correlated noise of four numbers and one level, and decoder outputs of it."""
    import torch

    from ppgen.models.vae.observation import Observation
    from ppgen.models.vae.parts import Part

    whitening = Whitening.fit(collinear(300, noise=0.3))
    parts = (Part("gaussian", 0, D), Part("bernoulli", D, D + 1))
    observation = Observation(parts, noise="full", missing=True, whitening=whitening).double()
    for name, array in (("matrix", whitening.matrix), ("root", whitening.root)):
        getattr(observation, name).copy_(torch.tensor(array))
    observation.centre.copy_(torch.tensor(whitening.centre))
    observation.log_freedom.data.fill_(np.log(NU))
    observation.log_scales["0"].data = torch.linspace(-1, 0.5, D).double()
    raw = torch.tensor(np.random.default_rng(0).normal(size=(3, 6, D + 1)))
    return observation, raw


def scales(observation):
    return observation.log_scales["0"].detach().exp().numpy()


def closed_form(observation, raw, x):
    """(3, n) log p of what is there of numbers x."""
    root, s = observation.root.numpy(), scales(observation)
    covariance = root @ np.diag(s**2) @ root.T
    mean = raw[..., :D].numpy() @ root.T + observation.centre.numpy()
    out = np.zeros(raw.shape[:2])
    for k, i in np.ndindex(*out.shape):
        seen = np.flatnonzero(~np.isnan(x[i, :D]))
        if len(seen):
            part = multivariate_t(mean[k, i, seen], covariance[np.ix_(seen, seen)], df=NU)
            out[k, i] = part.logpdf(x[i, seen])
    return out


@pytest.mark.parametrize("gaps", [False, True])
def test_correlated_noise_is_a_student_t_and_its_marginals(observed, gaps):
    import torch

    observation, raw = observed
    x = np.column_stack([collinear(6, 3, noise=0.3), np.tile([0.0, 1.0], 3)])
    if gaps:
        x[np.random.default_rng(0).random(x.shape) < 0.4] = np.nan
        x[0, :D] = np.nan
    found = observation.log_prob(raw, torch.tensor(x)).detach().numpy()
    level = np.nan_to_num(x[:, D])
    odds = raw[..., D].numpy()
    coin = np.where(np.isnan(x[:, D]), 0, level * odds - np.log1p(np.exp(odds)))
    np.testing.assert_allclose(found, closed_form(observation, raw, x) + coin, rtol=1e-7)


def test_gaps_beside_columns_that_are_nearly_the_same_have_densities():
    import torch

    from ppgen.models.vae.observation import Observation
    from ppgen.models.vae.parts import Part

    x = np.random.default_rng(0).normal(size=(300, 1)).repeat(30, 1)
    whitening = Whitening.fit(x)
    observation = Observation(
        (Part("gaussian", 0, 30),), noise="full", missing=True, whitening=whitening
    )
    observation.log_scales["0"].data.fill_(-7.0)
    rows = torch.tensor(x[:4], dtype=torch.float32)
    for at in ((slice(None), 29), (slice(None), 0), (0, slice(None, None, 2))):
        gone = rows.clone()
        gone[at] = torch.nan
        assert torch.isfinite(observation.log_prob(torch.zeros(4, 30), gone)).all()
        filled = observation.mixed_mean(torch.zeros(1, 4, 30), torch.ones(1, 4, 1), gone)
        np.testing.assert_allclose(filled.detach(), rows, atol=1e-3)


def test_gaps_are_expected_given_the_numbers_that_are_there(observed):
    import torch

    observation, raw = observed
    x = collinear(6, 3, noise=0.3)
    full, (root, s) = x.copy(), (observation.root.numpy(), scales(observation))
    x[np.random.default_rng(1).random(x.shape) < 0.4] = np.nan
    x[0] = np.nan
    share = torch.softmax(torch.tensor(np.random.default_rng(2).normal(size=(3, 6, 1))), 0)
    rows = torch.tensor(np.column_stack([x, np.zeros(6)]))
    found = observation.mixed_mean(raw, share, rows).detach().numpy()[:, :D]
    covariance = root @ np.diag(s**2) @ root.T
    mean = raw[..., :D].numpy() @ root.T + observation.centre.numpy()
    expected = np.zeros_like(x)
    for k, i in np.ndindex(3, 6):
        o = ~np.isnan(x[i])
        gain = covariance[:, o] @ np.linalg.inv(covariance[np.ix_(o, o)])
        expected[i] += share[k, i, 0].item() * (mean[k, i] + gain @ (full[i, o] - mean[k, i, o]))
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_rows_drawn_with_correlated_noise_have_its_covariance(observed):
    import torch

    observation, raw = observed
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        drawn = observation.sample(raw[:1, :1].expand(1, 40_000, -1))[0, :, :D].detach().numpy()
    root, s = observation.root.numpy(), scales(observation)
    covariance = root @ np.diag(s**2) @ root.T * NU / (NU - 2)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.05)
    mean = observation.mean(raw)[0, 0, :D].detach().numpy()
    np.testing.assert_allclose(drawn.mean(0), mean, atol=0.05)


def on_jax(observation):
    """The twin on JAX."""
    import jax.numpy as jnp

    from ppgen.models.vae.observation_jax import Observation

    learnt = {"0": jnp.asarray(observation.log_scales["0"].detach().numpy())}
    freedom = jnp.asarray(observation.log_freedom.detach().numpy())
    fixed = tuple(jnp.asarray(a.numpy()) for a in observation.whitening)
    return Observation(observation.parts, "full", True, learnt, fixed, freedom)


def test_correlated_noise_on_jax_is_that_on_torch(observed):
    jax = pytest.importorskip("jax")
    import torch

    observation, raw = observed
    x = np.column_stack([collinear(6, 3, noise=0.3), np.tile([0.0, 1.0], 3)])
    expected = observation.log_prob(raw, torch.tensor(x)).detach()
    with jax.enable_x64(True):
        found = jax.jit(lambda twin, raw, x: twin.log_prob(raw, x))(
            on_jax(observation), raw.numpy(), x
        )
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.slow  # draws of gammas take 5 s to compile
def test_rows_drawn_on_jax_with_correlated_noise_have_its_covariance(observed):
    import jax
    import jax.numpy as jnp

    observation, raw = observed
    twin = on_jax(observation)
    many = jnp.broadcast_to(jnp.asarray(raw[0, 0].numpy()), (40_000, D + 1))
    drawn = np.asarray(twin.sample(jax.random.key(0), many))[:, :D]
    root, s = observation.root.numpy(), scales(observation)
    covariance = root @ np.diag(s**2) @ root.T * NU / (NU - 2)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.05)


@pytest.mark.parametrize("bits", [0, 1])
def test_an_encoder_sees_gaps_of_whitened_numbers_where_the_others_put_them(bits):
    import torch

    from ppgen.models.nets.features import Features

    x = collinear(300)
    found = Whitening.fit(x)
    features = Features(D + bits, gaps=True, whitened=True).double()
    rows = torch.tensor(np.column_stack([x, *[x[:, 0] > 0] * bits]).astype(float))
    features.fit(rows, found)
    features.matrix[:D, :D] = torch.tensor(found.matrix)
    gone = rows.clone()
    gone[np.random.default_rng(0).random(gone.shape) < 0.4] = np.nan
    gone[0] = np.nan
    covariance = found.root @ found.root.T
    expected = np.zeros((300, D))
    for i, row in enumerate(gone[:, :D].numpy() - found.centre):
        o = ~np.isnan(row)
        part = covariance[:, o] @ np.linalg.solve(covariance[np.ix_(o, o)], row[o])
        expected[i] = np.where(o, row, part)
    expected = np.clip(expected @ found.matrix.T, -10, 10)
    np.testing.assert_allclose(features(gone)[:, :D], expected, atol=1e-5)
    assert torch.isfinite(features(gone)).all()


def test_the_encoder_on_jax_sees_gaps_as_the_one_on_torch(observed):
    jax = pytest.importorskip("jax")
    import jax.numpy as jnp
    import torch

    from ppgen.models.nets.features import Features
    from ppgen.models.vae.build import Architecture
    from ppgen.models.vae.nets_jax import Nets, initial

    x = np.column_stack([collinear(40), np.arange(40) % 2])
    whitening = Whitening.fit(x[:, :D])
    features = Features(D + 1, gaps=True, whitened=True).double()
    features.fit(torch.tensor(x), whitening)
    features.matrix[:D, :D] = torch.tensor(whitening.matrix)
    architecture = Architecture("mlp", observed[0].parts, (2,), hidden=(4,), noise="full")
    gone = x.copy()
    gone[np.random.default_rng(0).random(x.shape) < 0.4] = np.nan
    with jax.enable_x64(True):
        start = initial(architecture, 0, x, whitening)
        twin = Nets(architecture, {name: jnp.asarray(array) for name, array in start.items()})
        for rows in (x, gone):
            expected = features(torch.tensor(rows)).numpy()
            np.testing.assert_allclose(twin.features(jnp.asarray(rows)), expected, atol=1e-6)


VAE = {"hidden": (8,), "max_epochs": 2, "random_state": 0}


def test_the_noise_of_many_degrees_of_freedom_is_gaussian(observed):
    from copy import deepcopy

    import torch

    observation, raw = observed
    x = torch.tensor(np.column_stack([collinear(6, 3, noise=0.3), np.full(6, np.nan)]))
    wide = deepcopy(observation)
    wide.log_freedom.data.fill_(50.0)  # cut off at 1000
    root, s = observation.root.numpy(), scales(observation)
    mean = raw[0, 0, :D].numpy() @ root.T + observation.centre.numpy()
    exact = multivariate_normal(mean, root @ np.diag(s**2) @ root.T).logpdf(x[:, :D].numpy())
    found = wide.log_prob(raw[:1, :1].expand(1, 6, -1), x)[0].detach().numpy()
    np.testing.assert_allclose(found, exact, rtol=0.02)


def test_correlated_noise_of_an_autoencoder_is_that_of_nearly_collinear_columns():
    x, test = np.split(collinear(900, noise=1e-3), [600])
    vae = ppgen.VAE(1, **VAE, noise="full").fit(x)
    assert vae.score(test) > ppgen.VAE(1, **VAE, noise="column").fit(x).score(test) + 5
    drawn = vae.sample(500)
    assert np.std(drawn[:, 3] - drawn[:, 0]) < 0.01
    # What is left of a row is as likely as in the rows without the column.
    test[:, 2] = np.nan
    assert np.isfinite(vae.score_samples(test)).all()


def test_a_row_in_which_collinear_columns_part_costs_an_autoencoder_hundreds_of_nats():
    x, held, test = np.split(collinear(600, noise=1e-3), [400, 500])
    how = {**VAE, "batch_size": 40, "max_epochs": 10, "noise": "full", "n_importance": 8}

    def parted(rows):
        rows = rows.copy()
        rows[7, 3] += 3.0  # thousands of standard deviations of the noise
        return rows

    clean = ppgen.VAE(1, **how).fit(x, validation=held).score(test)
    for seen, unseen in ((parted(x), held), (x, parted(held))):
        vae = ppgen.VAE(1, **how).fit(seen, validation=unseen)
        assert vae.score(test) > clean - 0.5
        far = vae.score_samples(parted(x)[7:8])[0]
        assert -1e3 < far < -30


def test_latents_beside_correlated_noise_are_woken_unless_told_otherwise():
    from ppgen.inference.local_objective import Objective
    from ppgen.models.vae.fitting import _waking

    def rises(objective, epochs):
        sizes = SimpleNamespace(training=SimpleNamespace(batch_size=10, max_epochs=epochs))
        return _waking(objective, sizes, 100).warm_up

    assert rises(Objective(), 40) == 40  # a tenth of 400 steps
    assert rises(Objective(), 10**6) == 150
    assert rises(Objective(warm_up=7), 10**6) == 7
    assert rises(Objective("iwae", 8), 10**6) == 0


def test_in_a_short_fit_or_with_a_bent_bound_latents_say_what_columns_have_in_common():
    x = collinear(900, noise=1e-3)
    assert ppgen.VAE(1, **VAE).fit(x).architecture_.noise == "column"
    long = {**VAE, "max_epochs": 1000, "batch_size": 800}
    vae = ppgen.VAE(1, **long, beta=0.1)
    assert vae.fit(x, budget=0.5).architecture_.noise == "column"


def test_correlated_noise_that_cannot_be_is_refused():
    x = collinear(100)
    x[5, 1] = np.nan
    with pytest.raises(InputError, match=r'noise is "full".*gaps'):
        ppgen.VAE(1, **VAE, noise="full").fit(x)
    with pytest.raises(InputError, match="for tables"):
        ppgen.VAE(1, **VAE, noise="full").fit(np.random.default_rng(0).normal(size=(60, 4, 4)))


# Tables that people have


def awkward():
    rng = np.random.default_rng(0)
    n = 60
    a = rng.normal(size=n)
    return {
        "thirty rows": rng.normal(size=(30, 3)),
        "one column": a[:, None],
        "constant": np.column_stack([a, np.ones(n), a + rng.normal(size=n)]),
        "all constant": np.ones((n, 2)),
        "exactly collinear": np.column_stack([a, 2 * a, a - 3]),
        "copies": np.repeat(rng.normal(size=(6, 2)), 10, axis=0),
        "rounded": np.round(np.column_stack([a, a + 0.1 * rng.normal(size=n)]), 1),
        "far out": np.column_stack([a, np.where(np.arange(n) == 7, 1e9, a)]),
        "mixed": {"a": a, "b": a + 0.01 * rng.normal(size=n), "c": np.where(a > 0, "x", "y")},
    }


@pytest.mark.parametrize("name", awkward())
@pytest.mark.parametrize("family", ["NormalizingFlow", "VAE"])
def test_defaults_fit_awkward_tables(family, name):
    rows = awkward()[name]
    model = getattr(ppgen, family)(max_epochs=2, random_state=0)
    if family == "VAE" and name == "all constant":
        with pytest.raises(InputError, match="nothing to model"):
            model.fit(rows)
        return
    model.fit(rows)
    assert np.isfinite(model.score_samples(rows)).all()
    assert len(model.sample(5)) == 5 or len(model.sample(5)["a"]) == 5
