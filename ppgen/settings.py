"""Settings of models, each declared once: name, type, range, default, one line of help.

A family declares them in `models/<family>/settings.py` as a dataclass, which its estimator derives
from and has its constructor from:

    @dataclass(eq=False, repr=False, kw_only=True)
    class MixtureSettings:
        n_components: int | Literal["bic", "icl"] = setting("bic", "how many, or ...", least=1)
        tol: float = setting(1e-4, "gain of ... below which EM stops.", least=0)

    SETTINGS = {"gmm": Settings(MixtureSettings, together=check)}

From these come the check at the start of every fit, `ppgen models MODEL`, the "Args:" of the
class's docstring and `docs/settings.md`. None is taken where it is the default.
"""

from __future__ import annotations

import operator
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import reduce
from inspect import cleandoc
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from .errors import InputError, did_you_mean
from .plain_json import plain

_SHOWN = 80  # characters of a wrong value


@dataclass(frozen=True)
class Kind:
    """What a setting takes.

    Attributes:
        words: what that is, as in "expected {words}.".
        accepts: whether a value is one.
        options: the texts among the values.
    """

    words: str
    accepts: Callable[[Any], bool]
    options: tuple[str, ...] = ()

    def __or__(self, other: Kind) -> Kind:
        comma = "," if "," in self.words else ""
        return Kind(
            f"{self.words}{comma} or {other.words}",
            lambda value: self.accepts(value) or other.accepts(value),
            self.options + other.options,
        )

    def check(self, name: str, value: Any) -> None:
        """Raise InputError if the value of `name` is not of this kind."""
        if not self.accepts(value):
            shown = textwrap.shorten(repr(value), _SHOWN, placeholder=" ...")
            near = did_you_mean(value, self.options) if isinstance(value, str) else ""
            raise InputError(f"{name} is {shown}; expected {self.words}.{near}")


def choice(*options: str) -> Kind:
    """One of some texts."""
    words = f"one of {', '.join(options)}"
    return Kind(words, lambda value: isinstance(value, str) and value in options, options)


def integer(least: int) -> Kind:
    """A whole number from `least` up; True and False are none."""
    return Kind(f"an integer >= {least}", lambda value: _whole(value) and value >= least)


