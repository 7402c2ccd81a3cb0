"""Whatever is wrong is said in one line, with exit status 2, and nothing is written."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ppgen.__main__ import main

from .zoo import mixed, numbers

Files = dict[str, Path]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Files, good and bad, and a fit of the good one."""
    folder = tmp_path_factory.mktemp("files")
    good = pd.DataFrame(mixed(120)).drop(columns="ringed")
    x = numbers(60)
    content: dict[str, str] = {
        "good": good.to_csv(index=False),
        "empty": "",
        "header": "a,b\n",
        "ragged": "a,b\n1,2\n3,4,5\n6,7\n",
        "one_row": "a,b\n1.5,2.25\n",
        "five_rows": "a,b\n" + "".join(f"{a},{b}\n" for a, b in x[:5]),
        "infinite": "a,b\n" + "".join(f"{a},{b}\n" for a, b in x) + "1.5,inf\n",
        "another_column": good.assign(extra=1.0).to_csv(index=False),
        "column_missing": good.drop(columns="shift").to_csv(index=False),
        "new_level": good.assign(species="Emperor").to_csv(index=False),
        "words": good.assign(shift="far").to_csv(index=False),
    }
    found = {}
    for name, text in content.items():
        found[name] = folder / f"{name}.csv"
        found[name].write_text(text)
    found["run"] = folder / "run"
    words = ["fit", found["good"], "gmm", "--set", "n_components=2", "--out", found["run"]]
    assert main([str(w) for w in words]) == 0
    return found


@pytest.fixture
def wrong(files: Files, tmp_path: Path, monkeypatch: Any, capsys: Any) -> Any:
    """Run a command that must end with 2, one line and no file; return the line."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object, status: int = 2) -> str:
        before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
        capsys.readouterr()
        assert main([str(files.get(str(w), w)) for w in words]) == status
        out, err = capsys.readouterr()
        assert out == ""
        assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before
        # The columns that were read may be shown before.
        *shown, last = err.splitlines()
        assert last.startswith("ppgen: ")
        assert not any(line.startswith("ppgen: ") or "Traceback" in line for line in shown)
        return last

    return call


# Files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("empty", "empty"),
        ("header", "row"),
        ("ragged", "line 3"),
        ("one_row", "row"),
        ("infinite", "'b'"),
        ("nowhere.csv", "nowhere.csv"),
        ("win", "'wine'"),
        ("toy:8gausians", "'toy:8gaussians'"),
    ],
)
@pytest.mark.parametrize("model", ["gmm", "flow"])
def test_what_cannot_be_fitted(wrong: Any, data: str, said: str, model: str) -> None:
    assert said in wrong("fit", data, model)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("random_state=3", "--seed"),
        ("gmm.random_state=3", "--seed"),
        ("engine_settings.num_steps=3", """--set 'engine_settings={"num_steps": 3}'"""),
        ("gmm.engine_settings.chain_method=vectorized", """{"chain_method": "vectorized"}'"""),
    ],
)
def test_what_is_set_in_another_way_is_told_how(wrong: Any, word: str, said: str) -> None:
    assert said in wrong("fit", "wine", "gmm", "--set", word)


def test_one_row_is_refused_even_where_none_is_held_out(wrong: Any) -> None:
    assert "row" in wrong("fit", "one_row", "gmm", "--all-rows")


def test_more_components_than_rows(wrong: Any) -> None:
    line = wrong("fit", "five_rows", "gmm", "--all-rows", "--set", "n_components=6")
    assert "6" in line
    assert "5" in line


def test_an_array_file_that_claims_more_than_there_is(wrong: Any, tmp_path: Path) -> None:
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 8), }"
    text = header.ljust(118) + "\n"
    file = tmp_path / "huge.npy"
    file.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode())
    assert "huge.npy" in wrong("fit", file, "gmm")


def test_an_array_file_that_holds_objects(wrong: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "objects.npy" in wrong("fit", "objects.npy", "gmm")


def test_constant_columns_are_modelled_and_named(files: Files, tmp_path: Path, capsys: Any) -> None:
    frame = pd.read_csv(files["good"]).assign(same=3.0, none=np.nan)
    frame.to_csv(tmp_path / "odd.csv", index=False)
    words = ["fit", tmp_path / "odd.csv", "gaussian", "--out", tmp_path / "run"]
    assert main([str(w) for w in words]) == 0
    err = capsys.readouterr().err
    assert "'same' is constant" in err
    assert "'none' is empty" in err


# Rows that the fit does not know ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("column_missing", "'shift'"),
        ("words", "'shift'"),
        ("empty", "empty"),
        ("iris", "column"),
    ],
)
@pytest.mark.parametrize("command", ["score", "impute", "outliers"])
def test_rows_that_do_not_fit_the_fit(wrong: Any, command: str, data: str, said: str) -> None:
    assert said in wrong(command, "run", data)


def test_a_level_never_seen_is_named_and_has_no_probability(files: Files, capsys: Any) -> None:
    assert main(["score", str(files["run"]), str(files["new_level"])]) == 0
    out, err = capsys.readouterr()
    assert all(line.split(",")[1] == "-inf" for line in out.splitlines()[1:])
    assert "'Emperor'" in err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("speces=Adelie", "'species'"),
        ("species=Emperor", "Emperor"),
        ("shift=far", "'shift'"),
        ("shift", "NAME=VALUE"),
    ],
)
def test_values_that_cannot_be_given(wrong: Any, given: str, said: str) -> None:
    assert said in wrong("sample", "run", "--given", given)


