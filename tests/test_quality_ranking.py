"""Models ranked by their samples: in pairs, at one level, whether or not they have a density."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ppgen.analysis.quality import judge
from ppgen.analysis.quality_ranking import Sampled, rank_samples
from ppgen.analysis.quality_scores import classifier_scores
from ppgen.analysis.score import Score
from ppgen.data import as_dataset
from ppgen.study import StudyResult, run_study
from ppgen.study.store import Store, write_json
from ppgen.two_sample import TwoSample, two_sample

from .study_toys import Inline, Mute, Toy, leave_out, rows, toys  # noqa: F401


def sampled(name, values, seed=0, noise=0.0, lead="c2st_score"):
    values = np.asarray(values, float)
    return Sampled(name, seed, lead, values, np.arange(len(values)), noise, 1.0)


def test_differences_are_paired():
    # Rows differ by far more than models do; a constant difference is decided all the same.
    common = np.random.default_rng(0).normal(size=50)
    found = rank_samples([sampled("low", common - 0.1), sampled("high", common)])
    assert [m.name for m in found.models] == ["high", "low"]
    assert found.models[1].difference.mean == pytest.approx(-0.1)
    assert [m.verdict for m in found.models] == ["best", "behind"]
    assert found.headline == "the samples of high are best"
    assert "By samples high is best" in found.finding


def test_the_noise_of_the_samples_counts():
    common = np.random.default_rng(0).normal(size=50)
    found = rank_samples([sampled("low", common - 0.1, noise=0.06), sampled("high", common)])
    d = found.models[1].difference
    assert d.stderr == pytest.approx(0.06, rel=1e-6)
    assert found.models[1].verdict == "too close to call"
    assert "too close to call" in found.finding
    assert found.headline == "the samples of high and low tie"


def test_a_score_above_1_is_shown_as_it_is_so_that_differences_are_those_of_scores():
    rng = np.random.default_rng(0)
    found = rank_samples(
        [sampled("a", 1.06 + rng.normal(size=50) / 9), sampled("b", 0.9 + rng.normal(size=50) / 9)]
    )
    best, other = found.models
    assert best.mean > 1
    assert other.difference.mean == pytest.approx(other.mean - best.mean)
    assert classifier_scores(_apart(0.47), _apart(0.52))["c2st_score"].value == pytest.approx(1.06)
    assert "above 1 by chance" in found.title


def _apart(auc):
    return TwoSample(auc, 0.5, 0.02, 0.5, 0.6, 0.05)


def test_a_kernel_distance_is_shown_as_it_is_and_less_is_better():
    near = [sampled(n, np.full(20, v), lead="kernel") for n, v in (("far", -3.0), ("near", -1.0))]
    found = rank_samples(near)
    assert [(m.name, m.mean) for m in found.models] == [("near", 1.0), ("far", 3.0)]
    assert found.title.startswith("kernel distance (0:")


def test_seeds_of_both_models_are_compared_and_nothing_judged_is_no_ranking():
    two = [sampled("a", np.zeros(20), seed=s) for s in (0, 1)]
    found = rank_samples([*two, sampled("b", np.ones(20), seed=1)])
    assert [m.name for m in found.models] == ["b", "a"]
    assert [m.n_seeds for m in found.models] == [1, 2]
    assert rank_samples([]) is None
    alone = rank_samples([sampled("a", np.full(20, 0.25))])
    said = "a have a C2ST of 0.250 ± 0.000, where real rows reach 1.000."
    assert alone.finding == f"The samples of {said}"
    assert alone.scope == ""


def test_other_rows_are_not_paired():
    a, b = sampled("a", np.ones(20)), sampled("b", np.zeros(20))
    other = Sampled("b", 0, b.lead, b.values, b.rows + 1, 0.0, 1.0)
    assert rank_samples([a, other]).models[1].verdict.startswith("undecided: no held-out rows")


def test_values_of_rows_average_to_the_score():
    rng = np.random.default_rng(0)
    train, held_out, drawn = (rng.normal(size=(n, 2)) for n in (200, 120, 150))
    train = as_dataset(train)
    found = judge(train, *(as_dataset(x * 1.5, train.schema) for x in (held_out, drawn)))
    assert found.lead == "c2st_score"
    assert found.rows.tolist() == list(range(120))
    apart = found.scores["c2st"].value
    assert found.values.mean() == pytest.approx(2 * (1 - apart))
    assert found.scores["c2st_score"].value == pytest.approx(2 * (1 - apart))


def test_places_are_those_of_the_rows_given():
    # Every second real row lies where the drawn ones are.
    real = np.arange(100) % 2 * 10.0
    found = two_sample(real, np.full(100, 10.0), 0)
    order = np.argsort(found.rows)
    assert found.rows[order].tolist() == list(range(100))
    place = found.places[order]
    assert place[::2].min() > place[1::2].max()
    assert place.mean() == pytest.approx(found.auc)


@pytest.mark.usefixtures("toys")
def test_a_model_without_density_is_ranked_by_samples_alone(tmp_path, monkeypatch):
    leave_out(monkeypatch)
    models = {"toy": Toy(), "mute": Mute(), "wide mute": Mute(width=9.0)}
    result = run_study(
        rows(), models, seeds=2, out=tmp_path / "s", executor=Inline(), progress=False
    )
    assert [m.name for m in result.comparisons["data"]] == ["toy"]
    assert {m.name for m in result.rankings["data"].models} == {"toy", "mute", "wide mute"}
    ranks = {row["model"]: row["rank"] for row in result.table}
    assert ranks == {"toy": 1, "mute": None, "wide mute": None}
    standings = {m.name: m for m in result.rankings["data"].models}
    for row in result.table:
        m = standings[row["model"]]
        assert (row["samples_rank"], row["samples_score"]) == (m.rank, m.mean)
        assert (row["samples_by"], row["samples_decided"]) == ("c2st_score", m.verdict)
        behind = None if m.difference is None else m.difference.mean
        assert row["samples_difference"] == behind
    assert "By samples: C2ST (1: samples cannot be told" in str(result)
    assert "toy reaches" in result.finding


@pytest.mark.usefixtures("toys")
def test_a_study_of_an_earlier_version_loads_without_its_ranking(tmp_path, monkeypatch):
    leave_out(monkeypatch)
    result = run_study(
        rows(), {"mute": Mute()}, seeds=1, out=tmp_path / "s", executor=Inline(), progress=False
    )
    place = Store(tmp_path / "s").cell(result.cells[0].cell)
    body = json.loads((place / "result.json").read_bytes())
    body["quality"] = {"c2st": {"value": 0.6, "control": 0.5, "better": "low"}}
    del body["files"]["quality.npz"]
    write_json(place / "result.json", body)
    (place / "quality.npz").unlink()
    again = StudyResult.load(tmp_path / "s")
    assert again.cells[0].quality == {"c2st": Score(0.6, 0.5, "low")}
    assert again.rankings == {}
    assert {row["samples_rank"] for row in again.table} == {None}
    assert "By samples" not in str(again)


@pytest.mark.usefixtures("toys")
def test_where_no_model_has_a_density_the_report_speaks_of_samples(tmp_path):
    result = run_study(
        rows(200),
        {"mute": Mute(), "wide mute": Mute(width=9.0)},
        seeds=1,
        out=tmp_path / "s",
        executor=Inline(),
        progress=False,
    )
    assert result.finding.startswith("No model here has a density. By samples mute is best: C2ST")
    text = result.report_path.read_text()
    assert "Study of samples" in text
    assert "Density study" not in text
    assert "<h2>Ranking by samples</h2>" in text
    assert "<h2>Ranking</h2>" not in text
    assert "log density" not in str(result)
    for title in (
        "C2ST, 2 (1 − AUC)",
        "C2ST, AUC",
        "recall",
        "Fréchet distance",
        "kernel distance",
    ):
        assert title in text
    assert result.cells[0].quality["frechet"].low < result.cells[0].quality["frechet"].high
