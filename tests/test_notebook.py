"""What a notebook shows of data, densities, verdicts, comparisons and studies."""

from __future__ import annotations

import signal
from html.parser import HTMLParser

import nbclient
import nbformat
import numpy as np
import pytest

import ppgen
from ppgen import html
from ppgen.density import LogDensity
from ppgen.verdict import Reason, Verdict

CELLS = """
import ppgen
data = ppgen.read("iris"); data
data.schema
gaussian = ppgen.Gaussian(random_state=0).fit(data.train); gaussian.verdict_
gaussian.log_density(data.test)
alone = ppgen.IndependentColumns(random_state=0).fit(data.train)
ppgen.compare([(m.name, m.log_density(data.test)) for m in (gaussian, alone)])
"""


class Whole(HTMLParser):
    """Fails where tags are not closed in the order that they were opened."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.seen.append(data)


def test_a_notebook_shows_tables_and_drawings(tmp_path):
    cells = [nbformat.v4.new_code_cell(line) for line in CELLS.strip().split("\n")]
    book = nbformat.v4.new_notebook(cells=cells)
    handlers = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        nbclient.NotebookClient(book, timeout=300, kernel_name="python3").execute(cwd=str(tmp_path))
    finally:  # which the client sets its own over
        for number, handler in handlers.items():
            signal.signal(number, handler)
    shown = {}
    for cell in book.cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            if "data" in output:
                shown[cell.source] = output.data.get("text/html", "")
    assert len(shown) == 5
    for text in shown.values():
        assert Whole(text).seen
    table, schema, verdict, density, compared = shown.values()
    assert "150 rows, 4 columns" in table
    assert "what each column is taken for" in table
    assert "<th" in schema
    assert "goodness of fit" in verdict
    assert "<svg" in density
    assert "gaussian" in compared
    assert "behind the best" in compared


def test_texts_are_no_markup():
    text = Verdict(
        (Reason("warn", "column '<b>' & others"), Reason("failed", "worse"))
    )._repr_html_()
    assert Whole(text).seen.index("failed") < Whole(text).seen.index("warn")
    assert "&lt;b&gt;" in text
    assert "nothing was found" in Verdict()._repr_html_()


@pytest.mark.parametrize("values", [[], [-np.inf], [1.0], [np.nan, 2.0, 3.0, -np.inf]])
def test_a_density_of_any_rows_is_shown(values):
    shown = LogDensity(np.array(values), "exact", "closed form")._repr_html_()
    assert ("<svg" in shown) == bool(np.isfinite(values).any())
    assert Whole(shown).seen


def test_rows_with_gaps_and_names_that_are_markup_are_shown():
    rows = {"<i>": [1.0, np.nan, 3.5], "text": ["a", None, "b"]}
    shown = ppgen.as_dataset(rows)._repr_html_()
    assert "<i>" not in shown
    assert "3.5" in Whole(shown).seen


def test_bars_are_as_high_as_they_say():
    drawn = html.bars([0.0, 1.0, 2.0], "counts")
    assert drawn.count("<rect") == 3
    assert 'height="40.0"' in drawn
    assert 'height="20.0"' in drawn
