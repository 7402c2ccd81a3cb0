"""Arguments that nothing can be made of are refused by name, before anything is allocated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import ppgen
from ppgen.artifact import read_run
from ppgen.checkpoint import Checkpoints
from ppgen.data.standardisation import standard
from ppgen.errors import InputError
from ppgen.study.store import Store

X = np.random.default_rng(0).normal(size=(60, 2))
NO_PATHS: list[Any] = [None, 3, "", "a\0b", "x" * 5000, "/dev/null/under"]


@pytest.fixture(scope="module")
def fitted():
    return ppgen.Gaussian(random_state=0).fit(X)


@pytest.mark.parametrize("path", NO_PATHS)
def test_what_is_no_path_is_refused(fitted, path):
    for use in (fitted.save, ppgen.load, read_run, Store, lambda p: Checkpoints(p, "")):
        with pytest.raises(InputError, match=r"expected a path|give a path|cannot be one") as error:
            use(path)
        assert len(str(error.value)) < 250


def test_checkpoints_are_kept_in_no_file(tmp_path):
    file = tmp_path / "states"
    file.write_text("mine")
    with pytest.raises(InputError, match="a file; give a folder"):
        ppgen.Autoencoder(1, hidden=(2,), max_epochs=1).fit(X, checkpoint_dir=file)


@pytest.mark.parametrize("seed", [-1, "a", 1.5])
def test_what_is_no_seed_is_refused(fitted, seed):
    with pytest.raises(InputError, match="random_state is"):
        fitted.sample(2, random_state=seed)
    with pytest.raises(InputError, match="random_state"):
        ppgen.Gaussian(random_state=seed).fit(X)


@pytest.mark.parametrize("n", [10**12, 10**18])
def test_more_rows_than_fit_into_memory_are_not_begun(fitted, n):
    with pytest.raises(InputError, match=f"n={n:,} rows takes .* GB in memory"):
        fitted.sample(n)


def test_weights_of_text_are_refused():
    with pytest.raises(InputError, match="sample_weight is 'heavy'; expected numbers"):
        ppgen.Gaussian().fit(X, sample_weight="heavy")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (None, "None was given; expected rows: an array"),
        (object(), "a value of type object was given; expected rows"),
        ("rows.csv", r"read them first: ppgen\.read\('rows\.csv'\)"),
    ],
)
def test_what_is_no_rows_is_refused_with_what_is(fitted, rows, said):
    for use in (fitted.log_density, fitted.score, ppgen.Gaussian().fit, ppgen.as_dataset):
        with pytest.raises(InputError, match=said):
            use(rows)


def test_columns_of_one_name_are_refused():
    with pytest.raises(InputError, match="'a' 2 times"):
        ppgen.Gaussian().fit(pd.DataFrame(X, columns=["a", "a"]))


def test_rows_of_another_width_are_refused(fitted):
    with pytest.raises(InputError, match="X has 1 features"):
        fitted.score_samples(X[:, :1])


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e200, 1e300])
def test_a_scale_does_not_overflow(scale):
    y, share = X[:, 0], np.ones(len(X))
    centre, spread, alone = standard(y * scale, share, 0.0)
    np.testing.assert_allclose([centre / scale, spread / scale], [y.mean(), y.std()], rtol=1e-12)
    assert not alone


def test_a_column_of_lists_is_named_as_input_that_is_wrong():
    rows = {"x": [1.0, 2.0, 3.0], "tags": [["a"], ["b"], []]}
    with pytest.raises(InputError, match=r"column 'tags', row 0 .* not 'list'\. Leave the column"):
        ppgen.as_dataset(pd.DataFrame(rows))
    with pytest.raises(InputError, match="tags"):
        ppgen.as_dataset(rows)
