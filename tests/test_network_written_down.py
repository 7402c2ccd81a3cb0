"""Networks given as plain values."""

from __future__ import annotations

import numpy as np
import pytest

import ppgen
from ppgen.errors import InputError

RAIN = {"states": ["yes", "no"], "table": [0.2, 0.8]}
MIXED = {
    "depth": {
        "parents": ["rain", "level"],
        "intercept": [1.5, 0.0],
        "coefficients": [[0.3], [0.1]],
        "variance": 2.0,
    },
    "level": {"intercept": 3.0, "variance": 1.0},
    "rain": RAIN,
}


def test_a_network_of_plain_values_answers_as_they_say():
    net = ppgen.BayesianNetwork.of(MIXED)
    assert set(net.edges_) == {("rain", "depth"), ("level", "depth")}
    depth = net.query("depth", {"rain": "yes", "level": 2.0}).continuous["depth"]
    assert float(depth.mean) == pytest.approx(1.5 + 0.3 * 2.0)
    assert float(depth.sd) == pytest.approx(np.sqrt(2.0))
    assert net.query("rain")["yes"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ({"rain": {"states": ["yes", "no"]}}, "node 'rain' has no 'table'"),
        ({"rain": RAIN | {"tabel": 1}}, "has 'tabel'.*Did you mean 'table'"),
        ({"rain": RAIN | {"parents": ["wind"]}}, "names 'wind', which is no node"),
        ({"rain": RAIN | {"table": [0.2, 0.9]}}, "sums to 1.1"),
        ({"rain": RAIN | {"table": [[0.2, 0.8]]}}, r"has shape \(1, 2\).*ask for \(2,\)"),
        ({"rain": {"states": ["yes", "yes"], "table": [0.2, 0.8]}}, "all different"),
        ({"level": {"intercept": 0.0, "variance": -1.0}}, "below 0"),
        (MIXED | {"depth": MIXED["depth"] | {"intercept": [1.0, 2.0, 3.0]}}, r"ask for \(2,\)"),
        ({"a": RAIN | {"parents": ["b"]}, "b": RAIN | {"parents": ["a"]}}, "cycle"),
    ],
)
def test_what_is_wrong_is_said(nodes, says):
    with pytest.raises(InputError, match=says):
        ppgen.BayesianNetwork.of(nodes)
