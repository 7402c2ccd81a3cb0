"""Figures: they are made without touching anybody's settings, whatever the columns are called."""

from __future__ import annotations

import datetime
import re
import sys
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from ppgen.analysis.compare import compare
from ppgen.data import as_dataset
from ppgen.density import LogDensity
from ppgen.plotting import (
    dependent_pairs,
    image_grid,
    marginals,
    pair_panel,
    plot_mixture,
    plot_ranking,
    sample_pairs,
    training_curves,
)
from ppgen.plotting.axis import column_axes
from ppgen.plotting.style import png, svg

ODD = ("<script>alert(1)</script>", "$x^{$", "温度", 'a "quoted" & long name that goes on and on')


def table(n=120, seed=0, names=ODD):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    tail = np.exp(3 * rng.normal(size=n))
    tail[0] = np.nan
    kinds = np.array(["<b>bold</b>", "$y$", None], object)
    return as_dataset(
        dict(
            zip(
                names,
                (z, z + 0.1 * rng.normal(size=n), tail, kinds[rng.integers(0, 3, n)]),
                strict=True,
            )
        )
    )


def comparison():
    base = np.random.default_rng(0).normal(size=50)
    noise = np.random.default_rng(1).normal(size=50)
    zero = base.copy()
    zero[0] = -np.inf
    return compare(
        [
            ("best $_$", LogDensity(base + 0.1 * noise, "exact", "t")),
            ("near", LogDensity(base - 0.05, "estimate", "t")),
            ("bound", LogDensity(base - 1, "lower_bound", "t")),
            ("above", LogDensity(base + 1, "upper_bound", "t")),
            ("far", LogDensity(base - 80, "exact", "t")),
            ("zero", LogDensity(zero, "exact", "t")),
            ("nan", LogDensity(base * np.nan, "exact", "t")),
            ("mass", LogDensity(base, "exact", "t", "mass")),
        ]
    )


def trace(validation=True, n=40):
    return [
        {
            "step": i,
            "loss": float("nan") if i == 0 else 5.0 / (i + 1),
            "validation": -6.0 / (i + 1) if validation and i % 4 == 0 else None,
            "seconds": 0.1 * i,
        }
        for i in range(n)
    ]


FIGURES = {
    "pairs": lambda: sample_pairs(table(), {"$m$": table(seed=1), "<i>": table(seed=2)}),
    "no pairs": lambda: sample_pairs(as_dataset(np.ones((20, 1))), {}),
    "panel": lambda: pair_panel(table(), table(seed=1), (ODD[0], ODD[3]), title="$m"),
    "panel of real rows": lambda: pair_panel(table(), None, (ODD[1], ODD[2])),
    "marginals": lambda: marginals(table(), table(seed=1)),
    "curves": lambda: training_curves([trace(), trace(False), []], title="$f$"),
    "no curves": lambda: training_curves([]),
    "ranking": lambda: plot_ranking(comparison()),
    "ranking of nothing": lambda: plot_ranking(compare([])),
    "ranking of one": lambda: plot_ranking(compare([("a", LogDensity(np.zeros(3), "exact", "t"))])),
    "mixture": lambda: plot_mixture(
        [0.7, 0.3],
        np.zeros((2, 3)),
        np.stack([np.eye(3)] * 2),
        rows=np.zeros((9, 3)),
        columns=(0, 2),
    ),
    "images": lambda: image_grid(np.random.default_rng(0).random((9, 3, 4, 4)), title="$"),
    "grey images": lambda: image_grid(np.zeros((3, 1, 4, 4))),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figure(name):
    before = dict(mpl.rcParams)
    had_pyplot = "matplotlib.pyplot" in sys.modules
    made = FIGURES[name]()
    assert isinstance(made, Figure)
    assert png(made).startswith(b"\x89PNG")
    text = svg(made, "name", 'what <it> "shows"')
    root = ElementTree.fromstring(text)
    assert root.get("aria-label") == 'what <it> "shows"'
    assert "<script" not in text
    assert "<style" not in text
    assert dict(mpl.rcParams) == before
    assert had_pyplot or "matplotlib.pyplot" not in sys.modules


def test_markup_refers_to_nothing_outside():
    text = svg(sample_pairs(table(), {"m": table(seed=1)}), "a", "t")
    links = re.findall(r'(?:href|src)="([^"]*)"|url\(([^)]*)\)', text)
    assert links
    assert all((a or b).startswith(("#", "data:image/png;base64,")) for a, b in links)
    assert set(re.findall(r"https?://[^\"\s]+", text)) == {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_references_of_two_figures_stay_apart():
    made = training_curves([trace()])
    one, two = (set(re.findall(r' id="([^"]+)"', svg(made, n, "t"))) for n in ("one", "two"))
    assert one
    assert not one & two


def test_colours_are_the_pages():
    text = svg(plot_ranking(comparison()), "a", "t")
    assert "var(--ink)" in text
    assert "var(--accent)" in text
    assert "DejaVu" not in text


def test_dependent_pairs_come_first():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 5))
    x[:, 3] = x[:, 1] + 0.1 * x[:, 3]
    found = dependent_pairs(as_dataset(x))
    assert found[0] == ("x1", "x3")
    assert len(found) == 3
    assert dependent_pairs(as_dataset(x[:, :1])) == []


def test_axes_of_times_and_durations_have_the_clocks_of_their_columns():
    hours = [datetime.timedelta(hours=float(h)) for h in np.random.default_rng(0).normal(size=60)]
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    first = datetime.datetime(2020, 6, 1, tzinfo=zone)
    data = as_dataset({"at": [first + h for h in hours], "took": hours})
    axes = Figure().subplots()
    for name, value, words in (
        ("at", first.timestamp() + 3600, "2020-06-01 01:00:00"),
        ("took", 5400.0, "1:30:00"),
    ):
        column_axes(data)[name].dress(axes, "x")
        assert axes.xaxis.get_major_formatter()(value) == words
