"""Runs that version 0.1.0 saved still load, and score the rows kept beside them as they did then.

A run of each family stands in `saved_runs/`, with a JSON of rows and of what they scored when it
was written (log densities in nats, or codes where a family has no density), of codes and what they
were decoded to, or of rows and their translations.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ppgen
from ppgen.density_estimator import DensityEstimator

SAVED = Path(__file__).parent / "saved_runs"
# Nets score in float32; the order of its sums is the machine's.
FLOAT32 = ("flow", "vae", "autoencoder")


def test_a_run_saved_with_a_default_of_before_can_be_fitted_again() -> None:
    for name in ("autoencoder", "vae-table"):
        params = ppgen.load(SAVED / name).get_params()  # saved with device=None
        assert params["device"] == "auto"
        assert params["learning_rate"] is None


def told() -> dict[str, Any]:
    """What is kept beside each run."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(SAVED.glob("*.json"))}


def some(key: str) -> list[str]:
    return [name for name, said in told().items() if key in said]


def rows(said: Any) -> Any:
    return said if isinstance(said, dict) or said is None else np.array(said)


@pytest.mark.parametrize("name", [*some("log_density"), *some("codes")])
def test_a_run_saved_before_scores_as_it_did(name: str) -> None:
    model, said = ppgen.load(SAVED / name), told()[name]
    tolerance = 1e-4 if name.startswith(FLOAT32) else 1e-9
    if isinstance(model, DensityEstimator):
        now = model.log_density(rows(said["X"]), rows(said["y"])).values
        np.testing.assert_allclose(now, said["log_density"], rtol=tolerance, atol=tolerance)
    else:
        now = model.transform(rows(said["X"]))  # type: ignore[attr-defined]
        np.testing.assert_allclose(now, said["codes"], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", some("decoded"))
def test_a_run_saved_before_decodes_as_it_did(name: str) -> None:
    model: Any = ppgen.load(SAVED / name)
    said = told()[name]
    made, decoded = model.decode(np.array(said["Z"]), rows(said["y"])), said["decoded"]
    if not isinstance(decoded, dict):
        made, decoded = {"": made}, {"": decoded}
    for column, values in decoded.items():
        if isinstance(values[0], str):
            assert np.asarray(made[column]).tolist() == values
        else:
            np.testing.assert_allclose(made[column], values, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", some("there"))
def test_a_run_saved_before_translates_as_it_did(name: str) -> None:
    model: Any = ppgen.load(SAVED / name)
    said = told()[name]
    ways = [("X", "there", model.translate), ("of_back", "back", model.translate_back)]
    for source, made, translate in ways:
        if source in said:
            X = np.array(said[source], np.uint8)
            np.testing.assert_allclose(translate(X), said[made], atol=1)  # levels, rounded
