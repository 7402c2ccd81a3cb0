"""The audit: no false alarm on models whose claims are true, an alarm for each that is not, and
honest silence where nothing can be said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import ppgen
from ppgen import InputError
from ppgen.__main__ import main
from ppgen.analysis.audit.bounds import _ordered
from ppgen.analysis.audit.coordinates import Coordinates
from ppgen.analysis.audit.cover import Cover
from ppgen.analysis.audit.findings import (
    Audit,
    Check,
    decide_together,
    normal,
    one_sided,
    statistical,
    two_sided,
)
from ppgen.density import LogDensity
from ppgen.family_density import Density
from ppgen.plotting import plot_audit
from ppgen.rows import Rows
from ppgen.uniformity import pit_by_column

from .zoo import SLOW, ZOO, fitted, mixed, named, numbers

Floats = NDArray[np.float64]
# Audits of about a second; the rest integrate importance samples, or compile.
LONG = "10min"  # a slow machine is no fault
QUICK = ("gaussian", "independent", "kde", "gmm", "gmm-spherical", "flow-maf", "vae")


def told(found: ppgen.Audit) -> str:
    return "\n".join(f"{c.name}: {c.statistic} {c.why}" for c in found.of("refuted"))


# No false alarm -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n not in QUICK)) for n in named("density")],
)
def test_no_claim_of_a_model_of_the_zoo_is_refuted(name: str) -> None:
    found = ppgen.audit(fitted(name), numbers(200, seed=5), budget=LONG)
    assert found.ok, told(found)
    assert found["integral"].status == "holds"
    assert found["row alone"].status == "holds"
    assert found["saved"].statistic == 0
    assert all(c.why for c in found.of("not checked"))
    assert name in SLOW or name.startswith("vae") or not found.of("not checked")


def kinds(n: int = 300) -> dict[str, ppgen.Dataset]:
    """Tables of every kind of column."""
    rng = np.random.default_rng(3)
    share = np.where(rng.random(n) < 0.2, 0.0, rng.beta(0.5, 2.0, n))
    bounded: dict[str, Any] = {"p": {"kind": "interval", "lower": 0.0, "upper": 1.0}}
    turned: dict[str, Any] = {"dir": {"kind": "circular", "period": 360.0}}
    degrees = np.rad2deg(rng.vonmises(0, 2, n)) % 360
    return {
        "mixed": ppgen.read(
            pd.DataFrame(mixed(n)), schema={"length": "positive", "visits": "count"}
        ),
        "rounded": ppgen.as_dataset(
            {"a": np.round(rng.normal(3, 1, n), 1), "b": rng.normal(size=n)}
        ),
        "masses": ppgen.as_dataset({"p": share, "x": rng.normal(size=n) + share}).override(bounded),
        "circle": ppgen.as_dataset({"dir": degrees, "x": rng.normal(size=n)}).override(turned),
        "levels": ppgen.as_dataset({"a": rng.choice(["x", "y", "z"], n), "b": rng.random(n) < 0.4}),
    }


@pytest.mark.parametrize(
    "name", ["gaussian", *(pytest.param(n, marks=pytest.mark.slow) for n in ("kde", "flow-maf"))]
)
@pytest.mark.parametrize("kind", ["mixed", "rounded", "masses", "circle", "levels"])
def test_no_claim_about_a_kind_of_column_is_refuted(name: str, kind: str) -> None:
    model = ZOO[name]().fit(kinds()[kind])
    found = ppgen.audit(model, budget=LONG)
    assert found.ok, told(found)
    assert found["integral"].status == "holds"
    assert found["samples"].status == "holds"


# Alarms -------------------------------------------------------------------------------------------


class Shifted(ppgen.Gaussian):
    """A Gaussian some of whose claims are false."""

    fault = ""

    def _log_prob(self, rows: Rows, **how: Any) -> Density:
        found = super()._log_prob(rows).values
        if self.fault == "mass":
            found = found + 0.01
        if self.fault == "neighbours":
            found = found - found.mean() + np.float64(-3.0)
        return Density(found)

    def _sample(self, n: int, rng: Any, given: Any, context: Any) -> Any:
        if self.fault == "seed":
            rng = np.random.default_rng()
        found = super()._sample(n, rng, given, context)
        if self.fault == "wide":
            middle = self.means_[0]
            found = ppgen.data.Encoded(
                middle + 1.15 * (found.x - middle), found.codes, found.log_det
            )
        return found


@pytest.mark.parametrize(
    ("fault", "caught"),
    [("mass", "integral"), ("neighbours", "row alone"), ("seed", "seed"), ("wide", "shift")],
)
def test_a_claim_that_is_false_is_refuted(fault: str, caught: str) -> None:
    model = Shifted(random_state=0).fit(numbers())
    model.fault = fault
    found = ppgen.audit(model, budget=LONG)
    assert not found.ok
    assert found[caught].status == "refuted"
    assert caught in found.summary()


def test_a_density_that_is_never_finite_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ppgen.Gaussian(random_state=0).fit(numbers())

    def nothing(X: Any, y: Any = None) -> LogDensity:
        return LogDensity(np.full(len(ppgen.as_dataset(X)), np.nan), "exact", "broken")

    monkeypatch.setattr(model, "log_density", nothing)
    found = ppgen.audit(model, budget=LONG)
    assert found["support"].status == "refuted"


def test_rows_that_are_not_the_models_are_a_misfit_and_refute_nothing() -> None:
    model = fitted("gmm")
    found = ppgen.audit(model, numbers(200, seed=5) + 3.0)
    assert found.ok
    assert {c.name for c in found.of("misfit")} == {"calibration by column", "calibration, joint"}
    alike = ppgen.audit(model, numbers(200, seed=5))
    assert not alike.of("misfit")


# What it knows it cannot say ----------------------------------------------------------------------


def test_without_rows_calibration_is_not_checked() -> None:
    found = ppgen.audit(fitted("gaussian"))
    assert found["calibration by column"].status == "not checked"
    assert "no rows" in found["calibration by column"].why


def test_a_budget_that_is_too_short_is_said() -> None:
    found = ppgen.audit(fitted("gmm"), budget="10ms")
    assert found.ok
    assert any("too little time" in c.why for c in found.of("not checked"))


def test_many_columns_are_not_integrated_over_and_still_shifted() -> None:
    rows = np.random.default_rng(0).normal(size=(300, 25)) @ np.diag(np.geomspace(1e-3, 1e3, 25))
    found = ppgen.audit(ppgen.Gaussian(random_state=0).fit(rows), budget=LONG)
    assert found.ok, told(found)
    assert found["shift"].status == "holds"


def test_images_are_audited_by_bounds_and_rows() -> None:
    rng = np.random.default_rng(0)
    images = (rng.random((120, 6, 6)) < np.linspace(0.1, 0.9, 6)).astype(np.uint8)
    model = ppgen.VAE(2, hidden=(8,), net="mlp", max_epochs=4, random_state=0).fit(images)
    found = ppgen.audit(model, images[:40])
    assert found.ok, told(found)
    assert "images" in found["integral"].why
    assert found["IWAE-8 <= IWAE-64"].status == "holds"
    assert found["IWAE <= BDMC"].status == "holds"


def test_a_model_without_density_is_audited_by_its_codes() -> None:
    rows = np.random.default_rng(0).normal(size=(80, 4))
    model = ppgen.Autoencoder(2, max_epochs=3, random_state=0).fit(rows)
    found = ppgen.audit(model, rows)
    assert [c.name for c in found] == ["row alone", "saved"]
    assert found.ok
    with pytest.raises(InputError, match="give rows"):
        ppgen.audit(model)
    with pytest.raises(InputError, match="gan has neither a density nor codes"):
        ppgen.audit(ppgen.GAN(max_epochs=1, random_state=0).fit(rows), rows)


def test_a_conditional_fit_is_audited_given_y_or_summed_over_it() -> None:
    y = np.arange(200) % 2
    rows = numbers()
    flow = ppgen.NormalizingFlow(
        kind="maf", n_transforms=1, hidden=(8,), max_epochs=5, random_state=0
    ).fit(rows, y)
    for found in (ppgen.audit(flow, rows, budget=LONG), ppgen.audit(flow, rows, y, budget=LONG)):
        assert found.ok, told(found)
        assert found["integral"].status == "holds"
    assert found["calibration, joint"].status != "not checked"


# What it measures with ----------------------------------------------------------------------------


def test_a_cover_is_drawn_from_as_its_density_says() -> None:
    """q integrates to one by importance samples of another cover, and marginals are its own."""
    model = ppgen.IndependentColumns(random_state=0).fit(kinds()["mixed"])
    rng = np.random.default_rng(0)
    coordinates = Coordinates.of(model, ppgen.as_dataset(model.sample(1000), model.schema_))
    drawn = coordinates.places(coordinates.sampled, rng)
    narrow, wide = (Cover.fit(drawn, coordinates.n_levels, k, rng) for k in (0.1, 1.0))
    at = wide.draw(20_000, rng)
    ratio = np.exp(narrow.log_prob(at) - wide.log_prob(at))
    assert ratio.mean() == pytest.approx(1, abs=4 * ratio.std() / np.sqrt(len(ratio)))
    share = narrow.marginal(0, np.sort(narrow.draw(20_000, rng).lines[:, 0]))[0]
    np.testing.assert_allclose(share, (np.arange(20_000) + 0.5) / 20_000, atol=0.015)
    u = narrow.quantile(0, np.array([0.1, 0.5, 0.99]))
    np.testing.assert_allclose(narrow.marginal(0, u)[0], [0.1, 0.5, 0.99], atol=1e-9)
    step = 1e-5
    slope = (narrow.marginal(0, u + step)[0] - narrow.marginal(0, u - step)[0]) / (2 * step)
    np.testing.assert_allclose(slope, narrow.marginal(0, u)[1], rtol=1e-5)


def test_places_and_rows_are_inverse() -> None:
    for kind, data in kinds().items():
        model = ppgen.Gaussian(random_state=0).fit(data)
        rng = np.random.default_rng(0)
        coordinates = Coordinates.of(model, ppgen.as_dataset(model.sample(200), model.schema_))
        again, _, far = coordinates.rows(coordinates.places(data, rng))
        assert not far.any()
        for name in data.schema.names:
            if data.columns[name].dtype == object:
                assert again.columns[name].tolist() == data.columns[name].tolist(), kind
            else:
                np.testing.assert_allclose(again.columns[name], data.columns[name], atol=1e-7)


def test_tests_are_decided_together_at_the_level() -> None:
    """Of independent tests of true claims, one audit in a hundred refutes any."""
    rng = np.random.default_rng(0)

    def audit(u: Floats) -> list[Check]:
        return [
            statistical(Check(str(i), "", 0, 0, p_value=p), "", scale=1.0) for i, p in enumerate(u)
        ]

    alarms = 0
    for u in rng.random((2000, 8)):
        alarms += any(c.status == "refuted" for c in decide_together(audit(u)))
    assert 8 <= alarms <= 36  # 20 expected; outside in 1 of 1000 runs
    assert two_sided(3.0, 1.0) == pytest.approx(0.0027, abs=1e-4)
    assert one_sided(-1.0, 0.0) == 1.0
    assert two_sided(np.nan, 1.0) == 0.0


def test_a_y_that_would_be_ignored_and_a_path_are_refused() -> None:
    with pytest.raises(InputError, match="y was given"):
        ppgen.audit(fitted("gmm"), numbers(30, seed=5), np.ones(30))
    with pytest.raises(InputError, match=r"ppgen\.read\('rows\.csv'\)"):
        ppgen.audit(fitted("gmm"), "rows.csv")


def test_a_check_fails_beyond_its_limit_and_nowhere_else() -> None:
    """Of several tests in a check, of either side, and after others have failed."""
    rng = np.random.default_rng(1)

    def of(name: str, z: float, side: Any, tests: int) -> Check:
        p = one_sided({"above": z, "below": -z}[side], 1.0) if side != "both" else two_sided(z, 1.0)
        critical = lambda p: normal(p, side, tests)  # noqa: E731
        p = min(1.0, tests * p)
        return statistical(
            Check(name, "", z, 0, p_value=p, side=side), "off by {}", scale=1.0, critical=critical
        )

    kinds = [("both", 1), ("above", 1), ("below", 1), ("both", 58), ("above", 5)]
    failed = 0
    for z in rng.normal(0, 3, (300, len(kinds))):
        checks = [of(str(i), v, *kind) for i, (v, kind) in enumerate(zip(z, kinds, strict=True))]
        for check in decide_together(checks):
            off = {"both": abs(check.statistic), "above": check.statistic}
            beyond = off.get(check.side, -check.statistic) > check.limit
            assert (check.status == "refuted") == beyond
            assert f"{check.limit + 1.645:.2g}" in check.rules_out
            failed += beyond
    assert 100 < failed < 1400


@pytest.mark.parametrize("levels", [0, 4])
def test_a_distance_is_judged_by_its_critical_value(levels: int) -> None:
    rng = np.random.default_rng(2)
    for _ in range(40):
        a, b = rng.random((2, 80)) ** rng.uniform(0.5, 1.0, (2, 1))
        if levels:
            a, b = np.floor(a * levels), np.floor(b * levels)
        (found,) = pit_by_column(a, b, 0, levels=[bool(levels)])
        for level in (0.2, 0.01):
            assert (found.statistic > found.critical(level)) == (found.p_value < level)


def test_the_figure_has_plain_numbers_on_its_axis() -> None:
    audit = decide_together(
        [statistical(Check("integral", "", 1.5, 1, stderr=0.1, p_value=1e-9), "{}")]
    )
    (axes,) = Audit(audit, "gmm").plot().axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "0.5", "1", "2"]


# The command line ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audited")
    np.save(folder / "rows.npy", numbers(100, seed=5))
    np.save(folder / "far.npy", numbers(100, seed=5) + 5.0)
    np.save(folder / "other.npy", np.zeros((30, 3)))
    fitted("gmm").save(folder / "run")
    return folder


def test_the_command_prints_the_checks_and_draws_them(saved: Path, capsys: Any) -> None:
    words = ["audit", saved / "run", saved / "rows.npy", "--figure", saved / "audit.svg"]
    assert main([str(w) for w in words]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == (
        "check,status,statistic,expected,stderr,limit,p_value,rules_out,why"
    )
    assert "integral,holds,1.0" in out
    assert "none is refuted" in err
    assert (saved / "audit.svg").read_text().startswith("<svg")


def test_a_misfit_is_an_exit_status_only_where_asked(saved: Path) -> None:
    words = ["audit", str(saved / "run"), str(saved / "far.npy"), "--budget", "5s"]
    assert main(words) == 0
    assert main([*words, "--strict"]) == 1


def test_a_claim_refuted_is_an_exit_status(saved: Path, monkeypatch: Any) -> None:
    plain = ppgen.GaussianMixture._log_prob

    def louder(self: Any, rows: Rows) -> Density:
        return Density(plain(self, rows).values + 0.05)

    monkeypatch.setattr(ppgen.GaussianMixture, "_log_prob", louder)
    assert main(["audit", str(saved / "run"), "--budget", "10s"]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "no saved run"),
        (["run", "other.npy"], "3 features"),
        (["run", "absent.csv"], "absent"),
        (["run", "--budget", "soon"], "budget"),
        (["run", "--figure", "audit.pdf"], ".svg"),
    ],
)
def test_what_is_wrong_is_said(
    saved: Path, words: list[str], said: str, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.chdir(saved)
    assert main(["audit", *words]) == 2
    assert said in capsys.readouterr().err


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(InputError, match="fitted model"):
        ppgen.audit(numbers())
    with pytest.raises(InputError, match="3 features"):
        ppgen.audit(fitted("gaussian"), np.zeros((5, 3)))


def test_an_audit_is_drawn_with_what_it_found() -> None:
    found = ppgen.audit(fitted("gaussian"), numbers(200, seed=5))
    figure = plot_audit(found)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == [c.name for c in found]
    assert "no claim is refuted" in figure.get_suptitle()
    assert str(found).count("\n") == len(found) + 2


def test_a_bound_above_a_density_of_zero_is_refuted_and_rows_without_bounds_are_counted() -> None:
    low = np.random.default_rng(0).normal(-3.0, 1.0, 20)
    high = low + np.random.default_rng(1).uniform(0.0, 0.2, 20)
    low[0] = high[0] = -np.inf
    found = _ordered("ELBO <= IWAE-8", low, high, "20 rows")
    assert found.status == "holds"
    assert "1 of them without finite bounds" in found.why
    high[1] = -np.inf
    assert _ordered("ELBO <= IWAE-8", low, high, "20 rows").status == "refuted"
