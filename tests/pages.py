"""What the pages of reports are made of, for the tests of both."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = ("meta", "link", "img", "br")


class Layout(HTMLParser):
    """Where tables and drawings of a page lie.

    Attributes:
        tables: of each table whether it lies in a box that scrolls by itself and has a name.
        drawings: of each drawing whether it lies in a figure, which is no wider than the page.
        open: the elements that are not closed.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[bool] = []
        self.drawings: list[bool] = []
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append(any(map(_scrolls, self.open)))
        if tag == "svg":
            self.drawings.append(any(name == "figure" for name, _ in self.open))
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag


def _scrolls(element: tuple[str, dict[str, str | None]]) -> bool:
    tag, attrs = element
    named = attrs.get("role") == "region" and bool(attrs.get("aria-label"))
    return tag == "div" and attrs.get("class") == "scroll" and named and "tabindex" in attrs


def check_layout(text: str) -> Layout:
    """Nothing of a page is wider than the page: its tables scroll, its drawings shrink, and its
    words break."""
    layout = Layout(text)
    assert not layout.open
    assert all(layout.tables)
    assert all(layout.drawings)
    css = text[text.index("<style>") : text.index("</style>")]
    assert ".scroll { overflow-x: auto;" in css
    assert "figure svg { display: block; max-width: 100%;" in css
    assert "figure.wide { overflow-x: auto;" in css
    assert "overflow-wrap: anywhere" in css
    return layout
