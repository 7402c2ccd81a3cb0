"""Defaults of nets on tables that people have."""

from __future__ import annotations

import numpy as np
import pytest

import ppgen
from ppgen.errors import InputError


def awkward():
    rng = np.random.default_rng(0)
    n = 60
    a = rng.normal(size=n)
    return {
        "thirty rows": rng.normal(size=(30, 3)),
        "one column": a[:, None],
        "constant": np.column_stack([a, np.ones(n), a + rng.normal(size=n)]),
        "all constant": np.ones((n, 2)),
        "exactly collinear": np.column_stack([a, 2 * a, a - 3]),
        "copies": np.repeat(rng.normal(size=(6, 2)), 10, axis=0),
        "rounded": np.round(np.column_stack([a, a + 0.1 * rng.normal(size=n)]), 1),
        "far out": np.column_stack([a, np.where(np.arange(n) == 7, 1e9, a)]),
        "mixed": {"a": a, "b": a + 0.01 * rng.normal(size=n), "c": np.where(a > 0, "x", "y")},
    }


@pytest.mark.parametrize("name", awkward())
@pytest.mark.parametrize("family", ["NormalizingFlow", "VAE"])
def test_defaults_fit_awkward_tables(family, name):
    rows = awkward()[name]
    model = getattr(ppgen, family)(max_epochs=2, random_state=0)
    if family == "VAE" and name == "all constant":
        with pytest.raises(InputError, match="nothing to model"):
            model.fit(rows)
        return
    model.fit(rows)
    assert np.isfinite(model.score_samples(rows)).all()
    assert len(model.sample(5)) == 5 or len(model.sample(5)["a"]) == 5
