"""The flows of either backend as densities: normalised, invertible, with the right Jacobian."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ppgen.models.flow.architecture import Architecture

KINDS = ("nsf", "nsf-ar", "maf", "realnvp")
CONTEXTS = (0, 2)


def torch_flow(kind, features, context=0, *, wild=0.3, **kwargs):
    """A flow in double precision with perturbed parameters, far from the identity."""
    import torch

    from ppgen.models.flow.pyro import build

    sizes = {"n_transforms": 3, "hidden": (16, 16), "bins": 5, "tail_bound": 4.0} | kwargs
    flow = build(Architecture(kind, features, context, **sizes)).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in flow.parameters():
            p.add_(wild * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return flow


def jax_flow(kind, features, context=0, *, wild=0.3, **kwargs):
    """To be called with x64 on."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import paramax

    from ppgen.models.flow.numpyro import build

    sizes = {"n_transforms": 3, "hidden": (16, 16), "bins": 5, "tail_bound": 4.0} | kwargs
    flow = build(Architecture(kind, features, context, **sizes))
    params, static = eqx.partition(
        flow, eqx.is_inexact_array, is_leaf=lambda leaf: isinstance(leaf, paramax.NonTrainable)
    )
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(1)  # NumPy's, as JAX compiles a program for each shape
    leaves = [jnp.asarray(np.asarray(a, float) + wild * rng.normal(size=a.shape)) for a in leaves]
    return eqx.combine(jax.tree.unflatten(tree, leaves), static)


def grid(half=12.0, n=300):
    side = (np.arange(n) + 0.5) * (2 * half / n) - half
    return np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2), (2 * half / n) ** 2


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("kind", KINDS)
def test_pyro_flow_integrates_to_one(kind, context):
    import torch

    flow = torch_flow(kind, 2, context, wild=0.1)
    points, area = grid()
    c = torch.tensor([0.5, -1.0], dtype=torch.float64).expand(len(points), 2) if context else None
    with torch.no_grad():
        density = flow(c).log_prob(torch.tensor(points)).exp().numpy()
    assert density.sum() * area == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("features", [1, 2, 5])
