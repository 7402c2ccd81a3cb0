"""What every family inherits: units, noise, containers, gaps, weights, seeds, progress."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ppgen.artifact import digest
from ppgen.conditioning import Context
from ppgen.data import as_dataset
from ppgen.errors import InputError
from ppgen.models.baseline import Gaussian, IndependentColumns, KernelDensity
from ppgen.models.gmm import GaussianMixture
from ppgen.models.registry import expand, get, load, names
from ppgen.progress import Clock, Progress, progress_bar
from ppgen.rows import Rows


@pytest.fixture
def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(200, 2)) * [1.0, 20.0] + [5.0, 100.0]


def test_density_is_in_the_units_of_the_data(rows: np.ndarray) -> None:
    small = KernelDensity(random_state=0).fit(rows)
    large = KernelDensity(random_state=0).fit(rows * 1000)
    np.testing.assert_allclose(
        small.score_samples(rows), large.score_samples(rows * 1000) + 2 * np.log(1000)
    )


def test_a_positive_column_has_the_jacobian_of_the_logarithm() -> None:
    y = np.random.default_rng(1).normal(size=500)
    data = as_dataset({"mass": np.exp(y)}).override({"mass": "positive"})
    model = Gaussian(reg_covar=0.0).fit(data)
    expected = stats.lognorm(s=y.std(), scale=np.exp(y.mean())).logpdf(np.exp(y))
    np.testing.assert_allclose(model.score_samples(data), expected, rtol=1e-8)


def test_rounded_columns_are_bounded_from_below() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4000, 1))
    rounded = np.round(x, 0)
    model = Gaussian(reg_covar=0.0).fit(rounded)
    density = model.log_density(rounded)
    assert density.kind == "lower_bound"
    assert density.dequantised == ("x0",)
    assert density.gap == ("dequantisation",)
    assert density.stderr is not None
    # The truth under the fitted Gaussian: the density averaged over the cell of width 1.
    mu, sd = model.means_[0, 0], np.sqrt(model.covariances_[0, 0, 0])
    truth = np.log(
        np.diff(stats.norm(mu, sd).cdf(np.stack([rounded - 0.5, rounded + 0.5])[..., 0].T))
    )[:, 0]
    slack = truth - density.values
    assert slack.mean() > -3 * density.stderr.mean() / np.sqrt(50)
    assert 0 <= slack.mean() < 0.02
    # Dropping the average over draws would cost more: E log p is below log E p.
    assert abs(slack.mean()) < 0.5 * abs((truth - _one_draw(model, rounded)).mean())


def _one_draw(model: Gaussian, rounded: np.ndarray) -> np.ndarray:
    encoded = model._encode(as_dataset(rounded, model.schema_), draw=0)
    return model._log_prob(Rows(encoded)).values + encoded.log_det


def test_a_score_does_not_depend_on_the_neighbours() -> None:
    rounded = np.round(np.random.default_rng(3).normal(size=(300, 2)), 1)
    model = Gaussian(random_state=0).fit(rounded)
    whole = model.score_samples(rounded)
    np.testing.assert_array_equal(whole[40:60], model.score_samples(rounded[40:60]))
    order = np.random.default_rng(4).permutation(300)
    np.testing.assert_array_equal(whole[order], model.score_samples(rounded[order]))


def test_constant_and_empty_columns_are_named_and_not_modelled(rows: np.ndarray) -> None:
    frame = pd.DataFrame({"a": rows[:, 0], "same": 7.0, "none": np.nan})
    model = Gaussian().fit(frame)
    plain = Gaussian().fit(frame[["a"]])
    np.testing.assert_allclose(model.score_samples(frame), plain.score_samples(frame[["a"]]))
    told = " ".join(reason.what for reason in model.verdict_.reasons)
    assert "'same'" in told
    assert "'none'" in told
    other = frame.head(1).assign(same=8.0)
    with pytest.warns(UserWarning, match="same"):
        assert np.isneginf(model.score_samples(other)[0])
    sample = model.sample(5)
    assert set(sample["same"]) == {7}
    assert sample["none"].isna().all()


def test_gaps_are_refused_where_they_are_not_modelled(rows: np.ndarray) -> None:
    rows[3, 1] = np.nan
    with pytest.raises(InputError, match=r"KernelDensity models no gaps.*NaN.*1 of 'x1'"):
        KernelDensity().fit(rows)


def test_seeds(rows: np.ndarray) -> None:
    model = KernelDensity(random_state=0, max_rows=50).fit(rows)
    again = KernelDensity(random_state=0, max_rows=50).fit(rows)
    other = KernelDensity(random_state=1, max_rows=50).fit(rows)
    np.testing.assert_array_equal(model.score_samples(rows), again.score_samples(rows))
    assert not np.array_equal(model.score_samples(rows), other.score_samples(rows))
    np.testing.assert_array_equal(model.sample(3), model.sample(3))
    assert not np.array_equal(model.sample(3), model.sample(3, random_state=5))


@pytest.mark.parametrize("family", [Gaussian, IndependentColumns, KernelDensity])
def test_a_saved_run_scores_and_samples_alike(
    family: type, rows: np.ndarray, tmp_path: Path
) -> None:
    model = family(random_state=0).fit(rows)
    found = load(model.save(tmp_path / "run"))
    assert type(found) is family
    np.testing.assert_array_equal(found.score_samples(rows), model.score_samples(rows))
    np.testing.assert_array_equal(found.sample(4), model.sample(4))
    assert found.get_params() == model.get_params()
    assert found.verdict_ == model.verdict_


@pytest.mark.parametrize(
    "weights",
    [np.ones(3), -np.ones(200), np.zeros(200), np.full(200, np.inf), np.full((200, 1), 1.0)],
)
def test_bad_weights(rows: np.ndarray, weights: np.ndarray) -> None:
    with pytest.raises(InputError, match="sample_weight"):
        Gaussian().fit(rows, sample_weight=weights)


@pytest.mark.parametrize("n", [0, -1, 2.5, "3"])
def test_bad_sample_sizes(rows: np.ndarray, n: object) -> None:
    with pytest.raises(InputError, match="n is"):
        Gaussian().fit(rows).sample(n)  # type: ignore[arg-type]


def test_one_row_is_too_few(rows: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"1 sample .*at least 2"):
        Gaussian().fit(rows[:1])


def test_the_registry_is_closed() -> None:
    assert set(expand("baseline")) == {"gaussian", "independent", "kde"}
    assert expand("gmm") == ("gmm",)
    for name in names():
        assert get(name).name == name
    with pytest.raises(InputError, match="Did you mean 'gmm'"):
        expand("gm")
    with pytest.raises(InputError, match="there is no model"):
        get("os.system")


@pytest.mark.parametrize("family", [Gaussian, IndependentColumns, KernelDensity, GaussianMixture])
def test_equal_rows_are_not_a_spike(family: type) -> None:
    # Poisson counts: the truth is known, and copies of one place in a cell would be fitted instead.
    x, y = (np.random.default_rng(s).poisson(3, (2000, 1)).astype(float) for s in (0, 1))
    truth = stats.poisson(3).logpmf(y).mean()
    score = family(random_state=1).fit(x).score(y)
    assert score <= truth + 0.02
    assert score > truth - 0.1


def test_masses_of_two_binary_columns_sum_to_one() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.integers(0, 2, 1000), "b": rng.integers(0, 2, 1000)})
    model = KernelDensity(random_state=0).fit(frame)
    cells = pd.DataFrame({"a": [0, 0, 1, 1], "b": [0, 1, 0, 1]})
    assert np.exp(model.score_samples(cells)).sum() == pytest.approx(1, abs=0.05)


def test_tables_without_numbers() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"c": rng.choice(list("abc"), 600), "b": rng.integers(0, 2, 600)})
    for family in (Gaussian, GaussianMixture, IndependentColumns):
        model = family(random_state=0).fit(frame)
        cells = pd.DataFrame({"c": list("aabbcc"), "b": [0, 1] * 3})
        density = model.log_density(cells)
        assert np.exp(density.values).sum() == pytest.approx(1)
        assert (density.measure, density.kind) == ("mass", "exact")
        assert len(model.sample(10)) == 10


def test_a_checkpoint_belongs_to_weights_and_validation(rows: np.ndarray) -> None:
    model = Gaussian(random_state=0).fit(rows)
    same = model._fingerprint(0, None, digest(np.ones(3)))
    assert same == model._fingerprint(0, None, digest(np.ones(3)))
    assert same != model._fingerprint(0, None, digest(None))
    assert same != model._fingerprint(0, None, digest(np.array([1.0, 1.0, 2.0])))


def test_shares_of_y_are_weighted() -> None:
    y = np.repeat(["a", "b"], 100)
    weights = np.where(y == "a", 9.0, 1.0)
    context = Context.fit(y, 200, weights)
    np.testing.assert_allclose(context.shares, [0.1, 0.9])
    np.testing.assert_allclose(context.shares @ context.values, [0.9, 0.1])


def test_an_unseen_level_leaves_the_gaps_to_the_other_columns() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(100, 1, 300), "c": rng.choice(["a", "b"], 300)})
    model = GaussianMixture(2, n_init=1, random_state=0).fit(frame)
    gaps = pd.DataFrame({"x": [np.nan, np.nan], "c": ["a", "new"]})
    filled = model.impute(gaps)
    np.testing.assert_allclose(filled["x"], 100, atol=1)
    assert list(filled["c"]) == ["a", "new"]


def test_names_are_kept_of_a_dataset_too() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 2)), columns=["a", "b"])
    model = Gaussian().fit(as_dataset(frame))
    assert list(model.feature_names_in_) == ["a", "b"]
    model.score_samples(frame)
    model.fit(as_dataset(frame.to_numpy()))
    assert not hasattr(model, "feature_names_in_")
    model.score_samples(frame.to_numpy())


def test_a_budget_may_have_begun_before(rows: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    left = []
    monkeypatch.setattr(
        Gaussian, "_goodness", lambda self, rows, fit, reasons: left.append(fit.deadline()) or []
    )
    clock = Clock(600.0)
    clock._began -= 500.0
    late = Gaussian().fit(rows, budget=clock)
    whole = Gaussian().fit(rows, budget=600.0)
    assert left[0] <= 100.0 < 500.0 < left[1]
    assert late.fit_seconds_ < 500.0
    assert late.means_ == pytest.approx(whole.means_)


def test_without_a_terminal_a_fit_tells_how_it_goes_in_lines(capsys: Any) -> None:
    clock = Clock(600.0)
    now = [0.0]
    clock.seconds = lambda: now[0]  # type: ignore[method-assign]
    with progress_bar("vae", clock, show=True) as show:
        assert show is not None
        for step, seconds in enumerate((0.0, 4.9, 5.0, 9.9, 10.0, 100.0, 124.0, 125.0, 126.0)):
            now[0] = seconds
            show(Progress(step, math.nan if step == 0 else 1.5, validation=-2.0))
    lines = capsys.readouterr().err.splitlines()
    # Seldom and ever more so, but for the last.
    assert [line.split(",")[0] for line in lines] == [f"vae: step {i}" for i in (0, 2, 4, 5, 7, 8)]
    assert lines[0] == "vae: step 0, 0 s, validation -2.000, 600 s left"
    assert lines[1] == "vae: step 2, 5 s, loss 1.500, validation -2.000, 595 s left"
    with progress_bar("gmm", clock, show=True) as show:
        assert show is not None
        for step in (1, 1):  # the last of one start, and of another
            show(Progress(step, 1.5))
    assert capsys.readouterr().err.count("gmm: step 1,") == 1
    with progress_bar("vae", clock, show=False) as show:
        assert show is None
