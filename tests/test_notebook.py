"""What a notebook shows of data, densities, verdicts, comparisons and studies."""

from __future__ import annotations

import re
import signal
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO

import nbclient
import nbformat
import numpy as np
import pytest
from PIL import Image

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
        if tag != "img":
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
    assert "to the best" in compared


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


def test_the_first_images_are_shown_as_they_are():
    pixels = np.array([[[0, 128], [255, 64], [1, 2]], [[9, 9], [9, 9], [9, 9]]], np.uint8)
    shown = ppgen.as_dataset(np.repeat(pixels, 8, axis=0))._repr_html_()
    drawn = re.findall(r"base64,([^\"]+)", shown)
    assert len(drawn) == 12
    first = np.asarray(Image.open(BytesIO(b64decode(drawn[0]))))
    np.testing.assert_array_equal(first, np.repeat(pixels[0][..., None], 3, axis=-1))
    assert Whole(shown).seen
    dark = ppgen.as_dataset(pixels[:, None] // 32)._repr_html_()  # of 0 to 7: 7 is white
    (first, _) = re.findall(r"base64,([^\"]+)", dark)
    assert np.asarray(Image.open(BytesIO(b64decode(first)))).max() == 255
    colours = np.zeros((1, 3, 4, 4), np.uint8)
    colours[0, 1] = 255
    found = re.findall(r"base64,([^\"]+)", html.pictures(colours, 0.0, 255.0))
    assert Image.open(BytesIO(b64decode(found[0]))).getpixel((2, 3)) == (0, 255, 0)


def test_numbers_end_alike_and_words_begin_alike():
    shown = html.table(("n", "what"), [("−1.20 ± 0.3", "a"), (None, "2 of 3"), (7, "b")])
    cells = re.findall(r"<td style=\"([^\"]*)\">([^<]*)", shown)
    assert [("right" in style, text) for style, text in cells[:2]] == [
        (True, "−1.20 ± 0.3"),
        (False, "a"),
    ]
    assert html.table(("a", "b"), []).count("<th ") == 2


def test_bars_are_as_high_as_they_say():
    drawn = html.bars([0.0, 1.0, 2.0], "counts")
    assert drawn.count("<rect") == 3
    assert 'height="40.0"' in drawn
    assert 'height="20.0"' in drawn
