"""The graphs that a study's networks found, in its report."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ppgen import BayesianNetwork
from ppgen.study import run_study

from .study_toys import Inline


def test_a_report_shows_the_graph_of_a_network_and_how_many_fits_have_each_edge(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    rain = rng.random(200) < 0.4
    wet = np.where(rng.random(200) < np.where(rain, 0.95, 0.1), "<wet>", "dry")
    data = {"rain": np.where(rain, "yes", "no"), "grass": wet, "wind": rng.normal(size=200)}
    net = BayesianNetwork(edges=[("rain", "grass")])
    result = run_study(
        {"garden": data}, {"net": net}, seeds=2, out=tmp_path / "study", executor=Inline(),
        progress=False,
    )  # fmt: skip
    page = result.report_path.read_text()
    assert "<h3>net: 1 edge</h3>" in page
    row = page.split('aria-label="Edges of net"')[1].split("</table>")[0]
    assert "<small>of 2</small>" in row
    body = row.split("<tbody>")[1]
    assert [cell.split("<")[0].split(">")[-1] for cell in body.split("<td")[1:]] == [
        "grass", "open", "2", "2",
    ]  # fmt: skip
    assert "&lt;wet&gt;" in page
    assert "<wet>" not in page
    assert (tmp_path / "study/figures/garden-graph-net.png").stat().st_size > 1000
