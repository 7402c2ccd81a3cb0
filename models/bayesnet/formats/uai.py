"""UAI: the format of the inference competitions, with evidence and results beside the model.

    MARKOV                              or BAYES
    3                                   variables
    2 2 3                               how many states each has
    2                                   factors
    2 0 1                               how many variables a factor has, and which
    3 0 1 2
    4   .436 .574 .128 .920             how many entries its table has, and they: the last
    12  ...                             variable's state varies fastest

In BAYES each factor is the table of its last variable given the others. Evidence (`.evid`) is the
number of observed variables, then each with its state. There are no names: variables are called
"0", "1", ..., and their states are 0, 1, ...; writing keeps the order and loses other names.

Reference: "UAI 2014 inference competition, file formats",
https://www.ics.uci.edu/~dechter/softwares/benchmarks/Uai14/UAI_2014_Inference_Competition.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import islice

import numpy as np

from ....arrays import Floats
from ....data.memory_limit import check_memory
from ....errors import InputError
from ..factors import Factors
from ..network import Network
from .draft import Draft
from .source import Source, shown
from .written import numbers, tables


class _Words:
    """The words of a file, read one after the other."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.words = source.text.split()
        self.at = 0

    def place(self, at: int) -> int:
        """Where a word stands."""
        words = re.finditer(r"\S+", self.source.text)
        match = next(islice(words, at, None), None)
        return match.start() if match else len(self.source.text)

    def error(self, problem: str, back: int = 0) -> InputError:
        """The error that there is a problem with the next word, or one that has been taken."""
        return self.source.error(self.place(self.at - back), problem)

    def take(self, what: str) -> str:
        """The next word."""
        if self.at >= len(self.words):
            raise self.error(f"found the end of the file; expected {what}.")
        self.at += 1
        return self.words[self.at - 1]

    def integer(self, what: str, below: int | None = None) -> int:
        """A number 0, 1, ..., below a limit."""
        word = self.take(what)
        if not (word.isascii() and word.isdecimal() and len(word) < 19):
            raise self.error(f"found {shown(word)}; expected {what}.", back=1)
        if below is not None and int(word) >= below:
            raise self.error(f"found {shown(word)}; expected {what}, at most {below - 1}.", back=1)
        return int(word)

    def numbers(self, count: int, what: str) -> Floats:
        """So many numbers that are not negative."""
        words = self.words[self.at : self.at + count]
        try:
            values = np.fromiter(map(float, words), np.float64, len(words))
            plain = "_" not in self.source.text and bool(
                (np.isfinite(values) & (values >= 0)).all()
            )
        except ValueError:
            plain = False
        if not plain:
            for word in words:
                self.at += 1
                if self.source.number(word, self.place(self.at - 1), what) < 0:
                    raise self.error(f"found {word!r}; expected {what}, not negative.", back=1)
        self.at += len(words)
        if len(words) < count:
            raise self.error(f"found the end of the file; expected {what}, {count} in all.")
        return values

    def end(self) -> None:
        """Raise InputError if there are words left."""
        if self.at < len(self.words):
            raise self.error(f"found {shown(self.words[self.at])}; expected the end of the file.")


def read(source: Source) -> Network | Factors:
    """The network (BAYES) or factor graph (MARKOV) of a UAI file."""
    kind, factors, places = _read(source)
    return factors if kind == "MARKOV" else _network(source, factors, places)


def read_factors(source: Source) -> Factors:
    """The factor graph of a UAI file of either kind."""
    return _read(source)[1]


