"""Tables of text stand in columns, as wide as the terminal."""

from __future__ import annotations

from ppgen.text_table import folded

LINES = [
    ("name", "kind", "what it is"),
    ("a", "short", "one two three four five six seven eight"),
    ("some-name", "a kind of several words", ""),
]


def test_columns_that_fit_are_not_folded() -> None:
    assert folded(LINES, 200) == (
        "name       kind                     what it is\n"
        "a          short                    one two three four five six seven eight\n"
        "some-name  a kind of several words"
    )


def test_the_widest_are_folded_between_words() -> None:
    assert folded(LINES, 45) == (
        "name       kind              what it is\n"
        "a          short             one two three\n"
        "                             four five six\n"
        "                             seven eight\n"
        "some-name  a kind of\n"
        "           several words"
    )


def test_words_are_not_broken_and_empty_lines_stay() -> None:
    assert folded([("a", "b"), ("", ""), ("x" * 30, "y")], 10).split("\n") == [
        "a" + " " * 31 + "b",
        "",
        "x" * 30 + "  y",
    ]