def number(
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> Kind:
    """A finite number between limits: `above` and `below` exclude them, `least` and `most` do not.
    True and False are no numbers."""
    signs = {">": above, ">=": least, "<": below, "<=": most}
    limits = " and ".join(f"{sign} {end:g}" for sign, end in signs.items() if end is not None)

    def accepts(value: Any) -> bool:
        if not isinstance(value, int | float | np.integer | np.floating) or isinstance(value, bool):
            return False
        return bool(
            np.isfinite(value)
            and (above is None or value > above)
            and (least is None or value >= least)
            and (below is None or value < below)
            and (most is None or value <= most)
        )

    return Kind("a positive number" if limits == "> 0" else f"a number {limits}".rstrip(), accepts)


def sizes(example: str, *, empty: bool = False) -> Kind:
    """Integers >= 1, such as the widths of layers."""

    def accepts(value: Any) -> bool:
        if isinstance(value, str | Mapping) or not hasattr(value, "__len__"):
            return False
        return (empty or len(value) > 0) and all(_whole(size) and size >= 1 for size in value)

    return Kind(f"sizes such as {example}", accepts)


columns = Kind(
    'a column or several such as ("species", "sex")',
    lambda v: (
        isinstance(v, str)
        or (isinstance(v, list | tuple) and len(v) > 0 and len(set(map(str, v))) == len(v))
    ),
)


def matching(pattern: str, words: str) -> Kind:
    """A text of a form."""
    return Kind(words, lambda v: isinstance(v, str) and re.fullmatch(pattern, v) is not None)


flag = Kind("True or False", lambda value: isinstance(value, bool | np.bool_))
array = Kind(
    "an array of numbers",
    lambda v: hasattr(v, "__len__") and not isinstance(v, str | Mapping),
)
mapping = Kind("a dict", lambda value: isinstance(value, Mapping))
anything = Kind("anything", lambda value: True)
seed = Kind(
    "an integer or a NumPy generator",
    lambda v: _whole(v) or isinstance(v, np.random.Generator | np.random.RandomState),
)


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


@dataclass(frozen=True)
class Setting:
    """One setting of a model.

    Attributes:
        name: of the argument of `__init__`.
        kind: what it takes, beside None where that is the default.
        default: what it is otherwise.
        help: what it is, in a line.
        entries: of a dict, what can be set in it, by what it depends on.
    """

    name: str
    kind: Kind
    default: Any
    help: str
    entries: Mapping[str, Settings] = field(default_factory=dict)

    @property
    def takes(self) -> str:
        """What may be given, in words."""
        if self.default is not None:
            return self.kind.words
        return f"None{',' if ' or ' in self.kind.words else ' or'} {self.kind.words}"

    def taken(self, value: Any) -> Any:
        """A value as fits read it: one column as a sequence of one."""
        return (value,) if self.kind is columns and isinstance(value, str) else value

    def check(self, value: Any) -> None:
        """Raise InputError if this is not a value of the setting."""
        if value is not None or self.default is not None:
            Kind(self.takes, self.kind.accepts, self.kind.options).check(self.name, value)


def setting(
    default: Any,
    help: str,
    kind: Kind | None = None,
    entries: Mapping[str, Settings] | None = None,
    **limits: float,
) -> Any:
    """A field of a dataclass of settings.

    Args:
        default: None means that None is taken, whatever the type.
        help: what it is, in a line.
        kind: what it takes, where the annotation does not say.
        entries: see `Setting`.
        limits: of an `integer` or a `number`.
    """
    return field(default=default, metadata={"setting": (help, kind, entries or {}, limits)})


def _declared(cls: type) -> Iterator[Setting]:
    """The settings that a dataclass holds, its own before those of the classes it derives from."""
    types, each = get_type_hints(cls), {one.name: one for one in fields(cls)}
    for name in dict.fromkeys(name for c in cls.__mro__ for name in c.__dict__ if name in each):
        help, kind, entries, limits = each[name].metadata["setting"]
        yield Setting(name, kind or _kind(types[name], limits), each[name].default, help, entries)


def _kind(annotation: Any, limits: Mapping[str, Any]) -> Kind:
    """What an annotation takes, None aside."""
    if annotation is bool:
        return flag
    if annotation is int:
        return integer(**limits)
    if annotation is float:
        return number(**limits)
    if get_origin(annotation) is Literal:
        return choice(*get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        each = (_kind(one, limits) for one in get_args(annotation) if one is not NoneType)
        return reduce(operator.or_, each)
    raise TypeError(f"{annotation} does not say what it takes; give its kind.")


class Settings:
    """All settings of a model.

    Args:
        declared: a dataclass of fields made by `setting`; None for no settings.
        together: raises InputError if values do not go together; is given them as attributes.
        options: of the model's methods besides, by the method's name.
    """

    def __init__(
        self,
        declared: type | None = None,
        together: Callable[[Any], None] = lambda values: None,
        options: Mapping[str, Settings] | None = None,
    ) -> None:
        self.options = dict(options or {})
        each = () if declared is None else _declared(declared)
        self._declared = {setting.name: setting for setting in each}
        self._together = together

    def __iter__(self) -> Iterator[Setting]:
        return iter(self._declared.values())

    @property
    def names(self) -> tuple[str, ...]:
        """What may be chosen for a fit; the seed is given otherwise."""
        return tuple(name for name in self._declared if name != "random_state")

    def kind(self, name: str) -> Kind:
        """What a setting takes."""
        return self._declared[name].kind

    def check(self, values: Mapping[str, Any]) -> None:
        """Raise InputError if values are wrong or do not go together; what is left out has its
        default."""
        for name, value in values.items():
            if name in self._declared:
                self._declared[name].check(value)
        self._together(SimpleNamespace(**self.values(values)))

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All settings: those given, the rest at their defaults."""
        return {setting.name: setting.default for setting in self} | dict(given)

    def by_origin(
        self, given: Mapping[str, Any], found: Mapping[str, Any]
    ) -> dict[str, dict[str, Any]]:
        """What a fit took: what was "given" and is no default, what was "chosen" where None or a
        word such as "auto" left a setting open, and the rest, each a "default".

        Args:
            found: name -> what the fit took where the setting left it open.
        """
        values = self.values(given)
        origins: dict[str, dict[str, Any]] = {"given": {}, "chosen": {}, "default": {}}
        for setting in self:
            name, value = setting.name, values[setting.name]
            if name not in self.names:
                continue
            # As texts, since arrays have no plain equality; of a loaded fit tuples are lists.
            given_here = repr(plain(value)) != repr(plain(setting.default))
            open_here = (value is None or isinstance(value, str)) and found.get(name) is not None
            if given_here:
                origins["given"][name] = value
            if open_here and found[name] != value:
                origins["chosen"][name] = found[name]
            elif not given_here:
                origins["default"][name] = value
        return origins

    def check_names(
        self,
        owner: str,
        given: Iterable[str],
        noun: str = "setting",
        beside: tuple[str, ...] = (),
    ) -> None:
        """Raise InputError, with the nearest name, if a name is not one of a setting of `owner`.
        `beside` names what it takes besides, which is said."""
        names = (*beside, *self.names)
        for name in given:
            if name not in self.names:
                raise InputError(
                    f"{owner} has no {noun} {name!r}; it has {', '.join(names) or 'none'}."
                    + did_you_mean(name, names)
                )

    def document(self, doc: str | None) -> str | None:
        """A class's docstring with its settings, before its attributes."""
        if doc is None or not self._declared:
            return doc
        about, heading, attributes = cleandoc(doc).partition("\n\nAttributes:\n")
        return f"{about}\n\nArgs:\n{self._lines()}{heading}{attributes}"

    def document_options(self, doc: str | None, method: str) -> str | None:
        """A class's docstring that ends with these settings as the options of a method."""
        if doc is None or not self._declared:
            return doc
        return f"{cleandoc(doc)}\n\nOptions of `{method}`:\n{self._lines(defaults=True)}"

    def _lines(self, defaults: bool = False) -> str:
        """The settings as a docstring has arguments; the defaults of a class's stand in its
        signature."""
        lines = []
        for s in self:
            takes = f"{s.takes}; {s.default!r} if left out" if defaults else s.takes
            lines += textwrap.wrap(
                f"{s.name} ({takes}): {s.help}",
                100,
                initial_indent="    ",
                subsequent_indent=" " * 8,
                break_long_words=False,
                break_on_hyphens=False,
            )
        return "\n".join(lines)

    def table(self) -> dict[str, list[str]]:
        """A column each: names, what they take, defaults, what they are."""
        rows = [(s.name, s.takes, repr(s.default), s.help) for s in self]
        rows += [
            (f"{s.name}[{e.name!r}]", e.takes, repr(e.default), f"{label}: {e.help}")
            for s in self
            for label, entries in s.entries.items()
            for e in entries
        ]
        heads = ("setting", "takes", "default", "what it is")
        return dict(zip(heads, map(list, zip(*rows, strict=True)), strict=True))
