"""How `VAE` is trained: gone on with after a kill, weighted, stopped, and what the verdict says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from ppgen import VAE
from ppgen.errors import FitError
from ppgen.fitting import Fit
from ppgen.inference import gradient
from ppgen.inference.jax_learner import JaxLearner
from ppgen.inference.torch_learner import TorchLearner
from ppgen.models.vae import fitting
from ppgen.models.vae.pyro import Nets

from .interrupts import Killed
from .vae_linear import K, closed_form, largest_likelihood, low_rank

SMALL = {"hidden": (8,), "max_epochs": 6, "batch_size": 25, "random_state": 3}


def rounded(n=150):
    """A count, which is filled in anew each epoch, a level, and a number that has gaps."""
    rng = np.random.default_rng(0)
    t = rng.normal(size=n)
    table = pd.DataFrame(
        {"real": t, "count": rng.poisson(np.exp(1 + t)), "level": np.where(t > 0, "high", "low")}
    )
    table.loc[::7, "real"] = np.nan
    return table


def pictures(n=120):
    rng = np.random.default_rng(0)
    return np.clip(rng.normal(100, 60, (n, 8, 8)), 0, 255).astype(np.uint8)


# Whatever a step can draw: latents, cells filled in, dropout, changes of the pictures.
KILLED = {
    "table": (rounded, {"latent_dim": 2, "dropout": 0.2, "warm_up": 3, "prior": "vamp"}),
    "two layers, dreg": (rounded, {"latent_dim": (2, 1), "objective": "dreg", "n_samples": 3}),
    "flows": (rounded, {"latent_dim": 2, "prior": "flow", "posterior": "flow", "flow_layers": 1}),
    "images": (
        pictures,
        {
            "latent_dim": 2,
            "net": "conv",
            "channels": (4,),
            "likelihood": "gaussian",
            "augment": {"shift": 1},
        },
    ),
    "numpyro": (rounded, {"latent_dim": 2, "dropout": 0.2, "warm_up": 3, "backend": "numpyro"}),
}


@pytest.fixture
def often(monkeypatch):
    """Evaluate each epoch, and write the state at every evaluation."""
    made, save = fitting.sizes_for, gradient._Loop.save

    def sizes(*args, **settings):
        found = made(*args, **settings)
        return replace(found, training=replace(found.training, evaluate_every=1, chunk=2))

    def always(self):
        self.saved = -np.inf
        save(self)

    monkeypatch.setattr(fitting, "sizes_for", sizes)
    monkeypatch.setattr(gradient._Loop, "save", always)


def same(a, b):
    arrays, expected = a.net_.arrays(), b.net_.arrays()
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n == "numpyro")) for n in KILLED]
)
def test_a_fit_killed_at_any_moment_goes_on_bit_for_bit(name, often, tmp_path, monkeypatch):
    rows, settings = KILLED[name]
    x, weights = rows(), np.random.default_rng(1).uniform(0.5, 2, len(rows()))
    model = VAE(**{**SMALL, **settings})
    whole = clone(model).fit(x, sample_weight=weights)
    learner = JaxLearner if name == "numpyro" else TorchLearner
    run, report, calls = learner.run, Fit.report, []

    def call():
        calls.append(None)
        if len(calls) == last:
            raise Killed

    def counted(self, *args):
        call()
        return run(self, *args)

    def told(self, progress):
        report(self, progress)
        call()

    # In the middle of an epoch; then what goes on from there, right after an evaluation.
    moments = (7,) if name == "numpyro" else (7, 5)
    for last in moments:  # noqa: B007 (`call` looks at it)
        calls.clear()
        with monkeypatch.context() as inner:
            inner.setattr(learner, "run", counted)
            inner.setattr(Fit, "report", told)
            with pytest.raises(Killed):
                clone(model).fit(x, sample_weight=weights, checkpoint_dir=tmp_path)
        assert list(tmp_path.glob("step-*"))
    resumed = clone(model).fit(x, sample_weight=weights, checkpoint_dir=tmp_path)
    assert 0 < len(resumed.trace_) < len(whole.trace_)
    same(resumed, whole)
    np.testing.assert_array_equal(resumed.encode(x), whole.encode(x))
    assert resumed.n_steps_ == whole.n_steps_
    assert resumed.verdict_.status == whole.verdict_.status


def test_the_same_seed_gives_the_same_fit_and_another_another():
    model = VAE(2, **SMALL)
    x = low_rank(100)
    a, b = clone(model).fit(x), clone(model).fit(x)
    same(a, b)
    np.testing.assert_array_equal(a.sample(5, random_state=1), b.sample(5, random_state=1))
    other = clone(model).set_params(random_state=4).fit(x)
    assert not np.array_equal(a.encode(x), other.encode(x))


# Weights


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["elbo", "dreg"])
def test_a_row_that_counts_twice_is_two_rows(objective):
    """The optimum of a linear fit is that of probabilistic PCA of the rows repeated."""
    x = low_rank(600, d=5)
    counts = np.where(x[:, 0] + x[:, 1] > 0, 3, 1)
    repeated = np.repeat(x, counts, axis=0)
    centre, scale = repeated.mean(0), repeated.std(0)
    x = (x - centre) / scale
    vae = VAE(
        K,
        hidden=(),
        noise="shared",
        objective=objective,
        batch_size=50,
        learning_rate=3e-2,
        max_epochs=120,
        random_state=0,
    )
    vae.fit(x, sample_weight=counts, validation=(repeated - centre) / scale)
    best = largest_likelihood((repeated - centre) / scale, K)
    found = np.average(closed_form(vae, x), weights=counts)
    assert best - 0.01 < found < best + 1e-4
    plain = np.average(closed_form(vae.set_params(random_state=1).fit(x), x), weights=counts)
    assert plain < best - 0.02


def test_weights_have_no_scale_and_rows_of_weight_zero_are_not_seen():
    x = low_rank(120)
    one = VAE(1, **SMALL).fit(x, validation=x[:20])
    same(VAE(1, **SMALL).fit(x, sample_weight=np.full(120, 7.0), validation=x[:20]), one)
    weights = np.ones(120)
    weights[100:] = 0
    first = VAE(1, **SMALL).fit(x, sample_weight=weights, validation=x[:20])
    assert first.n_steps_ == 6 * (100 // 25)
    assert not np.array_equal(first.encode(x), one.encode(x))
    x[100:] = x[:20]  # the columns' scales may change a little
    other = VAE(1, **SMALL).fit(x, sample_weight=weights, validation=x[:20])
    z, again = first.encode(x[:100])[:, 0], other.encode(x[:100])[:, 0]
    assert np.corrcoef(z, again)[0, 1] > 0.99


# Verdicts


def test_a_batch_that_does_not_fit_is_halved_and_said(monkeypatch):
    encode = Nets.encode

    def greedy(self, x, context=None):
        if self.training and len(x) > 12:
            raise error
        return encode(self, x, context)

    monkeypatch.setattr(Nets, "encode", greedy)
    for error in (  # noqa: B007 (`greedy` raises it)
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
    ):
        fit = VAE(1, **{**SMALL, "batch_size": 40}).fit(low_rank(100))
        assert "a batch of 40 rows does not fit in memory; 10 do" in str(fit.verdict_)
        assert "batch_size=10" in str(fit.verdict_)
        assert fit.verdict_.status == "warn"
        assert fit.n_steps_ == 6 * (80 // 10)  # 20 rows are held out
    asked = VAE(1, **{**SMALL, "batch_size": 10}).fit(low_rank(100))
    same(fit, asked)  # trying leaves no trace in what is drawn


def test_out_of_memory_on_jax_the_batch_that_fits_is_taken(monkeypatch):
    import jax

    from ppgen.inference.jax_learner import JaxLearner

    run = JaxLearner.probe

    def greedy(self, rows):
        if len(rows) > 10:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes")
        run(self, rows)

    monkeypatch.setattr("ppgen.models.nets.trainer._LARGE", 0)
    monkeypatch.setattr(JaxLearner, "probe", greedy)
    settings = {**SMALL, "backend": "numpyro", "max_epochs": 2}
    fit = VAE(1, **{**settings, "batch_size": 40}).fit(low_rank(100))
    assert "a batch of 40 rows does not fit in memory; 10 do" in str(fit.verdict_)
    asked = VAE(1, **{**settings, "batch_size": 10}).fit(low_rank(100))
    same(fit, asked)


def test_not_even_one_row_fits(monkeypatch):
    def greedy(self, x, context=None):
        raise MemoryError

    monkeypatch.setattr(Nets, "encode", greedy)
    with pytest.raises(FitError, match="hidden"):
        VAE(1, **SMALL).fit(low_rank(60))


def test_another_error_is_not_taken_for_memory(monkeypatch):
    def wrong(self, x, context=None):
        raise RuntimeError("shapes")

    monkeypatch.setattr(Nets, "encode", wrong)
    with pytest.raises(RuntimeError, match="shapes"):
        VAE(1, **SMALL).fit(low_rank(60))


def test_divergence_fails_with_advice():
    with pytest.raises(FitError, match="learning_rate"):
        VAE(2, **{**SMALL, "learning_rate": 1e30}).fit(low_rank(100))


def test_a_budget_is_kept():
    fit = VAE(1, hidden=(8,), random_state=0)
    clone(fit).set_params(max_epochs=1).fit(low_rank(200))  # the first step of a process loads code
    fit.fit(low_rank(200), budget="1.5s")
    assert fit.n_steps_ > 5
    assert fit.fit_seconds_ < 6


def test_warm_up_is_in_epochs(monkeypatch):
    seen = {}
    made = fitting.Objective

    def objective(*settings):
        found = made(*settings)
        seen.update(vars(found))
        return found

    monkeypatch.setattr(fitting, "Objective", objective)
    VAE(1, beta=2.0, warm_up=2.5, free_bits=0.1, **SMALL).fit(low_rank(100))
    assert seen["warm_up"] == round(2.5 * (80 // 25))
    assert (seen["beta"], seen["free_bits"], seen["samples"]) == (2.0, 0.1, 1)
    VAE(1, objective="dreg", **SMALL).fit(low_rank(100))
    assert (seen["name"], seen["samples"]) == ("dreg", 8)


@pytest.mark.parametrize("backend", ["pyro", pytest.param("numpyro", marks=pytest.mark.slow)])
def test_collapse_is_in_the_verdict_and_its_absence_too(backend):
    settings = {**SMALL, "learning_rate": 2e-2, "backend": backend, "hidden": ()}
    x = low_rank(150)
    gone = VAE(2, beta=500.0, **{**settings, "max_epochs": 40}).fit(x)
    assert gone.verdict_.status == "warn"
    assert "posterior collapse: none of the 2 latents" in str(gone.verdict_)
    assert (gone.kl_per_latent_ < 0.01).all()
    there = VAE(2, **{**settings, "max_epochs": 40}).fit(x)
    assert "collapse" not in str(there.verdict_)
    assert there.kl_per_latent_.max() > 0.5


@pytest.mark.parametrize("net", ["mlp", "conv"])
def test_samples_keep_the_label_they_are_asked_for(net):
    """Ten patterns of which each pixel is another one with probability 0.08, few steps.

    With the label in the first layers only, the latents say it: a seventh of it was kept.
    """
    patterns = np.random.default_rng(9).random((10, 36)) > 0.5
    rng = np.random.default_rng(0)
    y = rng.integers(10, size=1500)
    x = (patterns[y] ^ (rng.random((1500, 36)) < 0.08)).astype(np.uint8).reshape(-1, 6, 6)
    small = {"hidden": (32,), "max_epochs": 10, "random_state": 0, "learning_rate": 3e-3}
    vae = VAE(8, conditional=True, net=net, **small).fit(x, y)
    drawn = np.asarray(vae.sample(500, y=y[:500], random_state=1)).reshape(500, 1, 36)
    kept = (drawn == patterns).sum(2).argmax(1) == y[:500]
    assert kept.mean() > 0.9
