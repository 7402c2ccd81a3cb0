"""Runs that version 0.1.0 saved still load, and score the rows kept beside them as they did then.

A run of each family stands in `saved_runs/`, with a JSON of rows and of what they scored when it
was written (log densities in nats, or codes where a family has no density).
"""

from __future__ import annotations

import json
from pathlib import Path

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


@pytest.mark.parametrize("name", sorted(file.stem for file in SAVED.glob("*.json")))
def test_a_run_saved_before_scores_as_it_did(name: str) -> None:
    model = ppgen.load(SAVED / name)
    said = json.loads((SAVED / f"{name}.json").read_text())
    X = said["X"] if isinstance(said["X"], dict) else np.array(said["X"])
    y = None if said["y"] is None else np.array(said["y"])
    tolerance = 1e-4 if name.startswith(FLOAT32) else 1e-9
    if isinstance(model, DensityEstimator):
        now = model.log_density(X, y).values
        np.testing.assert_allclose(now, said["log_density"], rtol=tolerance, atol=tolerance)
    else:
        now = model.transform(X)  # type: ignore[attr-defined]
        np.testing.assert_allclose(now, said["codes"], rtol=tolerance, atol=tolerance)