# Words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fit", "good", "gnm"), "'gmm'"),
        (("fit", "good", "gmm", "--set", "n_component=3"), "'n_components'"),
        (("fit", "good", "gmm", "--set", "flow.bins=3"), "'flow'"),
        (("fit", "good", "gmm", "--set", "n_components"), "NAME=VALUE"),
        (("fit", "good", "gmm", "--set", "n_components=2", "--set", "n_components=3"), "twice"),
        (("fit", "good", "gmm", "--set", "n_components=0"), "n_components"),
        (("fit", "good", "gmm", "--set", "covariance_type=fll"), "full"),
        (("fit", "good", "flow", "--set", "kind=nfs"), "'nsf'"),
        (("fit", "no such file", "flow", "--set", "kind=maf", "--set", "bins=4"), "no splines"),
        (("models", "gnm"), "'gmm'"),
        (("fit", "good", "gmm", "--budget", "soon"), "soon"),
        (("fit", "good", "gmm", "--seed", "-1"), "--seed"),
        (("fit", "good", "gmm", "-o", "fit.xls"), ".xls"),
        (("fit", "good", "gmm", "-o", "no/such/fit.csv"), "no/such"),
        (("fit", "good"), "model"),
        (("fiit",), "fiit"),
        (("score", "run"), "data"),
        (("score", "nowhere", "good"), "nowhere"),
        (("sample", "run", "-n", "0"), "-n"),
        (("sample", "run", "--set", "refine=true"), "has no option 'refine'; it has none"),
        (("sample", "run", "--set", "refine"), "NAME=VALUE"),
        (("score", "run", "good", "--set", "n_samples=3"), "log_density of a fit of"),
        (("impute", "run", "good", "--set", "draw=true"), "has no option 'draw'"),
        (("sample", "run", "-n", "many"), "-n"),
        (("outliers", "run", "good", "--top", "0"), "--top"),
        (("study", "good", "--models", "gmm,flo"), "'flow'"),
        (("study", "good", "--models", ""), "model"),
        (("study", "good", "--set", "gmm.n_compnents=3"), "'n_components'"),
        (("study", "good", "--set", "gnm.n_components=3"), "'gmm'"),
        (("study", "good", "--models", "kde,flow", "--set", "binz=3"), "of kde or flow"),
        (("study", "no such file", "--set", "bins=1"), "an integer >= 2"),
        (("study", "good", "--budget", "-1s"), "budget"),
        (("study", "good", "good"), "same name"),
        (("study", "one_row"), "row"),
        (("report", "nowhere"), "nowhere"),
    ],
)
def test_words_that_are_wrong(wrong: Any, words: tuple[str, ...], said: str) -> None:
    assert said in wrong(*words)


# Folders ------------------------------------------------------------------------------------------


def test_an_output_folder_that_holds_something_else(wrong: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("Dear Aunt,")
    assert "mine" in wrong("fit", "good", "gmm", "--out", "mine")
    assert "mine" in wrong("study", "good", "--out", "mine")
    assert "mine" in wrong("report", "mine")
    assert "mine" in wrong("score", "mine", "good")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "Dear Aunt,"


@pytest.mark.parametrize(
    "damage", ["flipped", "cut", "gone", "foreign", "newer", "path", "renamed"]
)
def test_a_run_that_is_damaged_or_foreign(
    wrong: Any, files: Files, tmp_path: Path, damage: str
) -> None:
    run = tmp_path / "copy"
    run.mkdir()
    for file in files["run"].iterdir():
        (run / file.name).write_bytes(file.read_bytes())
    weights, manifest = run / "weights.safetensors", run / "ppgen.json"
    body = json.loads(manifest.read_text())
    if damage == "flipped":
        raw = bytearray(weights.read_bytes())
        raw[-3] ^= 1
        weights.write_bytes(bytes(raw))
    elif damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-8])
    elif damage == "gone":
        weights.unlink()
    elif damage == "foreign":
        manifest.write_text('{"name": "someone else\'s"}')
    elif damage == "newer":
        manifest.write_text(json.dumps({**body, "format": 99}))
    elif damage == "path":
        manifest.write_text(json.dumps({**body, "files": {"../../passwd": "0"}}))
    else:
        manifest.write_text(json.dumps({**body, "family": "os.system"}))
    assert "copy" in wrong("score", "copy", "good")


def test_a_fit_that_fails_ends_with_one(wrong: Any, monkeypatch: Any) -> None:
    from ppgen import FitError, GaussianMixture

    def fail(*_: object, **__: object) -> None:
        raise FitError("the loss was not finite. Lower learning_rate.")

    monkeypatch.setattr(GaussianMixture, "fit", fail)
    assert "finite" in wrong("fit", "good", "gmm", status=1)


def test_an_executor_that_is_none(wrong: Any) -> None:
    assert "'dask'" in wrong("study", "iris", "--executor", "nowhere", "--out", "new")
