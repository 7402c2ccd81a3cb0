"""Plotting takes what analysis returns, as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ppgen
from ppgen import plotting
from ppgen.analysis.audit.findings import Audit, Check
from ppgen.analysis.compare import compare
from ppgen.analysis.completeness import Completeness
from ppgen.analysis.continuity import Continuity
from ppgen.analysis.dci import Dci
from ppgen.analysis.decoded import Decoded
from ppgen.analysis.disentangle import Disentanglement
from ppgen.analysis.latent_map import map_of
from ppgen.analysis.latents import Traversal
from ppgen.analysis.modes import label_counts
from ppgen.analysis.outliers import Outliers
from ppgen.analysis.quality_ranking import Sampled, rank_samples
from ppgen.analysis.score import Score
from ppgen.data import as_dataset
from ppgen.density import LogDensity
from ppgen.errors import InputError
from ppgen.inference.calibration import Calibration
from ppgen.inference.leave_one_out import summed_up
from ppgen.inference.predictive_checks import check
from ppgen.models.bayesnet.structure.strengths import EdgeStrengths
from ppgen.models.vae.bounds import Bound
from ppgen.plotting.style import png

RNG = np.random.default_rng(0)
IMAGES = RNG.random((60, 1, 4, 4))
TABLE = {"mass": RNG.normal(size=60), "kind": np.where(RNG.random(60) < 0.5, "low", "high")}


def decoded(rows: Any, shape: tuple[int, ...], k: int = 3) -> Decoded:
    data = as_dataset(rows).take(slice(0, int(np.prod(shape))))
    made = data.images if data.images is not None else dict(data.columns)
    return Decoded(np.zeros((*shape, k)), made, data.schema)


def traversal(rows: Any, activity: float = 0.5) -> Traversal:
    made, v = decoded(rows, (3, 5)), np.tile(np.linspace(-3, 3, 5), (3, 1))
    spread = np.array([1.25, activity, 0.0]) if np.isfinite(activity) else np.full(3, np.nan)
    return Traversal(made.codes, made.rows, made.schema, (7, 0, 2), v, spread)


def comparison() -> Any:
    base = RNG.normal(size=50)
    return compare([(n, LogDensity(base - far, "exact", "t")) for n, far in (("a", 0), ("b", 2))])


def ranking() -> Any:
    values, rows = RNG.normal(size=40), np.arange(40)
    each = [Sampled(n, 0, "c2st_score", values - 3 * i, rows, 0.1, 1.0) for i, n in enumerate("ab")]
    return rank_samples(each)


def outliers() -> Outliers:
    score, names = RNG.gamma(1.0, size=30), np.array(["mass", "a very long name of a column"])
    parts = {"near": score}
    return Outliers(score, np.zeros(30), parts, names[np.arange(30) % 2].astype(object), score, "")


def disentangled() -> Disentanglement:
    gaps = RNG.random(4)
    found = Dci(0.5, 0.6, 0.7, RNG.random(6), RNG.random(4), RNG.random(4), RNG.random((6, 4)))
    return Disentanglement(
        ("shape", "size", "turn", "x"),
        0.4,
        0.1,
        gaps,
        0.3,
        0.1,
        gaps,
        found,
        None,
        99,
    )


def audited() -> Audit:
    far = Check("integral", "the density integrates to 1", 1.2, 1.0, 0.05, 0.1, 1e-6, "", "refuted")
    return Audit((far,), "gaussian")


SCORES = {
    "precision": Score(0.9, 0.95, "high", 0.88, 0.92),
    "kernel": Score(0.01, 0.0, "low"),
    "nothing": Score(float("nan"), 0.5, "low"),
}
LOO = summed_up(RNG.normal(size=9), RNG.random(9), np.zeros(9), np.ones(9), 100)
CHECK = check("posterior", {"y": RNG.normal(size=9)}, {"y": RNG.normal(size=(50, 9))})
UNIFORM = {"y": RNG.random((6, 5)), "z": RNG.random(40)}
UNIFORM["y"][0, 0] = np.nan
RANKS = Calibration({"mu": RNG.integers(0, 64, 100)}, 63, 100)
STRENGTHS = EdgeStrengths(("a", "b"), np.array([[0, 0.8], [0.1, 0]]), "bootstrap")
NETWORK = ppgen.BayesianNetwork.of(
    {
        "a": {"states": ["0", "1"], "parents": [], "table": [0.5, 0.5]},
        "b": {"states": ["0", "1"], "parents": ["a"], "table": [[0.5, 0.5], [0.1, 0.9]]},
    }
)

# What a function returns -> how it is drawn; "of a table" and the like behind its name.
RESULTS: dict[str, Callable[[], Any]] = {
    "audit": lambda: plotting.plot_audit(audited()),
    "codes_by": lambda: plotting.latent_map_plot({0: np.eye(3), 1: -np.eye(3)}),
    "completeness": lambda: plotting.plot_scores(
        Completeness(0.8, 0.02, 0.95, 0.01, 1.0, 0.05, 5, "prior", 9, 9)
    ),
    "continuity": lambda: plotting.plot_scores(
        Continuity(0.8, 0.02, 1.4, 0.1, 2.0, 9, 0.1, "prior", 9)
    ),
    "cross_validate": lambda: plotting.plot_ranking(comparison()),
    "rank_samples": lambda: plotting.plot_ranking(ranking()),
    "disentanglement": lambda: plotting.plot_disentanglement(disentangled()),
    "latent_map": lambda: plotting.latent_map_plot(map_of(IMAGES.reshape(60, -1)), np.arange(60)),
    "latent_map of two latents": lambda: plotting.latent_map_plot(map_of(RNG.random((9, 2)))),
    "manifold": lambda: plotting.latent_manifold(decoded(IMAGES, (4, 4))),
    "arithmetic": lambda: plotting.image_grid(decoded(IMAGES, (6,))),
    "interpolate": lambda: plotting.interpolation_strip(decoded(IMAGES, (6,))),
    "interpolate of a table": lambda: plotting.traversal_lines(decoded(TABLE, (6,))),
    "traverse": lambda: plotting.traversal_grid(traversal(IMAGES)),
    "traverse of a table": lambda: plotting.traversal_lines(traversal(TABLE)),
    "loo": lambda: plotting.plot_khat(LOO),
    "loo as densities": lambda: plotting.khat_histogram(LOO.density),
    "mode_counts": lambda: plotting.plot_modes(label_counts(np.array([0, 2, 2, 3]), 5)),
    "outliers": lambda: plotting.plot_outliers(outliers()),
    "sample_quality": lambda: plotting.plot_scores(SCORES),
    "reconstruction_error": lambda: plotting.plot_scores(SCORES["kernel"], title="error"),
    "bound": lambda: plotting.kl_bars(Bound(np.ones(3), np.ones(3), np.array([0.0, 2.0]))),
    "edge_strengths": lambda: plotting.plot_network(NETWORK, strengths=STRENGTHS),
    "calibrate": lambda: plotting.plot_calibration(RANKS),
    "check_predictive": lambda: plotting.plot_check(CHECK),
    "loo_pit": lambda: plotting.plot_loo_pit(UNIFORM),
}


def test_every_function_of_analysis_is_listed() -> None:
    functions = {
        name
        for name, home in ppgen._HOME.items()
        if home.startswith("analysis.") and name.islower()
    }
    assert functions <= set(RESULTS)


@pytest.mark.parametrize("name", RESULTS)
def test_what_analysis_returns_is_drawn_as_it_is(name: str) -> None:
    assert len(png(RESULTS[name]())) > 1000


def labels(figure: Any, axis: str = "y") -> list[str]:
    return [t.get_text() for t in getattr(figure.axes[0], f"get_{axis}ticklabels")()]


def test_latents_bear_their_numbers_and_their_activity() -> None:
    made = plotting.traversal_grid(traversal(IMAGES))
    assert labels(made) == ["latent 7 (1.2)", "latent 0 (0.5)", "latent 2 (0)"]
    assert "in brackets, its activity" in made.texts[0].get_text()
    made = plotting.traversal_grid(traversal(IMAGES, float("nan")))
    assert labels(made) == ["latent 7", "latent 0", "latent 2"]
    lines = plotting.traversal_lines(traversal(TABLE))
    assert lines.legends[0].get_texts()[0].get_text() == "latent 7 (1.2)"
    many = plotting.traversal_grid(RNG.random((20, 3, 1, 2, 2)))
    assert len(labels(many)) == 16
    assert many.texts[0].get_text() == "(16 of 20 latents)"


def test_axes_of_a_map_are_latents_or_components() -> None:
    exact = plotting.latent_map_plot(map_of(RNG.random((9, 2))))
    assert exact.axes[0].get_xlabel() == "latent 0"
    shown = plotting.latent_map_plot(map_of(RNG.random((9, 4)))).axes[0].get_xlabel()
    assert shown.startswith("component 1 (")
    groups = plotting.latent_map_plot({"thin": RNG.random((4, 2)), "thick": RNG.random((5, 2))})
    assert [t.get_text() for t in groups.legends[0].get_texts()] == ["thick", "thin"]


def test_the_most_unusual_rows_come_first() -> None:
    found = outliers()
    made = plotting.plot_outliers(found, most=4, names=[f"id{i}" for i in range(30)])
    top = np.argsort(-found.score)[:4]
    assert [label.split()[0] for label in labels(made)] == [f"id{i}" for i in top]
    widths = [bar.get_width() for bar in made.axes[0].patches]
    np.testing.assert_allclose(widths, found.score[top])


def test_scores_stand_beside_their_control() -> None:
    made = plotting.plot_scores(SCORES)
    assert [label for axes in made.axes for label in [axes.get_yticklabels()[0].get_text()]] == [
        "precision", "kernel", "nothing",
    ]  # fmt: skip
    first = made.axes[0]
    np.testing.assert_allclose(first.lines[0].get_xdata(), [0.95, 0.95])
    np.testing.assert_allclose(first.lines[1].get_xdata(), [0.88, 0.92])
    np.testing.assert_allclose(first.lines[2].get_xdata(), [0.9])


WRONG = {
    "a table as a grid": (
        lambda: plotting.traversal_grid(traversal(TABLE)),
        "are a table, not images; draw them by traversal_lines",
    ),
    "images as lines": (
        lambda: plotting.traversal_lines(traversal(IMAGES)),
        "are images; draw them by traversal_grid",
    ),
    "a path of images as lines": (
        lambda: plotting.traversal_lines(decoded(IMAGES, (4,))),
        "draw them by interpolation_strip",
    ),
    "a plane of a table": (
        lambda: plotting.traversal_lines(decoded(TABLE, (2, 2))),
        "over a plane",
    ),
    "densities without k-hat": (
        lambda: plotting.khat_histogram(LogDensity(np.zeros(3), "exact", "t")),
        "without k-hat",
    ),
    "k-hat without a limit": (lambda: plotting.khat_histogram([0.1]), "good is not given"),
    "no scores": (lambda: plotting.plot_scores({}), "no scores given"),
    "names of rows": (
        lambda: plotting.plot_outliers(outliers(), names=["a"]),
        "given for 30 rows",
    ),
    "neither a fit nor a tree": (
        lambda: plotting.plot_rank(3),
        "a fitted pair, .* got int",
    ),
    "a fit without draws": (
        lambda: plotting.plot_rank(ppgen.Gaussian().fit(TABLE["mass"][:, None])),
        "no draws",
    ),
}


@pytest.mark.parametrize(("call", "says"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_drawn_is_said(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        call()
