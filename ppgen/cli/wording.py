"""What the library says, in the terms of the command line: the one place that translates.

Messages advise in Python: `fit(X, y, validation=...)`, `random_state=0`, `n_components=3`,
`ppgen.GaussianMixture()`. On the command line the same is done by options, and a setting is given
with `--set NAME=VALUE`. Python that has no counterpart is left as it is.
"""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any, TypeVar, get_args

from typer.models import OptionInfo

from ..errors import FitError, InputError

T = TypeVar("T")

_VALUE = r"""(?:"[^"]*"|'[^']*'|\[[^\]]*\]|\([^()]*\)|\{[^{}]*\}|-?[\w.+-]*[\w])"""
_SETTING = re.compile(rf"(?<![\w.'\"=-])(\w+)=({_VALUE})")

_options: ContextVar[Mapping[str, str] | None] = ContextVar("options", default=None)


def spoken(command: Callable[..., T]) -> Callable[..., T]:
    """A command whose errors, and whatever is said while it runs, are in its own terms."""
    signature = inspect.signature(command, eval_str=True)
    options = dict(filter(None, map(_option, signature.parameters.values())))

    @wraps(command)
    def run(**words: Any) -> T:
        apart = () if words.get("all_rows") else ("all_rows",)
        before = _options.set({name: o for name, o in options.items() if name not in apart})
        try:
            return command(**words)
        except (InputError, FitError) as error:
            raise type(error)(told(str(error))) from error
        finally:
            _options.reset(before)

    run.__signature__ = signature  # type: ignore[attr-defined]
    return run


def _option(parameter: inspect.Parameter) -> tuple[str, str] | None:
    """What an option sets, and the option; None for what is none."""
    notes = get_args(parameter.annotation)[1:]
    option = next((note for note in notes if isinstance(note, OptionInfo)), None)
    if option is None:
        return None
    name = parameter.name.rstrip("_")
    declared = [word for word in option.param_decls or () if word.startswith("--")]
    return name, declared[0] if declared else f"--{name.replace('_', '-')}"


def told(text: str) -> str:
    """A message in the terms of the command that runs; as it is where none does."""
    options = _options.get()
    return text if options is None else in_options(text, options)


def in_options(text: str, command: Mapping[str, str]) -> str:
    """A message in the terms of a command.

    Args:
        text: what the library says.
        command: the options of the command by the name of what each sets, such as
            "method" -> "--method"; `all_rows` where it was given.
    """
    for pattern, words in _PHRASES:
        text = pattern.sub(words, text)
    held_out = ", and leave --all-rows out, so that some are held out" * ("all_rows" in command)
    text = _HELD_OUT.sub(rf"\1ive more rows{held_out}", text)
    if re.search(r"\w=|ppgen\.|\)\.fit\(", text):
        text, names = _models(text), _settings()
        text = _SETTING.sub(partial(_as_option, command=command, names=names), text)
    return re.sub(r"\b([Ss])et (--\w)", lambda m: f"{'G' if m[1] == 'S' else 'g'}ive {m[2]}", text)


def _as_option(match: re.Match[str], command: Mapping[str, str], names: Collection[str]) -> str:
    """`name=value` as an option."""
    name, value = match[1], match[2]
    if re.search(r"--[a-z-]+ $", match.string[: match.start()]):  # what an option is given
        return match[0]
    if name in command and value in ("True", "False"):
        return command[name] if value == "True" else match[0]
    plain = value[1:-1] if value[0] in "\"'" else value
    if name in command and value[0] != "{":
        return f"{command[name]} {shlex.quote(plain)}"
    return f"--set {shlex.quote(f'{name}={plain}')}" if name in names else match[0]


def _as_missing(match: re.Match[str]) -> str:
    """A marker of one column as an option."""
    return f"--missing {shlex.quote(f'{ast.literal_eval(match[1])}={match[2]}')}"


_Words = str | Callable[[re.Match[str]], str]
_SAID: list[tuple[str, _Words]] = [
    (r"missing=\{('[^']*'|\"[^\"]*\"): ([^{}]*)\} of ppgen\.read", _as_missing),
    (
        r"data\.override\(\{('[^']*'): '([\w ]+)'\}\), or as the schema of ppgen\.read",
        lambda m: f"`ppgen fit` with --column {shlex.quote(f'{m[1][1:-1]}={m[2]}')}",
    ),
    (r"give fit\(X, y\) one a row", "give data that come with labels"),
    (
        r"Fill them with ppgen\.GaussianMixture\(\)\.fit\(X\)\.impute\(X\)",
        "Fill them with `ppgen fit DATA gmm` and `ppgen impute RUN DATA`",
    ),
    (r"ppgen\.load(?:\(\w*\))?", "the commands"),
    (r"ppgen\.read\(([^()]*)\)", r"DATA \1"),
    (r"ppgen\.run_study", "`ppgen study`"),
    (r"ppgen\.sample_quality", "`ppgen study`, which ranks samples"),
    (r"ppgen\.audit", "`ppgen audit`"),
    (r"\brandom_state=(\w+)", r"--seed \1"),
    (r"\bwith this checkpoint_dir", "with the same --checkpoints"),
    (r"\bwith a checkpoint_dir", "with --checkpoints DIR"),
    (r"\bconditional=True", "--conditional"),
]
_HELD_OUT = re.compile(
    r"([Gg])ive (?:more rows, or )?(?:(?:more )?validation rows(?: with their labels)?"
    r"|validation=\((?:rows|X), (?:y|labels)\))"
)
_PHRASES = [(re.compile(pattern), words) for pattern, words in _SAID]


def _models(text: str) -> str:
    """Classes as the names that `ppgen fit` takes, and calls of `fit` as that command."""
    from ..models import registry

    names = {entry.class_name: name for name, entry in registry.MODELS.items()}

    def fit(match: re.Match[str]) -> str:
        name, settings, given = match[1], match[2] or "", match[3]
        if name not in names:
            return match[0]
        own = settings.replace("--conditional", "").strip(" ,")
        labelled = " --conditional" * ("y" in given or "--conditional" in settings)
        more = "".join(f" --set {part.strip()}" for part in own.split(",") if part.strip())
        return f"`ppgen fit DATA {names[name]}{labelled}{more}`"

    known = "|".join(names)
    text = re.sub(rf"(?:ppgen\.)?\b({known})\(([^()]*)\)\.fit\(([^()]*)\)", fit, text)
    text = re.sub(rf"\bppgen\.({known})\b(?:\(([^()]*)\))?", lambda m: names[m[1]], text)
    return re.sub(rf"\b({known})\(([^()]*)\)", lambda m: names[m[1]], text)


def _settings() -> frozenset[str]:
    """Names of all that `--set` takes of any model."""
    from ..models import registry

    declared = [registry.settings(name) for name in registry.names()]
    of_methods = [options for each in declared for options in each.options.values()]
    return frozenset(name for each in (*declared, *of_methods) for name in each.names)
