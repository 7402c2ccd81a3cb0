"""Tables of text stand in columns, as wide as the terminal."""

from __future__ import annotations

import sys

import pytest

from ppgen.text_table import aligned, filled, terminal_width

LINES = [
    ("name", "kind", "what it is"),
    ("a", "short", "one two three four five six seven eight"),
    ("some-name", "a kind of several words", ""),
]


def test_columns_that_fit_are_not_folded() -> None:
    assert aligned(LINES, 200) == (
        "name       kind                     what it is\n"
        "a          short                    one two three four five six seven eight\n"
        "some-name  a kind of several words"
    )


def test_the_widest_are_folded_between_words() -> None:
    assert aligned(LINES, 45) == (
        "name       kind              what it is\n"
        "a          short             one two three\n"
        "                             four five six\n"
        "                             seven eight\n"
        "some-name  a kind of\n"
        "           several words"
    )


def test_words_are_not_broken_and_empty_lines_stay() -> None:
    assert aligned([("a", "b"), ("", ""), ("x" * 30, "y")], 10).split("\n") == [
        "a" + " " * 31 + "b",
        "",
        "x" * 30 + "  y",
    ]


def test_what_has_no_room_stands_beneath_in_tables_of_about_the_same_width() -> None:
    heads = ("", "model", *("title of " + letter for letter in "abcd"))
    lines = [heads, ("1", "gmm", "1.0 ± 0.1", "", "5 %", "0.62 (0.46)"), ("", "vae", "failed: why")]
    assert aligned(lines, 48, keys=2) == (
        "   model  title of a  title of b\n"
        "1  gmm    1.0 ± 0.1\n"
        "   vae    failed: why\n"
        "\n"
        "   model  title of c  title of d\n"
        "1  gmm    5 %         0.62 (0.46)"
    )


def test_numbers_stay_beside_their_errors_and_what_is_in_brackets() -> None:
    lines = [("model", "a difference"), ("gmm", "−0.0205 ± 0.0084 (0.0090), decided")]
    assert aligned(lines, 30) == (
        "model  a difference\ngmm    −0.0205 ± 0.0084 (0.0090),\n       decided"
    )


def test_a_line_of_fewer_cells_runs_on_in_the_width_that_is_left() -> None:
    lines = [("", "model", "x", "y"), ("", "a long name", "failed: " + "why " * 5)]
    assert aligned(lines, 30, keys=2) == (
        "  model        x  y\n  a long name  failed: why why\n               why why why"
    )
    assert aligned(lines).split("\n")[1] == "  a long name  failed: " + "why " * 4 + "why"


def test_prose_is_broken_between_words() -> None:
    assert filled("one two-three 5 % four\nfive", 10) == "one\ntwo-three\n5 % four\nfive"
    assert filled("one two three", None) == "one two three"


def test_files_and_pipes_have_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "97")
    assert terminal_width() is None
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert terminal_width() == 97
    monkeypatch.setattr(sys, "stdout", None)
    assert terminal_width() is None