def _read(source: Source) -> tuple[str, Factors, list[int]]:
    """The kind of the file, its factors, and the numbers of the words where they are declared."""
    words = _Words(source)
    kind = words.take("MARKOV or BAYES")
    if kind not in ("MARKOV", "BAYES"):
        raise words.error(f"found {shown(kind)}; expected MARKOV or BAYES.", back=1)
    n = words.integer("the number of variables")
    sizes = []
    for variable in range(n):
        sizes.append(words.integer(f"the number of states of variable {variable}"))
        if not sizes[-1]:
            raise words.error(f"variable {variable} has no states; expected one or more.", back=1)
    scopes, places = [], []
    for factor in range(words.integer("the number of factors")):
        places.append(words.at)
        size = words.integer(f"the number of variables of factor {factor}", below=n + 1)
        scope = tuple(words.integer(f"a variable of factor {factor}", below=n) for _ in range(size))
        if len(set(scope)) < size:
            raise words.error(f"factor {factor} names a variable twice.", back=size)
        scopes.append(scope)
    tables = []
    for factor, scope in enumerate(scopes):
        shape = [sizes[variable] for variable in scope]
        entries = math.prod(shape)
        found = words.integer(f"the number of entries of table {factor}")
        if found != entries:
            asked = " x ".join(map(str, shape)) or "1"
            raise words.error(
                f"table {factor} is said to have {found} entries; its variables "
                f"{', '.join(map(str, scope))} ask for {asked} = {entries}.",
                back=1,
            )
        check_memory(f"table {factor} of {source.name}", 8 * entries)
        tables.append(words.numbers(entries, f"an entry of table {factor}").reshape(shape))
    words.end()
    names = tuple(map(str, range(n)))
    states = tuple(tuple(range(size)) for size in sizes)
    return kind, Factors(names, states, tuple(scopes), tuple(tables)), places


def _network(source: Source, factors: Factors, places: list[int]) -> Network:
    draft = Draft(source)
    words = [match.start() for match in re.finditer(r"\S+", source.text)]
    for variable, states in enumerate(factors.states):
        draft.node(str(variable), states, words[2 + variable])
    for scope, table, at in zip(factors.scopes, factors.tables, places, strict=True):
        place = words[at]
        if not scope:
            raise source.error(place, "a factor of a BAYES file has no variables; expected one.")
        *parents, child = scope
        draft.family([(factors.names[v], place) for v in (child, *parents)])
        draft.table(factors.names[child], table, place)
    return draft.network()


def text(model: Network | Factors) -> str:
    """A network as a BAYES file, a factor graph as a MARKOV file; names are lost."""
    if isinstance(model, Network):
        kind, arrays = "BAYES", list(tables(model, "UAI"))
        scopes = [(*parents, node) for node, parents in enumerate(model.dag.parents)]
    else:
        kind, arrays, scopes = "MARKOV", list(model.tables), list(model.scopes)
    lines = [kind, str(len(model.names)), " ".join(map(str, model.sizes)), str(len(scopes))]
    lines += [" ".join(map(str, (len(scope), *scope))) for scope in scopes]
    for array in arrays:
        rows = array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)
        lines += ["", str(array.size), *(f" {numbers(row, ' ')}" for row in rows)]
    return "\n".join(lines) + "\n"


def read_evidence(source: Source, sizes: tuple[int, ...]) -> dict[int, int]:
    """The observed variables of an evidence file, with their states.

    One set of evidence is read, with or without the number of sets (1) before it.

    Args:
        sizes: how many states each variable of the model has.
    """
    words = _Words(source)
    if not words.words:
        return {}
    if words.words[0] == "1" and len(words.words) % 2 == 0:
        words.at = 1
    evidence: dict[int, int] = {}
    for _ in range(words.integer("the number of observed variables", below=len(sizes) + 1)):
        variable = words.integer("an observed variable", below=len(sizes))
        state = words.integer(f"a state of variable {variable}", below=sizes[variable])
        if evidence.setdefault(variable, state) != state:
            raise words.error(f"variable {variable} is observed in two states.", back=2)
    words.end()
    return evidence


def evidence_text(evidence: Mapping[int, int]) -> str:
    """Evidence as a file."""
    pairs = (word for pair in evidence.items() for word in pair)
    return " ".join(map(str, (len(evidence), *pairs))) + "\n"


def read_log10_z(source: Source) -> float:
    """The log10 of Z of a result file (`.PR`)."""
    words = _Words(source)
    if words.take("PR") != "PR":
        raise words.error("expected PR.", back=1)
    word = words.take("log10 of Z")
    value = source.number(word, words.place(words.at - 1), "log10 of Z")
    words.end()
    return value


def read_marginals(source: Source) -> list[Floats]:
    """The marginals of a result file (`.MAR`), of each variable."""
    words = _Words(source)
    if words.take("MAR") != "MAR":
        raise words.error("expected MAR.", back=1)
    marginals = []
    for variable in range(words.integer("the number of variables")):
        size = words.integer(f"the number of states of variable {variable}")
        marginals.append(words.numbers(size, f"a probability of variable {variable}"))
    words.end()
    return marginals
