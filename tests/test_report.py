"""The report stands alone, escapes what came with the data, and is rebuilt from stored cells."""

from __future__ import annotations

import html
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from ppgen.errors import InputError
from ppgen.models import registry
from ppgen.study import report, run_study

from .pages import Layout, check_layout
from .study_toys import Inline, Toy, install

EVIL = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    rng = np.random.default_rng(0)
    z = rng.normal(size=120)
    data = {
        EVIL: z,
        "{{ 7 * 7 }}": z + rng.normal(size=120),
        "kind": np.array([f"<img src=x onerror={k}>" for k in rng.integers(0, 2, 120)], object),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "MODELS", dict(registry.MODELS))
        patch.setattr(registry, "get", registry.get)
        install()
        models = {"<b>wide</b>": Toy(width=4.0), "right": Toy()}
        out = tmp_path_factory.mktemp("report") / "study"
        return run_study(
            {"<i>data</i>": data}, models, seeds=2, out=out, executor=Inline(), progress=False
        )


class Page(HTMLParser):
    """Elements and links of a page, and whether its tags close."""

    void = ("meta", "link", "img", "br")

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v for k, v in attrs if k in ("href", "src", "xlink:href", "action")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_it_stands_alone(written):
    text = written.report_path.read_text()
    page = Page(text)
    assert not page.open
    assert not {"script", "link", "iframe", "object", "img", "b", "i"} & set(page.tags)
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    assert set(re.findall(r"https?://[^\"'\s<)]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "@import" not in text
    assert all(u.startswith("#") for u in re.findall(r"url\(([^)]*)\)", text))


def test_what_came_with_the_data_is_escaped(written):
    text = written.report_path.read_text()
    assert EVIL not in text
    assert "&lt;script&gt;" in text
    assert "{{ 7 * 7 }}" in text
    assert "<img src=x" not in text
    assert "<b>wide" not in text
    assert "<i>data" not in text


def test_it_says_what_was_found_and_how(written):
    text = written.report_path.read_text()
    title = re.search(r"<h1>(.*?)</h1>", text).group(1)
    assert "nats a row above" in title
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert headings == [
        "Ranking",
        "How each density is known",
        "Ranking by samples",
        "Samples beside real rows",
        "Training",
        "Verdicts",
        "Data",
        "Settings",
        "How this was done",
    ]
    assert "the width is wrong." in text
    assert "prefers-color-scheme: dark" in text
    assert "width=device-width" in text
    assert "numpy " in text


def test_nothing_is_wider_than_the_page(written):
    layout = check_layout(written.report_path.read_text())
    assert len(layout.tables) == 6
    assert len(layout.drawings) > 6


def test_a_notebook_shows_a_study_with_what_was_found_once(written):
    shown = written._repr_html_()
    assert not Layout(shown).open
    assert EVIL not in shown
    assert shown.count(html.escape(written.finding)) == 1


def test_settings_are_those_that_fits_took(written):
    text = written.report_path.read_text()
    table = text[text.index('aria-label="Settings"') :]
    table = table[: table.index("</table>")]
    cells = re.findall(r"<t[hd](?: [^>]*)?>([^<]*)</t[hd]>", table)
    assert cells[:4] == ["Model", "Given", "Chosen by the fit", "Defaults"]
    rows = {cells[i]: cells[i + 1 : i + 4] for i in (4, 8)}
    assert rows["&lt;b&gt;wide&lt;/b&gt;"] == ["width = 4", "", "sleep = 0"]
    assert rows["right"] == ["", "", "width = 1, sleep = 0"]


def test_it_is_rebuilt_from_stored_cells_alone(written, tmp_path):
    text = written.report_path.read_text()
    moved = tmp_path / "elsewhere"
    shutil.copytree(written.folder, moved)
    (moved / "report.html").unlink()
    shutil.rmtree(moved / "figures")
    path = report(moved)
    assert path == moved / "report.html"
    assert path.read_text() == text
    assert sorted(p.name for p in (moved / "figures").iterdir()) == sorted(
        p.name for p in written.figures.values()
    )


def test_an_unfinished_study_is_reported_as_far_as_it_is(written, tmp_path):
    moved = tmp_path / "part"
    shutil.copytree(written.folder, moved)
    shutil.rmtree(next((moved / "cells").iterdir()))
    assert "1 of 2 seeds" in report(moved).read_text()
    shutil.rmtree(moved / "cells")
    assert "No model could be ranked." in report(moved).read_text()


def test_no_study_no_report(tmp_path):
    with pytest.raises(InputError, match="is no ppgen study"):
        report(tmp_path)
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(InputError, match=r"not a ppgen study's"):
        report(tmp_path)
