"""What the library advises in Python is told on the command line in its own terms."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest
import typer

import ppgen
from ppgen.cli.wording import in_options, spoken, told
from ppgen.errors import FitError, InputError

ROOT = Path(ppgen.__file__).parent

TOLD = {
    "Give validation rows, or use gaussian or kde.": (
        "Give more rows, and leave --all-rows out, so that some are held out, or use gaussian or "
        "kde."
    ),
    "give validation=(rows, y).": (
        "give more rows, and leave --all-rows out, so that some are held out."
    ),
    'Give validation rows, or use kind="linear".': (
        "Give more rows, and leave --all-rows out, so that some are held out, or use --set "
        "kind=linear."
    ),
    "Fill them with ppgen.GaussianMixture().fit(X).impute(X), or": (
        "Fill them with `ppgen fit DATA gmm` and `ppgen impute RUN DATA`, or"
    ),
    "as ppgen.NormalizingFlow().fit(X, y) and ppgen.VAE(conditional=True).fit(X, y) do.": (
        "as `ppgen fit DATA flow --conditional` and `ppgen fit DATA vae --conditional` do."
    ),
    "Condition on labels: GAN(conditional=True).fit(X, y).": (
        "Condition on labels: `ppgen fit DATA gan --conditional`."
    ),
    "this GAN cannot hold columns fixed; ppgen.GaussianMixture can, and so can "
    "GAN(condition_on=[...]) that was fitted": (
        "this GAN cannot hold columns fixed; gmm can, and so can gan that was fitted"
    ),
    "Set batch_size=32, or make the nets smaller.": (
        "Give --set batch_size=32, or make the nets smaller."
    ),
    "Fit again with this checkpoint_dir to go on": "Fit again with the same --checkpoints to go on",
    'take method="nuts".': "take --method nuts.",
    'Take engine="svi" or "nuts".': 'Take --set engine=svi or "nuts".',
    "and random_state=0 or another integer.": "and --seed 0 or another integer.",
    "fit with condition_on=['a', 'b'].": "fit with --set 'condition_on=['\"'\"'a'\"'\"', ",
    # What is in these terms already, or is no setting, stays as it is.
    "--set n_components=8 was given; expected": "--set n_components=8 was given; expected",
    "column 'a=3' is text; name=VALUE": "column 'a=3' is text; name=VALUE",
    "y=3 is no label": "y=3 is no label",
}


@pytest.mark.parametrize("said", TOLD)
def test_advice_in_python_becomes_options(said: str) -> None:
    options = {"method": "--method", "all_rows": "--all-rows"}
    assert in_options(said, options).startswith(TOLD[said])


@pytest.mark.parametrize(
    "said", ["Give validation rows.", "Give more rows, or more validation rows.", "Give more rows."]
)
def test_all_rows_is_left_out_only_where_it_was_given(said: str) -> None:
    @spoken
    def fit(all_rows: Annotated[bool, typer.Option("--all-rows")]) -> str:
        return told(said)

    assert fit(all_rows=False) == "Give more rows."
    assert ("leave --all-rows out" in fit(all_rows=True)) == ("validation" in said)


def test_outside_of_a_command_messages_stay_as_they_are() -> None:
    assert told("give validation=(rows, y).") == "give validation=(rows, y)."


def test_errors_of_a_command_are_in_its_terms_and_its_options_stay() -> None:
    @spoken
    def fit(method: typer.Option("nuts")) -> None:  # type: ignore[valid-type]
        raise (InputError if method else FitError)("Take kind='linear'.")

    assert list(inspect.signature(fit).parameters) == ["method"]
    for method, kind in ((1, InputError), (0, FitError)):
        with pytest.raises(kind, match=r"^Take --set kind=linear\.$"):
            fit(method=method)
    assert told("kind='linear'") == "kind='linear'"


def _messages() -> Iterator[tuple[str, str]]:
    """Where each message of an error or a finding stands, and its text."""
    apart = ("pair/", "posterior/", "analysis/", "plotting/", "distribution", "pyro", "formats/")
    for file in sorted(ROOT.rglob("*.py")):
        where = file.relative_to(ROOT).as_posix()
        if any(part in where for part in apart):
            continue  # asked in Python alone
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func.id if isinstance(node.func, ast.Name) else ""
                if called in ("InputError", "FitError", "Reason", "warning", "nothing_learnt"):
                    for argument in node.args:
                        yield f"{where}:{node.lineno}", _text(argument)


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(v.value if isinstance(v, ast.Constant) else "X" for v in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_no_message_that_a_command_may_give_advises_in_python() -> None:
    python = re.compile(r"\.fit\(|validation=|random_state=|conditional=True|ppgen\.[A-Z]\w+\(")
    left = {
        where: text
        for where, said in _messages()
        if (text := in_options(said, {})) and python.search(text)
    }
    allowed = ("translat", "study/cells", "compare.py", "crossval", "audit", "nets/processes")
    assert not {k: v for k, v in left.items() if not any(part in k for part in allowed)}
