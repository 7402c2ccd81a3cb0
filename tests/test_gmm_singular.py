"""Components that sit on few rows: they neither win, nor smear the others, nor go unsaid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp

from ppgen import GaussianMixture
from ppgen.models.gmm.em import Regularisation, maximise
from ppgen.models.gmm.kernel import Moments
from ppgen.models.gmm.leave_one_out import left_out
from ppgen.models.gmm.parameters import COVARIANCE_TYPES, Mixture
from ppgen.models.gmm.weighted_rows import WeightedRows, score

G = GaussianMixture


def tight_and_wide() -> np.ndarray:
    rng = np.random.default_rng(0)
    tight = rng.random(2000) < 0.5
    x = np.where(tight, rng.normal(0, 1e-3, 2000), rng.normal(100, 10, 2000))
    return np.asarray(x[:, None])


def one_far_out() -> np.ndarray:
    return np.append(np.random.default_rng(0).normal(size=2000), 1e6)[:, None]


@pytest.mark.parametrize("n_init", [1, 4])
def test_a_wide_component_does_not_smear_a_tight_one(n_init: int) -> None:
    x = tight_and_wide()
    fit = G(2, n_init=n_init, random_state=0).fit(x)
    assert fit.score(x) >= 0.10  # the truth's is 0.163
    assert np.sqrt(fit.covariances_.min()) == pytest.approx(1e-3, rel=0.1)
    assert fit.verdict_.ok


@pytest.mark.parametrize("k", [2, "bic"])
def test_one_value_far_out_does_not_smear_the_rest(k: Any) -> None:
    x = one_far_out()
    fit = G(k, random_state=0).fit(x)
    assert fit.score(x) == pytest.approx(-1.42, abs=0.03)
    assert fit.verdict_.status == "warn"
    assert "one row" in str(fit.verdict_)
    assert "1e+06 in row 2000" in str(fit.verdict_)


def test_constant_columns_have_probability_one_and_are_said() -> None:
    for k in ("bic", 1, 3):
        fit = G(k, random_state=0).fit(np.ones((10, 2)))  # type: ignore[arg-type]
        np.testing.assert_allclose(fit.score_samples(np.ones((4, 2))), 0, atol=1e-12)
        assert "all columns are constant" in str(fit.verdict_)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_the_floor_binds_only_where_a_covariance_is_singular(kind: Any) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(500, 2)) * [1e-4, 1e3]
    free = G(1, covariance_type=kind, reg_covar=0.0, random_state=0).fit(x)
    held = G(1, covariance_type=kind, random_state=0).fit(x)
    assert held.score(x) == pytest.approx(free.score(x), abs=1e-9)
    np.testing.assert_allclose(held.covariances_, free.covariances_, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("noise", [1e-3, 1e-4])
def test_columns_that_differ_by_little_are_not_singular(noise: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=1000)
    x = np.c_[x, x + noise * rng.normal(size=1000)]
    truth = -np.log(2 * np.pi) - np.log(noise) - 1  # what a normal of two columns has on average
    fit = G("bic", n_init=1, random_state=0).fit(x)
    assert fit.n_components_ == 1
    assert fit.score(x) == pytest.approx(truth, abs=0.1)
    assert "fewer dimensions" not in str(fit.verdict_)


def test_single_precision_is_left_where_it_tells_in_a_thin_direction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ppgen.models.gmm.kernel._JIT_FROM", 0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=3000)
    x = np.c_[x, x + 1e-4 * rng.normal(size=3000)].astype(np.float32)
    single, double = (G(1, random_state=0).fit(v) for v in (x, x.astype(np.float64)))
    assert single.score(x) == pytest.approx(double.score(x), abs=0.01)
    assert "fell" not in str(single.verdict_)


def rows_of(
    kind: Any, gaps: float, levels: int = 3, n: int = 25
) -> tuple[WeightedRows, Mixture, np.ndarray]:
    """Rows, a mixture that the M step has just given of responsibilities, and these."""
    rng = np.random.default_rng(2)
    d, k = 2, 2
    x = rng.normal(size=(n, d)) + np.where(np.arange(n) % 2, 1.5, -1.5)[:, None]
    codes = rng.integers(0, levels, (n, 1)).astype(np.int32)
    rows = WeightedRows(x, codes, (levels,), None)
    shape = {"full": np.tile(np.eye(d), (k, 1, 1)), "tied": np.eye(d), "diag": np.ones((k, d))}
    first = Mixture(
        np.full(k, 0.5), x[:k], shape.get(kind, np.ones(k)), kind, (np.full((k, levels), 1 / 3),)
    )
    r = rng.dirichlet([2.0, 2.0], n)
    return rows, again(rows, first, r), r


def again(rows: WeightedRows, old: Mixture, r: np.ndarray) -> Mixture:
    """The M step of given responsibilities."""
    x = rows.x - rows.centre
    full = np.einsum("nk,ni,nj->kij", r, x, x)
    tied = old.covariance_type == "tied"
    found = Moments(r.sum(0), r.T @ x, full, (r.T @ np.eye(5)[rows.columns[:, 0]],), 0.0)
    regularisation = Regularisation(0.0, np.zeros(x.shape[1]), 0.0)
    return maximise(found, rows.centre, old, regularisation, full.sum(0) if tied else None)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_leaving_a_row_out_is_the_m_step_without_it(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ppgen.models.gmm import leave_one_out as module

    rows, mixture, r = rows_of(kind, 0.0)
    n = len(rows)
    inside = rows.score(mixture)[1].sum()
    expected = 0.0
    for i in range(n):
        others = np.delete(np.arange(n), i)
        some = rows.take(others)
        some.centre = rows.centre
        without = again(some, mixture, r[others])
        expected += score(without, rows.x[i : i + 1], rows.codes[i : i + 1])[1][0]
    expected += n * np.log1p(-1 / n)  # the share of the background, which is set to nothing
    monkeypatch.setattr(module.kernel, "responsibilities", lambda xp, joint: (r, None))
    monkeypatch.setattr(module, "_background", lambda rows: np.full(n, -np.inf))
    assert inside > expected + 4
    # The formula of a shared covariance takes the row out of one component at a time.
    rel = 0.02 if kind == "tied" else 1e-9
    assert left_out(rows, mixture) == pytest.approx(expected, rel=rel)


def test_left_out_takes_as_many_nats_as_there_are_parameters() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4000, 3)) + np.where(rng.random(4000) < 0.5, 4, 0)[:, None]
    fit = G(2, random_state=0).fit(x)
    rows = WeightedRows(x, np.empty((4000, 0), np.int32), (), None)
    lost = fit.score_samples(x).sum() - left_out(rows, fit.mixture_)
    assert lost == pytest.approx(fit.mixture_.n_parameters(), rel=0.35)


@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
@pytest.mark.parametrize("gaps", [False, True])
def test_a_component_on_one_row_gains_nothing(kind: Any, gaps: bool) -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(300, 4))
    if gaps:
        x[rng.random(x.shape) < 0.1] = np.nan
        x[0] = rng.normal(size=4)
    rows = WeightedRows(x, np.empty((300, 0), np.int32), (), None)
    wide = G(1, covariance_type=kind, random_state=0).fit(x).mixture_
    tiny = {"full": np.eye(4)[None] * 1e-12, "diag": np.full((1, 4), 1e-12)}.get(
        kind, np.full(1, 1e-12)
    )
    both = Mixture(
        np.array([299 / 300, 1 / 300]),
        np.vstack([wide.means, x[:1]]),
        np.concatenate([wide.covariances, tiny]),
        kind,
    )
    gain = rows.score(both)[1].sum() - rows.score(wide)[1].sum()
    assert gain > 40  # what the likelihood says
    assert left_out(rows, both) < left_out(rows, wide) + 1


def test_starts_are_not_chosen_for_components_on_single_rows() -> None:
    """150 rows of 12 columns, 5 components where there are 3. Of four starts the likeliest has 9
    nats less on held-out rows than the first."""
    rng = np.random.default_rng(3)
    centres = rng.normal(0, 1.5, (3, 12))

    def draw(n: int) -> np.ndarray:
        return np.asarray(centres[rng.integers(0, 3, n)] + rng.normal(size=(n, 12)))

    train, test = draw(150), draw(1000)
    one = G(5, n_init=1, random_state=0).fit(train).score(test)
    four = G(5, n_init=4, random_state=0).fit(train).score(test)
    assert four > one - 1.0


def test_sizes_of_mixtures_on_single_rows_are_not_chosen() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=(120, 10))
    fit = G("bic", covariance_type="diag", random_state=0).fit(x)
    assert fit.n_components_ == 1
    held = {row["n_components"]: row["bic"] for row in fit.selection_}
    assert held[1] == pytest.approx(fit.bic(x))


def test_the_search_goes_on_while_it_gains_or_says_that_it_did_not() -> None:
    rng = np.random.default_rng(7)
    x = rng.uniform(-40, 40, (14, 2))[np.arange(1400) % 14] + rng.normal(size=(1400, 2))
    whole = G(n_init=1, random_state=0).fit(x)
    assert whole.n_components_ > 10
    assert "max_components" not in str(whole.verdict_)
    short = G(n_init=1, max_components=4, random_state=0).fit(x)
    assert short.n_components_ == 4
    assert "BIC still gained at max_components=4" in str(short.verdict_)
    assert short.score(x) < whole.score(x) - 0.5


def test_logsumexp_of_parts_is_the_whole() -> None:
    rows, mixture, _ = rows_of("full", 0.0)
    joint, distance, size = rows.joint(mixture)
    np.testing.assert_allclose(logsumexp(joint, axis=1), rows.score(mixture)[1])
    e = rows.x[:, None] - mixture.means
    exact = np.einsum("nki,kij,nkj->nk", e, np.linalg.inv(mixture.covariances), e)
    np.testing.assert_allclose(distance, exact, rtol=1e-9)
    assert (size == 2).all()
