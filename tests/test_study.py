"""Studies: what they find, what they refuse, and that what is done stays done."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

import ppgen.study.run_cell as work
import ppgen.study.runner as runner
from ppgen.data import as_dataset
from ppgen.data.units import unit_hashes
from ppgen.errors import InputError
from ppgen.models import registry
from ppgen.study import Event, StudyResult, report, run_study
from ppgen.study.cells import Cell, plan
from ppgen.study.store import Store
from ppgen.study.stored_rows import load_dataset, pack, save_dataset, unpack

from .study_toys import Inline, Toy, Wide, install, leave_out, logged, plain, rows, toys  # noqa: F401

MODELS = ("toy", "wide")
pytestmark = pytest.mark.usefixtures("toys")


def study(out, data=None, models=MODELS, **more):
    settings = {"seeds": 2, "executor": Inline(), "progress": False, **more}
    return run_study(rows() if data is None else data, models, out=out, **settings)


@pytest.fixture
def drawn():
    """Asks for the report, which other tests do without."""


@pytest.fixture(autouse=True)
def quick(request, monkeypatch):
    if not {"drawn", "finished"} & set(request.fixturenames):
        leave_out(monkeypatch)


def fits(out):
    return Counter(e["cell"] for e in logged(out) if e["event"] == "fit")


@contextmanager
def installed():
    """The toys stand in the registry for the time of a block, for fixtures of the module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "MODELS", dict(registry.MODELS))
        patch.setattr(registry, "get", registry.get)
        install()
        yield patch


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The table of a study that ran through."""
    with installed() as patch:
        leave_out(patch)
        return study(tmp_path_factory.mktemp("whole") / "out").table


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    with installed():
        out = tmp_path_factory.mktemp("study") / "out"
        everything = ("wide", "toy", "broken", "mute", "demanding")
        return study(out, models=everything, data=rows(600))


def test_a_toy_is_an_estimator(tmp_path):
    model = Toy(random_state=0).fit(rows())
    loaded = registry.load(model.save(tmp_path / "run"))
    assert np.array_equal(loaded.score_samples(rows()), model.score_samples(rows()))


def test_the_table(finished):
    table = {row["model"]: row for row in finished.table}
    assert [row["model"] for row in finished.table] == [
        "toy",
        "wide",
        "mute",
        "broken",
        "demanding",
    ]
    assert table["toy"]["rank"] == 1
    assert table["toy"]["log_density"] == pytest.approx(-np.log(2 * np.pi) - 1, abs=0.3)
    assert table["wide"]["decided"] == "behind"
    assert table["wide"]["difference"] < 0 < table["wide"]["difference_stderr"]
    assert table["wide"]["verdict"] == "warn"
    assert table["wide"]["c2st"] > 0.6 > table["wide"]["c2st_control"]
    assert table["toy"]["seconds"] > 0
    assert table["toy"]["memory"] >= 0
    assert table["mute"]["log_density"] is None
    assert table["mute"]["coverage"] > 0.5
    assert table["broken"]["verdict"] == "failed"
    assert table["broken"]["reason"] == "ArithmeticError: it cannot add"
    assert table["demanding"]["state"] == "not applicable"
    assert "1000000 rows" in table["demanding"]["reason"]
    text = str(finished)
    assert text.splitlines()[0].split()[:2] == ["model", "log"]
    assert "toy is best" in text
    assert finished.finding in text


def test_the_table_as_a_frame(finished):
    pytest.importorskip("pandas")
    frame = finished.table.to_native("pandas")
    assert frame.loc[0, "model"] == "toy"


def test_on_a_terminal_the_tables_and_words_are_no_wider(finished, monkeypatch):
    whole = str(finished)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown = str(finished)
    assert max(map(len, whole.split("\n"))) > max(map(len, shown.split("\n"))) <= 80
    assert set(whole.split()) == set(shown.split())
    assert whole.split("\n")[0] in finished._repr_html_()


def test_a_cell_of_the_result(finished):
    cell = finished.cell("toy", seed=1)
    again = finished.model(cell).score_samples(rows(600)[cell.rows])
    assert np.array_equal(again, cell.density.values)
    assert len(finished.samples("toy", 1)) == 500
    assert finished.figures["data-ranking"].exists()
    with pytest.raises(InputError, match="Did you mean 'toy'"):
        finished.cell("tory")
    with pytest.raises(InputError, match="has no fit: failed"):
        finished.model("broken")


def test_seeds_pair_rows_and_change_splits(finished):
    toy = [finished.cell("toy", seed) for seed in (0, 1)]
    wide = [finished.cell("wide", seed) for seed in (0, 1)]
    assert all(np.array_equal(a.rows, b.rows) for a, b in zip(toy, wide, strict=True))
    assert not np.array_equal(toy[0].rows, toy[1].rows)


def test_loading_gives_the_same(finished):
    assert plain(StudyResult.load(finished.folder).table) == plain(finished.table)
    assert report(finished.folder) == finished.report_path


def test_again_does_nothing_and_more_does_only_that(tmp_path):
    first = study(tmp_path / "s")
    assert plain(study(tmp_path / "s").table) == plain(first.table)
    assert set(fits(tmp_path / "s").values()) == {1}
    study(tmp_path / "s", seeds=3)
    assert sorted(fits(tmp_path / "s").values()) == [1] * 6
    study(tmp_path / "s", settings={"toy": {"width": 1.5}})
    assert sorted(fits(tmp_path / "s").values()) == [1] * 8


def test_a_failed_cell_is_tried_again(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Toy, "log_density", lambda *_: 1 / 0)
        result = study(tmp_path / "s", models=["toy"], seeds=1)
    assert result.table[0]["state"] == "failed"
    assert "ZeroDivisionError" in str(result)
    result = study(tmp_path / "s", models=["toy"], seeds=1)
    assert result.table[0]["state"] == "done"
    assert list(fits(tmp_path / "s").values()) == [1]  # the fit itself was kept


STAGES = ("_fitted", "scored", "_sampled", "judged_samples", "write_json")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_interrupted_at_any_stage(tmp_path, monkeypatch, uninterrupted, stage, before):
    real = getattr(work, stage)

    def stopped(*args):
        if not before:
            real(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(work, stage, stopped)
        with pytest.raises(KeyboardInterrupt):
            study(tmp_path / "s")
    resumed = study(tmp_path / "s")
    assert plain(resumed.table) == plain(uninterrupted)
    counted = fits(tmp_path / "s")
    repeated = (stage == "_fitted" and before) or stage == "write_json"
    assert max(counted.values()) <= 1 + repeated


def test_a_damaged_fit_is_done_again(tmp_path, monkeypatch):
    def stopped(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(work, "judged_samples", stopped)
        with pytest.raises(KeyboardInterrupt):
            study(tmp_path / "s", models=["toy"], seeds=1)
    (weights,) = (tmp_path / "s" / "cells").glob("*/run/weights.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    result = study(tmp_path / "s", models=["toy"], seeds=1)
    assert result.table[0]["state"] == "done"
    assert list(fits(tmp_path / "s").values()) == [2]


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not a ppgen study; nothing was written"):
        study(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        study(tmp_path / "file")


def test_a_study_of_other_data_is_left_alone(tmp_path):
    study(tmp_path / "s", seeds=1)
    before = sorted(p.name for p in (tmp_path / "s" / "cells").iterdir())
    with pytest.raises(InputError, match="study of other data"):
        study(tmp_path / "s", data=rows(seed=5), seeds=1)
    assert sorted(p.name for p in (tmp_path / "s" / "cells").iterdir()) == before


def test_two_at_once_are_refused(tmp_path):
    store = Store(tmp_path / "s")
    with store.locked(), pytest.raises(InputError, match="another process is running"):
        study(tmp_path / "s")
    study(tmp_path / "s", seeds=1)


WRONG = {
    "unknown model": ({"models": ["toi"]}, "no model 'toi'"),
    "no model": ({"models": []}, "no models"),
    "settings for an absent model": ({"settings": {"toi": {}}}, "Did you mean 'toy'"),
    "unknown setting": ({"settings": {"toy": {"widht": 2}}}, "Did you mean 'width'"),
    "a value that the setting does not take": ({"settings": {"toy": {"width": -1}}}, "width is -1"),
    "setting that JSON cannot say": ({"settings": {"toy": {"width": object()}}}, "toy.width"),
    "the seed as a setting": ({"settings": {"toy": {"random_state": 1}}}, "no setting"),
    "no seeds": ({"seeds": 0}, "seeds is 0"),
    "a seed twice": ({"seeds": [1, 1]}, "different numbers"),
    "a budget in words": ({"budget": "soon"}, "budget is 'soon'"),
    "an unknown executor": ({"executor": "cloud"}, "executor is 'cloud'"),
    "no data": ({"data": {}}, "no data"),
    "too few rows": ({"data": rows(2)}, "rows"),
    "estimators without names": ({"models": [Toy()]}, "models holds a Toy; expected names"),
    "one estimator without a name": ({"models": Toy()}, "models holds a Toy; expected names"),
    "not an estimator": ({"models": {"a": 3}}, "models\\['a'\\] is a int"),
}


@pytest.mark.parametrize(("asked", "told"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_before_anything_is_fitted(tmp_path, asked, told):
    with pytest.raises(InputError, match=told):
        study(tmp_path / "s", **asked)
    assert not fits(tmp_path / "s")


def test_estimators_and_several_data_sets(tmp_path):
    models = {"narrow": Toy(width=0.5), "right": Toy(), "wider": Wide()}
    data = {"small": rows(200), "large": rows(400, seed=1)}
    result = study(tmp_path / "s", data=data, models=models, seeds=1)
    assert [(r["data"], r["model"]) for r in result.table][::3] == [
        ("small", "right"),
        ("large", "right"),
    ]
    assert result.cell("narrow").cell.settings == {"width": 0.5}
    assert "small: " in result.finding
    assert str(result.table).count("model") == 2
    assert result.cell("narrow", data="large").body["n_rows"][0] == 320


def test_a_cell_is_named_by_what_defines_it():
    data = {"a": as_dataset(rows())}
    (one,) = plan(data, ["toy"], 1, "60s", None)
    assert plan({"b": data["a"]}, ["toy"], 1, 60, None)[0].key == one.key
    assert Cell.from_json(json.loads(json.dumps(one.to_json()))).key == one.key
    others = [
        *plan({"a": as_dataset(rows(seed=2))}, ["toy"], 1, "60s", None),
        *plan(data, ["wide"], 1, "60s", None),
        *plan(data, ["toy"], [1], "60s", None),
        *plan(data, ["toy"], 1, "61s", None),
        *plan(data, ["toy"], 1, None, None),
        *plan(data, ["toy"], 1, "60s", {"toy": {"width": 3.0}}),
    ]
    assert len({one.key, *(c.key for c in others)}) == 7


def test_a_tuple_and_a_list_are_one_setting():
    data = {"a": as_dataset(rows())}
    keys = {plan(data, ["flow"], 1, None, {"flow": {"hidden": h}})[0].key for h in ((1, 2), [1, 2])}
    assert len(keys) == 1


def test_images_and_gaps_are_not_applicable(tmp_path, drawn):
    images = np.random.default_rng(0).normal(size=(60, 1, 4, 4))
    result = study(tmp_path / "images", data=images, seeds=1)
    assert result.table[0]["reason"] == "it models tables, and these are images"
    assert result.report_path.exists()
    gaps = rows()
    gaps[0, 1] = np.nan
    result = study(tmp_path / "gaps", data=gaps, seeds=1)
    assert result.table[0]["reason"] == "it cannot model missing values (x1)"
    assert not fits(tmp_path / "gaps")


def test_progress_is_told(tmp_path):
    told: list[Event] = []
    study(tmp_path / "s", progress=told.append)
    assert [e.n_done for e in told] == [1, 2, 3, 4]
    assert {e.state for e in told} == {"done"}
    assert told[-1].n_cells == 4


@pytest.mark.threads
def test_threads_give_the_same_table(tmp_path):
    with ThreadPoolExecutor(2) as executor:
        threaded = study(tmp_path / "a", executor=executor)
    assert plain(threaded.table) == plain(study(tmp_path / "b").table)


class Fragile(Inline):
    """A pool whose worker dies of wide models, and takes what comes after with it."""

    broken = False

    def submit(self, fn, /, *args, **kwargs):
        if self.broken:
            raise BrokenProcessPool
        if args[1]["model"] == "wide":
            self.broken = True
            future: Future = Future()
            future.set_exception(BrokenProcessPool())
            return future
        return super().submit(fn, *args, **kwargs)


@pytest.mark.parametrize("dies_alone", [True, False])
def test_a_worker_that_dies_costs_its_own_cell_only(tmp_path, monkeypatch, dies_alone):
    @contextmanager
    def alone(n):
        yield Fragile() if dies_alone else Inline()

    monkeypatch.setattr(runner, "local", alone)
    told: list[Event] = []
    result = study(tmp_path / "s", executor=Fragile(), seeds=3, progress=told.append)
    states = {row["model"]: row["state"] for row in result.table}
    assert states == {"toy": "done", "wide": "failed" if dies_alone else "done"}
    assert [e.n_done for e in told] == [1, 2, 3, 4, 5, 6]
    if dies_alone:
        assert "worker process died" in result.table[-1]["reason"]


def test_mixed_rows_survive_the_disk(tmp_path):
    data = as_dataset(
        {
            "name/with:odd ☃": np.array([1.5, np.nan, 3.25, 1e300]),
            "text": np.array(["a", None, "<b>", "a"], object),
            "flag": np.array([True, False, None, True], object),
            "same": np.array(["x"] * 4, object),
            "nothing": np.array([None] * 4, object),
        }
    )
    save_dataset(tmp_path / "d", data)
    held = load_dataset(tmp_path / "d")
    assert held.fingerprint() == data.fingerprint()
    assert held.schema == data.schema
    assert unpack(data.schema, pack(data)).fingerprint() == data.fingerprint()


def test_keys_that_tell_equal_rows_apart_survive_the_disk(tmp_path):
    x = np.repeat(np.random.default_rng(0).normal(size=100), 4)
    data = as_dataset({"key": np.array([f"ä{i}" for i in range(400)], object), "x": x})
    data = replace(data, beside={"key": np.array([None, *data.beside["key"][1:]], object)})
    save_dataset(tmp_path / "d", data)
    held = load_dataset(tmp_path / "d")
    assert held.beside["key"].tolist() == data.beside["key"].tolist()
    np.testing.assert_array_equal(unit_hashes(held), unit_hashes(data))
    assert len(set(unit_hashes(held).tolist())) == 400
    assert held.fingerprint() == data.fingerprint()
    assert replace(data, beside={}).fingerprint() != data.fingerprint()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_array_survives_the_disk(tmp_path, dtype):
    data = as_dataset(rows().astype(dtype))
    save_dataset(tmp_path / "d", data)
    held = load_dataset(tmp_path / "d")
    assert held.fingerprint() == data.fingerprint()
    assert held.matrix().dtype == dtype
    assert held.like == data.like


def test_the_names_of_files_survive_the_disk(tmp_path):
    images = as_dataset(np.arange(48.0).reshape(3, 4, 4))
    data = replace(images, files=np.array(["cat/ä.png", "dog/b.png", "c.png"]))
    save_dataset(tmp_path / "d", data)
    assert load_dataset(tmp_path / "d").files.tolist() == data.files.tolist()


def test_lines_of_the_log_are_whole(tmp_path):
    store = Store(tmp_path)
    cell = Cell("d", "f" * 64, "toy", "toy", {}, 0, None)
    threads = [threading.Thread(target=store.log, args=("begin", cell)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with (tmp_path / "log.jsonl").open("a") as stream:
        stream.write('{"torn')
    assert len(logged(tmp_path)) == 20
