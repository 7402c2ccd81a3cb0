"""Values held fixed that a column cannot have are refused in words of the column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ppgen
from ppgen import BayesianNetwork, GaussianMixture, InputError
from ppgen.data import as_dataset

RNG = np.random.default_rng(0)
N = 60


@pytest.fixture(scope="module")
def fit() -> GaussianMixture:
    frame = pd.DataFrame(
        {
            "amount": RNG.poisson(3, N),
            "price": np.exp(RNG.normal(size=N)),
            "share": RNG.uniform(0.01, 0.369, N),
            "day": [f"{i % 28 + 1:02d}.03.2024" for i in range(N)],
            "moment": pd.date_range("2024-01-01 12:30", periods=N),
            "doors": RNG.integers(2, 5, N),
            "span": pd.to_timedelta(RNG.uniform(0, 1e5, N), unit="s"),
        }
    )
    kinds: dict[str, Any] = {
        "amount": "count",
        "price": "positive",
        "share": {"kind": "interval", "lower": 0, "upper": 1},
    }
    return GaussianMixture(1).fit(as_dataset(frame, kinds))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("amount", 3.5, "amount=3.5 was given: column 'amount' holds counts, whole numbers from 0"),
        ("amount", -1, "column 'amount' holds counts"),
        ("amount", "far", "column 'amount' holds numbers"),
        ("doors", 3.5, "column 'doors' has 2, 3, 4, and 3.5 is a value that the fit never saw"),
        ("doors", "5", "column 'doors' has 2, 3, 4, and 5 is a value"),
        ("price", -0.5, "column 'price' holds numbers above 0"),
        ("price", np.inf, "column 'price' holds finite numbers"),
        ("share", 1.4, "column 'share' holds numbers from 0 to 1"),
        ("day", "gestern", "day='gestern' was given: column 'day' holds times; .* as 31.12.2024"),
        ("moment", "gestern", "column 'moment' holds times; .* such as 2024-12-31 18:30"),
        ("span", "long", "column 'span' holds durations; give one in seconds"),
    ],
)
def test_a_value_that_a_column_cannot_have(
    fit: GaussianMixture, name: str, value: Any, said: str
) -> None:
    for ask in (lambda: fit.sample(1, {name: value}), lambda: fit.condition({name: value})):
        with pytest.raises(InputError, match=said):
            ask()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("day", "14.03.2024"),
        ("day", "2024-03-14"),
        ("moment", "2024-02-03 18:30"),
        ("amount", "3"),
        ("doors", "3"),
    ],
)
def test_values_in_the_forms_advised_may_be_given(
    fit: GaussianMixture, name: str, value: str
) -> None:
    assert len(fit.sample(2, {name: value}, random_state=0)) == 2


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("price", 900.0, r"price = 900 is far beyond the values seen \(0\.\d+ to \d"),
        ("amount", 30, r"amount = 30 is far beyond the values seen \(0 to \d\)"),
        ("day", "01.03.2029", r"2029-03-01 is far beyond the values seen \(2024-03-01 to 2024-03"),
    ],
)
def test_a_value_far_beyond_those_seen_is_held_with_a_warning(
    fit: GaussianMixture, name: str, value: Any, said: str
) -> None:
    for ask in (lambda: fit.sample(1, {name: value}), lambda: fit.condition({name: value})):
        with pytest.warns(UserWarning, match=said) as told:
            ask()
        assert len(told) == 1


def test_every_family_warns_of_it_after_saving_too(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": RNG.uniform(0, 0.369, N), "b": RNG.normal(size=N)})
    network = BayesianNetwork().fit(frame)
    network.save(tmp_path / "run")
    for model in (network, ppgen.load(tmp_path / "run")):
        with pytest.warns(UserWarning, match=r"a = 1.4 is far beyond .*: no row is near"):
            model.sample(1, {"a": 1.4})
        model.sample(1, {"a": 0.45})  # a little beyond