def test_pyro_flow_inverts_and_its_log_det_is_autodiffs(kind, context, features):
    import torch

    flow = torch_flow(kind, features, context)
    x = torch.randn(7, features, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    x = 2.5 * x  # some beyond the splines' bound
    c = torch.linspace(-1, 1, 14, dtype=torch.float64).view(7, 2) if context else None
    f = flow(c).transform
    u, ladj = f.call_and_ladj(x)
    assert torch.allclose(f.inv(u), x, atol=1e-8)
    for i in range(len(x)):
        row = flow(None if c is None else c[i]).transform
        J = torch.autograd.functional.jacobian(row, x[i])
        assert torch.allclose(torch.linalg.slogdet(J)[1], ladj[i], atol=1e-8)
        if context and features > 1:
            assert not torch.allclose(row(x[i]), flow(c[i] + 1).transform(x[i]))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_parameter(kind):
    import torch

    flow = torch_flow(kind, 3, 2)
    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    flow(torch.ones(64, 2, dtype=torch.float64)).log_prob(x).mean().backward()
    for name, p in flow.named_parameters():
        assert p.grad is not None, name
        assert p.grad.abs().sum() > 0, name


def test_autoregressive_layers_see_only_what_comes_before():
    import torch

    from ppgen.models.flow.transforms import Masked

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made_of = Architecture("nsf-ar", 3, hidden=(16, 16), bins=4, tail_bound=3.0)
        layer = Masked([2, 0, 1], made_of).double()
    x = torch.randn(3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    J = torch.autograd.functional.jacobian(layer(), x)
    by_order = J[[1, 2, 0]][:, [1, 2, 0]]
    assert torch.equal(by_order.triu(1), torch.zeros(3, 3, dtype=torch.float64))
    assert (by_order.tril(-1) != 0).sum() == 3


def test_lu_layer_is_its_matrix():
    import torch

    from ppgen.models.flow.transforms import LU

    layer = LU([2, 0, 3, 1]).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in layer.parameters():
            p.normal_(generator=generator)
    x = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    y, ladj = layer().call_and_ladj(x)
    W = torch.autograd.functional.jacobian(layer(), x[0])
    assert torch.allclose(torch.linalg.slogdet(W)[1], ladj[0])
    assert torch.allclose(layer().inv(y), x)


def test_spline_agrees_with_zukos_formula():
    import torch
    import zuko

    from ppgen.models.flow.spline import MIN, Spline

    K, bound = 6, 3.0
    generator = torch.Generator().manual_seed(0)
    phi = 2 * torch.randn(3 * K - 1, 200, 2, generator=generator, dtype=torch.float64)
    x = 2 * torch.randn(200, 2, generator=generator, dtype=torch.float64)
    theirs = zuko.transforms.MonotonicRQSTransform(*phi.movedim(0, -1).split((K, K, K - 1), -1))

    def knots(raw):
        share = MIN + (1 - K * MIN) * torch.softmax(raw, 0).movedim(0, -1)
        return bound * (2 * torch.nn.functional.pad(share.cumsum(-1), (1, 0)) - 1)

    theirs.horizontal, theirs.vertical = knots(phi[:K]), knots(phi[K : 2 * K])
    slopes = MIN + (1 - MIN) * torch.nn.functional.softplus(phi[2 * K :] + math.log(math.e - 1))
    theirs.derivatives = torch.nn.functional.pad(slopes.movedim(0, -1), (1, 1), value=1.0)
    ours = Spline(phi, K, bound)
    for a, b in zip(ours.call_and_ladj(x), theirs.call_and_ladj(x), strict=True):
        assert torch.allclose(a, b, atol=1e-10)
    assert torch.allclose(ours.inv(x), theirs.inv(x), atol=1e-10)


@pytest.mark.parametrize("K", [2, 5])
def test_spline_gradients(K):
    import torch

    from ppgen.models.flow.spline import Spline

    generator = torch.Generator().manual_seed(0)
    phi = torch.randn(3 * K - 1, 9, generator=generator, dtype=torch.float64, requires_grad=True)
    x = (2 * torch.randn(9, generator=generator, dtype=torch.float64)).requires_grad_()
    with torch.random.fork_rng(devices=[]):  # the check draws
        assert torch.autograd.gradcheck(lambda v, p: Spline(p, K, 3.0).call_and_ladj(v), (x, phi))
        assert torch.autograd.gradcheck(lambda v, p: Spline(p, K, 3.0).inv(v), (x, phi))


def test_near_zero_parameters_are_near_the_identity():
    import torch

    from ppgen.models.flow.spline import Spline

    x = torch.linspace(-5, 5, 41, dtype=torch.float64)
    y, ladj = Spline(torch.zeros(11, 41, dtype=torch.float64), 4, 3.0).call_and_ladj(x)
    assert torch.allclose(y, x)
    assert torch.allclose(ladj, torch.zeros(41, dtype=torch.float64))


def test_building_is_a_pure_function_of_the_seed():
    import torch

    from ppgen.models.flow.pyro import build

    before = torch.get_rng_state()
    a, b, other = (
        build(Architecture("nsf-ar", 3, n_transforms=2, hidden=(8,)), s).state_dict()
        for s in (4, 4, 5)
    )
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert any(not torch.equal(a[k], other[k]) for k in a)
    assert torch.equal(torch.get_rng_state(), before)


def test_importing_zuko_leaves_torchs_checks_on():
    import subprocess
    import sys

    code = (
        "import torch; before = torch.distributions.Distribution._validate_args;"
        "import ppgen.models.flow.pyro;"
        "assert torch.distributions.Distribution._validate_args == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("kind", "context"),
    [
        ("nsf-ar", 2),
        pytest.param("nsf", 0, marks=pytest.mark.slow),
        pytest.param("maf", 0, marks=pytest.mark.slow),
        pytest.param("realnvp", 2, marks=pytest.mark.slow),
    ],
)
def test_numpyro_flow_is_a_density(kind, context):
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    with jax.enable_x64(True):
        flow = jax_flow(kind, 2, context, wild=0.1)
        points, area = grid()
        c = jnp.array([0.5, -1.0]) if context else None
        log_prob = eqx.filter_jit(lambda x: flow.log_prob(x, c))
        assert float(jnp.exp(log_prob(points)).sum()) * area == pytest.approx(1, abs=1e-3)

        import paramax

        f = paramax.unwrap(flow.bijection)
        x = 2.5 * np.random.default_rng(0).normal(size=(6, 2))

        @eqx.filter_jit
        @jax.vmap
        def step(row):
            u, ladj = f.inverse_and_log_det(row, c)
            return ladj, jax.jacobian(lambda r: f.inverse(r, c))(row), f.transform(u, c)

        ladj, J, back = step(x)
        np.testing.assert_allclose(ladj, np.linalg.slogdet(J)[1], atol=1e-8)
        np.testing.assert_allclose(back, x, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("context", CONTEXTS)
def test_numpyro_flow_of_one_column(context):
    import jax
    import jax.numpy as jnp

    with jax.enable_x64(True):
        flow = jax_flow("nsf-ar", 1, context, wild=0.1)
        side = (np.arange(4000) + 0.5) * 20 / 4000 - 10
        c = jnp.ones(2) if context else None
        density = jnp.exp(flow.log_prob(side[:, None], c))
        assert float(density.sum()) * 20 / 4000 == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("backend", ["pyro", "numpyro"])
def test_the_pair_says_the_change_of_variables_with_scale_and_weights(backend):
    # The joint of a minibatch is N / n times the weighted sum of row log densities.
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(5, 2)), rng.uniform(0.5, 2, 5)
    if backend == "pyro":
        import torch
        from pyro import poutine

        from ppgen.models.flow.pyro import model

        flow = torch_flow("nsf-ar", 2)
        trace = poutine.trace(model).get_trace(
            flow, torch.tensor(x), None, torch.tensor(w), n_total=20
        )
        u, ladj = flow().transform.call_and_ladj(torch.tensor(x))
        found, u, ladj = trace.log_prob_sum().item(), u.detach().numpy(), ladj.detach().numpy()
    else:
        import jax
        import paramax
        from numpyro import handlers
        from numpyro.infer.util import log_density

        from ppgen.models.flow.numpyro import model

        with jax.enable_x64(True):
            flow = jax_flow("nsf-ar", 2)
            seeded = handlers.seed(model, 0)
            found = float(log_density(seeded, (flow, x, None, w), {"n_total": 20}, {})[0])
            f = paramax.unwrap(flow.bijection)
            u, ladj = jax.vmap(f.inverse_and_log_det)(x)
    rows = -0.5 * (np.asarray(u) ** 2).sum(1) - math.log(2 * math.pi) + np.asarray(ladj)
    assert found == pytest.approx(4 * (w * rows).sum(), rel=1e-9)


def test_splines_on_jax_are_those_of_flowjax():
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import paramax
    from flowjax.bijections import RationalQuadraticSpline

    from ppgen.models.flow.numpyro_layers import Spline

    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        raw = [jnp.asarray(rng.normal(size=n)) for n in (5, 5, 6)]

        def made(kind):
            spline = kind(knots=4, interval=3.0)
            return paramax.unwrap(
                eqx.tree_at(
                    lambda s: (s.x_pos.arr, s.y_pos.arr, s.derivatives.args[0]), spline, raw
                )
            )

        ours, theirs = made(Spline), made(RationalQuadraticSpline)
        # Beyond both ends, at each knot, and between.
        x = jnp.concatenate([jnp.linspace(-4, 4, 41), theirs.x_pos, theirs.y_pos])
        for way in ("transform_and_log_det", "inverse_and_log_det"):
            found, expected = (jax.vmap(getattr(s, way))(x) for s in (ours, theirs))
            within = np.abs(np.abs(x) - 3) > 1e-9  # at the ends slopes are of either side
            np.testing.assert_allclose(found[0], expected[0], atol=1e-12)
            np.testing.assert_allclose(found[1][within], expected[1][within], atol=1e-9)


def test_layers_on_jax_are_those_of_flowjax():
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    from flowjax.bijections import MaskedAutoregressive, Permute, TriangularAffine

    from ppgen.models.flow.numpyro_layers import Autoregressive, Orders, Sizes, Spline, Triangular

    with jax.enable_x64(True):
        spline = Spline(knots=3, interval=3.0)
        ours = Autoregressive(Sizes(spline, 3, 2, (8, 8), 1), np.random.default_rng(0))
        sizes = {"dim": 3, "cond_dim": 2, "nn_width": 8, "nn_depth": 2}
        theirs = MaskedAutoregressive(jax.random.key(0), transformer=spline, **sizes)
        leaves = [
            jax.tree_util.tree_leaves_with_path(eqx.filter(m, eqx.is_array)) for m in (ours, theirs)
        ]
        names = [[jax.tree_util.keystr(path) for path, _ in each] for each in leaves]
        assert names[0] == names[1]  # by which saved runs go
        for (_, a), (_, b) in zip(*leaves, strict=True):
            assert a.shape == (1, *b.shape)
            if a.dtype == bool:
                np.testing.assert_array_equal(a[0], b)
        order = np.array([[2, 0, 1]])
        for name in ("permutation", "inverse_permutation"):
            found, expected = getattr(Orders(order), name), getattr(Permute(order[0]), name)
            np.testing.assert_array_equal(found[0][0], expected[0])
        a = np.random.default_rng(1).normal(size=(3, 3))
        for lower in (True, False):
            one = TriangularAffine(jnp.zeros(3), jnp.eye(3), lower=lower)
            made = Triangular(3, 1, lower=lower)
            starts = [np.diag(np.squeeze(m.triangular.args[0])) for m in (made, one)]
            np.testing.assert_allclose(*starts)
            np.testing.assert_allclose(made.triangular.fn(a), one.triangular.fn(jnp.asarray(a)))
