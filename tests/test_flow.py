"""`NormalizingFlow`, the class users meet."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_moons

from ppgen.data import as_dataset, row_hashes
from ppgen.errors import FitError, InputError
from ppgen.models.flow import NormalizingFlow
from ppgen.models.nets.held_out import held_out

from .interrupts import killed

AFFINE = {"n_transforms": 2, "hidden": (16,), "random_state": 0}
SMALL = {**AFFINE, "bins": 4}
BACKENDS = ("pyro", "numpyro")


@pytest.fixture(scope="module")
def moons():
    return make_moons(600, noise=0.1, random_state=0)


@pytest.fixture(scope="module", params=BACKENDS)
def fitted(request, moons):
    X, _ = moons
    return NormalizingFlow(backend=request.param, max_epochs=50, **SMALL).fit(X)


def test_import_is_light():
    import subprocess

    code = (
        "import sys, ppgen.models.flow as f; f.NormalizingFlow();"
        "assert not {'torch', 'jax', 'pyro', 'numpyro'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_beats_a_gaussian_and_samples_like_the_rows(fitted, moons):
    from sklearn.mixture import GaussianMixture

    X, _ = moons
    test = make_moons(2000, noise=0.1, random_state=1)[0]  # as many as are drawn: one program
    assert fitted.score(test) > GaussianMixture(1, random_state=0).fit(X).score(test) + 0.4
    drawn = fitted.sample(2000)
    assert drawn.shape == (2000, 2)
    # The density of its own draws has the same mean as its entropy estimated on others.
    a, b = fitted.score_samples(drawn), fitted.score_samples(fitted.sample(2000, random_state=7))
    assert abs(a.mean() - b.mean()) < 4 * np.sqrt(a.var() / 2000 + b.var() / 2000)
    np.testing.assert_allclose(drawn.mean(0), X.mean(0), atol=0.15)
    np.testing.assert_allclose(drawn.std(0), X.std(0), rtol=0.15)


def test_density_integrates_to_one_in_the_units_of_the_data(fitted):
    side = (np.arange(400) + 0.5) * 8 / 400
    points = np.stack(np.meshgrid(side - 3.5, side - 4), -1).reshape(-1, 2)
    assert np.exp(fitted.score_samples(points)).sum() * (8 / 400) ** 2 == pytest.approx(1, abs=0.01)


def test_density_is_exact_and_says_how(fitted, moons):
    density = fitted.log_density(moons[0])
    assert (density.kind, density.method, density.measure) == (
        "exact",
        "change of variables",
        "density",
    )


def test_saved_and_loaded_it_is_the_same(fitted, moons, tmp_path):
    import ppgen.models.registry as registry

    fitted.save(tmp_path / "run")
    back = registry.load(tmp_path / "run")
    np.testing.assert_array_equal(back.score_samples(moons[0]), fitted.score_samples(moons[0]))
    np.testing.assert_array_equal(back.sample(2000), fitted.sample(2000))
    assert str(back.verdict_) == str(fitted.verdict_)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_seed_gives_the_same_fit_and_another_another(backend, moons):
    X = moons[0]  # rows of the fit that is shared, whose programs are compiled
    flow = NormalizingFlow(backend=backend, max_epochs=2, **SMALL)
    a, b = (clone(flow).fit(X).score_samples(X) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    if backend == "pyro":
        other = clone(flow).set_params(random_state=1).fit(X).score_samples(X)
        assert not np.array_equal(a, other)


@pytest.mark.parametrize("backend", ["pyro", pytest.param("numpyro", marks=pytest.mark.slow)])
def test_conditional_on_labels(backend, moons):
    X, y = moons
    flow = NormalizingFlow(backend=backend, max_epochs=40, **SMALL).fit(X, y.astype(str))
    upper, lower = flow.sample(400, y="0"), flow.sample(400, y="1")
    assert upper[:, 1].mean() > 0.3 > 0.1 > lower[:, 1].mean() - 0.2
    right = flow.score_samples(X, y.astype(str)).mean()
    assert right > flow.score_samples(X, (1 - y).astype(str)).mean() + 1
    # Without y: the mixture over the labels, at least half of the right one.
    assert flow.score_samples(X).mean() > right - np.log(2) - 1e-6


def test_weights_move_the_density(moons):
    X, y = moons
    settings = {**SMALL, "max_epochs": 40}
    tilted = NormalizingFlow(**settings).fit(X, sample_weight=np.where(y == 1, 3.0, 0.0))
    plain = NormalizingFlow(**settings).fit(X)
    assert tilted.score(X[y == 1]) > plain.score(X[y == 1]) + 0.3
    assert tilted.sample(500)[:, 1].mean() < plain.sample(500)[:, 1].mean() - 0.1


def test_resumed_from_a_checkpoint_it_is_the_same(moons, tmp_path):
    X, _ = moons
    settings = {**SMALL, "max_epochs": 24}
    whole = NormalizingFlow(**settings).fit(X)
    with killed(3):
        NormalizingFlow(**settings).fit(X, checkpoint_dir=tmp_path)
    assert list(tmp_path.glob("step-*"))
    resumed = NormalizingFlow(**settings).fit(X, checkpoint_dir=tmp_path)
    assert len(resumed.trace_) < len(whole.trace_)
    np.testing.assert_array_equal(resumed.score_samples(X), whole.score_samples(X))


def test_a_budget_is_kept(moons):
    flow = NormalizingFlow(**SMALL).fit(moons[0], budget="2s")
    assert flow.fit_seconds_ < 2.6
    assert flow.n_steps_ > 10


def test_validation_rows_are_used_and_none_held_out(moons):
    X, _ = moons
    flow = NormalizingFlow(max_epochs=5, **SMALL).fit(X[:400], validation=X[400:])
    assert flow.trace_[-1]["validation"] is not None
    assert flow.n_steps_ == 5 * (400 // 32)


def test_too_few_rows_warn():
    X = np.random.default_rng(0).normal(size=(12, 2))
    flow = NormalizingFlow(max_epochs=3, **SMALL).fit(X)
    assert flow.verdict_.status == "warn"
    assert "too few" in str(flow.verdict_)


def test_a_cut_short_fit_says_so(moons):
    flow = NormalizingFlow(max_epochs=2, learning_rate=1e-3, whiten=False, **SMALL).fit(moons[0])
    assert "still improving" in str(flow.verdict_)
    assert "max_epochs" in str(flow.verdict_)


def test_overfitting_is_said():
    X = np.random.default_rng(0).normal(size=(60, 4))
    flow = NormalizingFlow(
        n_transforms=3, hidden=(64, 64), learning_rate=1e-2, max_epochs=200, random_state=0
    )
    flow.fit(X, validation=X[:1] + np.random.default_rng(1).normal(size=(400, 4)) * 1.3)
    assert "likelier" in str(flow.verdict_)


def test_divergence_fails_with_advice(moons):
    with pytest.raises(FitError, match="learning_rate"):
        NormalizingFlow(kind="maf", learning_rate=1e30, max_epochs=3, **AFFINE).fit(moons[0])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "nfs"}, "nsf"),
        ({"backend": "jax"}, "numpyro"),
        ({"n_transforms": 0}, "n_transforms"),
        ({"bins": 1}, "bins"),
        ({"hidden": ()}, "hidden"),
        ({"tail_bound": -1.0}, "tail_bound"),
        ({"learning_rate": 0.0}, "learning_rate"),
    ],
)
def test_wrong_settings_say_what_is_expected(settings, said, moons):
    with pytest.raises(InputError, match=said):
        NormalizingFlow(**settings).fit(moons[0])


@pytest.mark.parametrize("kind", ["nsf", "maf", "realnvp"])
def test_every_kind_fits(kind, moons):
    X, _ = moons
    sizes = SMALL if kind == "nsf" else AFFINE
    flow = NormalizingFlow(kind=kind, max_epochs=20, **sizes).fit(X)
    assert flow.score(X) > -2.2
    assert np.isfinite(flow.sample(10)).all()


def test_one_column_and_constant_columns():
    rng = np.random.default_rng(0)
    flow = NormalizingFlow(max_epochs=5, **SMALL).fit(rng.normal(size=(100, 1)))
    assert flow.sample(3).shape == (3, 1)
    flow = NormalizingFlow(max_epochs=5, **SMALL)
    flow.fit(np.column_stack([rng.normal(size=100), np.ones(100)]))
    assert np.isfinite(flow.score_samples(flow.sample(3))).all()
    flow.fit(np.ones((30, 2)))
    np.testing.assert_array_equal(flow.score_samples(np.ones((2, 2))), 0.0)
    np.testing.assert_array_equal(flow.sample(2), 1.0)


def test_rounded_columns_are_filled_in_anew_each_epoch():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=200).round(1), "n": rng.poisson(4, 200)})
    flow = NormalizingFlow(max_epochs=5, **SMALL).fit(frame)
    assert flow.log_density(frame).kind == "lower_bound"
    assert flow.sample(4)["n"].dtype.kind in "iu"


def test_a_fit_leaves_the_process_as_found(moons):
    import pyro
    import torch

    pyro.clear_param_store()
    for validated in (True, False):
        with pyro.validation_enabled(validated):
            before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
            flow = NormalizingFlow(max_epochs=2, **SMALL).fit(moons[0])
            flow.sample(3)
            flow.score(moons[0])
            assert torch.equal(torch.get_rng_state(), before)
            np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)
            assert not list(pyro.get_param_store())
            assert torch.distributions.Distribution._validate_args is validated
            assert torch.get_default_dtype() == torch.float32
            assert torch.is_grad_enabled()


def test_held_out_rows_are_a_tenth_and_equal_rows_go_together():
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(1000, 3)), 3, axis=0)[rng.permutation(3000)]
    hashes = row_hashes(as_dataset(x))
    held = held_out(hashes, np.random.default_rng(1))
    assert 0.08 < held.mean() < 0.12
    kept = {tuple(row) for row in x[~held]}
    assert not any(tuple(row) in kept for row in x[held])
    assert not held_out(hashes[:19], rng).any()


@pytest.mark.slow
def test_the_two_backends_reach_the_same_likelihood():
    X = make_moons(3000, noise=0.1, random_state=0)[0]
    test = make_moons(5000, noise=0.1, random_state=1)[0]
    sizes = {"n_transforms": 4, "hidden": (32, 32), "batch_size": 128, "max_epochs": 60}
    scores = [
        NormalizingFlow(backend=b, random_state=0, **sizes).fit(X).score(test) for b in BACKENDS
    ]
    assert abs(scores[0] - scores[1]) < 0.05


def test_a_flow_that_learnt_nothing_warns():
    rows = np.random.default_rng(0).normal(size=(200, 2))
    flow = NormalizingFlow(
        kind="maf", n_transforms=1, hidden=(8,), learning_rate=10.0, max_epochs=2, random_state=0
    )
    verdict = flow.fit(rows).verdict_
    assert verdict.status == "warn"
    assert "nothing was learnt" in str(verdict)
