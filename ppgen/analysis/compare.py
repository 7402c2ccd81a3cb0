"""Which model gives held-out rows the higher density, and whether that is decided.

Models are ranked by their mean log density a row, and each is set against the best by paired
differences on identical rows (`paired`), which know bounds, decided at once for all pairs of models
of a measure (`limits`). Different measures are never ranked together, nor are densities of rows
with noise added and without. NaN never ranks; rows of probability zero are counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import html
from ..density import KIND_WORDS, LogDensity
from ..digits import plus_minus, with_error
from ..errors import InputError
from .finding import VERDICTS, Ranked, deciding, finding, headline, scope
from .limits import Family
from .paired import Difference, Scored, claim, difference, mean_of, monte_carlo, names_of
from .scatter import Scatter


@dataclass(frozen=True)
class Comparison:
    """The models, best first, one measure after the other; and the finding in one sentence.

    Attributes:
        scope: at what level what is decided holds, and of what, in words.
    """

    models: tuple[Ranked, ...]
    finding: str
    scope: str = ""

    @property
    def headline(self) -> str:
        """The finding in a few words."""
        return headline(self.models)

    def __getitem__(self, name: str) -> Ranked:
        return {model.name: model for model in self.models}[name]

    def __iter__(self) -> Iterator[Ranked]:
        return iter(self.models)

    def __len__(self) -> int:
        return len(self.models)

    def __str__(self) -> str:
        lines = [self.finding]
        for m in self.models:
            words = f"{m.rank or '-':>3}  {m.name:<16} {plus_minus(m.mean, m.stderr):>20}  {m.kind}"
            if m.difference is not None:
                d = m.difference
                margin, least = (with_error(v, d.stderr)[0] for v in (d.margin, d.detectable))
                words += f"  {plus_minus(d.mean, d.stderr, sign='+')}, decided beyond {margin}"
                words += f" (4 times in 5 from {least} on)"
            lines.append(f"{words}  {m.verdict}")
        return "\n".join([*lines, *self._undecided(), self.scope])

    def _undecided(self) -> list[str]:
        return [f"{m.name}: {words}" for m in self.models if (words := deciding(m))]

    def _repr_html_(self) -> str:
        return html.block(html.line(self.finding, strong=True), self.html_table())

    def html_table(self) -> str:
        """The lines as HTML, without the finding."""
        rows = [
            (
                m.rank,
                m.name,
                plus_minus(m.mean, m.stderr),
                KIND_WORDS[m.kind],
                m.difference and plus_minus(m.difference.mean, m.difference.stderr, sign="+"),
                m.verdict,
            )
            for m in self.models
        ]
        head = ("rank", "model", "nats a row", "known as", "to the best", "decided")
        return html.table(head, rows) + "".join(map(html.line, [*self._undecided(), self.scope]))


def compare(scored: Iterable[Scored | tuple[Any, ...]]) -> Comparison:
    """Rank models by their log densities of held-out rows.

    Args:
        scored: `Scored`s, or tuples (name, LogDensity), (name, LogDensity, seed) or (name,
            LogDensity, seed, rows). The densities of one seed must be of the same rows in the same
            order. `rows` (n,) names the rows: rows of one name are one draw, in a seed (copies,
            members of a group) and over seeds. Without names the rows are the same at every seed.

    Returns:
        The models in order, with paired differences to the best, in nats a row. In a table of equal
        models any is called behind with a chance of 5 % at most; with one seed that is said of
        these fits on new rows, with several of fits of these settings.

    Raises:
        InputError: if two densities of one seed differ in length or in the names of their rows, if
            rows without names are not as many at every seed, a name and seed come twice, or what is
            given has another form.
    """
    groups: dict[str, list[list[Scored]]] = {}
    for model in _by_model([_scored(s) for s in scored]).values():
        groups.setdefault(claim(model).variable, []).append(model)
    ordered = sorted(groups.values(), key=len, reverse=True)
    lines = [line for group in ordered for line in _rank(group)]
    return Comparison(tuple(lines), finding(lines), scope(lines))


def _scored(given: Any) -> Scored:
    if isinstance(given, Scored):
        return given
    parts = given if isinstance(given, tuple) else ()
    if not 2 <= len(parts) <= 4 or not isinstance(parts[1], LogDensity):
        kinds = ", ".join(type(part).__name__ for part in parts)
        what = f"a tuple of {kinds}" if parts else type(given).__name__
        raise InputError(
            f"{what} was given; expected (name, LogDensity), with a seed and names of the rows if "
            'there are any, such as ("gmm", gmm.log_density(X)).'
        )
    return Scored(*parts)


def _names(scored: Sequence[Scored]) -> dict[int, NDArray[Any]]:
    """The names of each seed's rows, as numbers."""
    given: dict[int, NDArray[Any]] = {}
    for s in scored:
        if s.rows is None:
            continue
        rows = np.asarray(s.rows)
        if rows.shape != (len(s.density),):
            raise InputError(
                f"{s.name} has {len(s.density)} rows and names of shape {rows.shape} for seed "
                f"{s.seed}; expected one name a row."
            )
        if not np.array_equal(given.setdefault(s.seed, rows), rows):
            raise InputError(
                f"the rows of seed {s.seed} have other names for {s.name} than for the models "
                "before it; a comparison needs the same rows in the same order."
            )
    lengths = {s.seed: len(s.density) for s in scored}
    unnamed = [seed for seed in lengths if seed not in given]
    if len(unnamed) < len(lengths) and unnamed:
        raise InputError(
            f"rows have names for some seeds and none for seed {unnamed[0]}; give `rows` for all "
            "seeds, so that a row that several seeds hold out counts once."
        )
    if unnamed:
        if len(sizes := sorted(set(lengths.values()))) > 1:
            raise InputError(
                f"seeds have {', '.join(map(str, sizes))} rows and no names; rows without names "
                "are taken for the same rows at every seed. Name them by `rows`."
            )
        given = {seed: np.arange(n) for seed, n in lengths.items()}
    numbers = np.unique(np.concatenate(list(given.values())), return_inverse=True)[1]
    ends = np.cumsum([len(rows) for rows in given.values()])
    return dict(zip(given, np.split(numbers, ends[:-1]), strict=True))


def _by_model(scored: Sequence[Scored]) -> dict[str, list[Scored]]:
    runs: dict[str, list[Scored]] = {}
    first: dict[int, Scored] = {}
    for s in scored:
        other = first.setdefault(s.seed, s)
        if len(other.density) != len(s.density):
            raise InputError(
                f"{other.name} has {len(other.density)} rows and {s.name} {len(s.density)} for "
                f"seed {s.seed}; a comparison needs the same rows. Score both on the same rows."
            )
        model = runs.setdefault(s.name, [])
        if any(earlier.seed == s.seed for earlier in model):
            raise InputError(
                f"{s.name} comes twice for seed {s.seed}; expected each name and seed once. "
                "Give every model its own name."
            )
        model.append(s)
    if scored:
        names = _names(scored)
        runs = {
            name: [replace(s, rows=names[s.seed]) for s in model] for name, model in runs.items()
        }
    return runs


def _rank(group: list[list[Scored]]) -> list[Ranked]:
    able = [m for m in group if all(_rankable(s) for s in m)]
    common = set.intersection(*({s.seed for s in m} for m in able)) if able else set()

    def value(model: list[Scored]) -> float:
        chosen = [s for s in model if s.seed in common] or model
        return mean_of(np.array([mean_of(s.density.values) for s in chosen]))

    able.sort(key=value, reverse=True)
    # An upper bound may be high because it is loose: others are compared with it last.
    loose = (m for m in able if claim(m).kind != "upper_bound")
    best = next(loose, able[0] if able else None)
    family = _family(able, common)
    lines = [
        _line(m, place, None if best is None or m is best else difference(m, best, family))
        for place, m in enumerate(able, start=1)
    ]
    return lines + [_line(m, None, None) for m in group if m not in able]


def _family(models: Sequence[list[Scored]], common: set[int]) -> Family:
    """What the limits of these models' differences hold for at once."""
    finite = [m for m in models if all(np.isfinite(s.density.values).all() for s in m)]
    held = [sorted((s for s in m if s.seed in common), key=lambda s: s.seed) for m in finite]
    values = [
        np.stack([np.asarray(s.density.values, np.float64) for s in of_seed], axis=1)
        for of_seed in zip(*held, strict=True)
    ]
    return Family.over(len(models), values, names_of(held[0]) if held else [])


def _rankable(s: Scored) -> bool:
    values = s.density.values
    return len(values) > 0 and not (np.isnan(values) | np.isposinf(values)).any()


def _line(model: list[Scored], rank: int | None, against: Difference | None) -> Ranked:
    values = [np.asarray(s.density.values, np.float64) for s in model]
    means = np.array([mean_of(v) for v in values])
    stderr = spread = math.nan
    if np.isfinite(means).all():
        noise = (monte_carlo(s.density) / len(model) for s in model)
        rows = Scatter.of([v[:, None] for v in values], names_of(model))
        stderr = math.hypot(float(rows.within[0]), *noise)
        spread = float(np.std(means, ddof=1)) if len(means) > 1 else math.nan
    verdict = "best" if rank else "not ranked: not a finite density"
    if against is not None:
        undecided = "bound" if against.outcome == "bound" else against.note
        verdict = VERDICTS.get(against.outcome, f"undecided: {undecided}")
    claimed = claim(model)
    return Ranked(
        name=model[0].name,
        rank=rank,
        mean=mean_of(means),
        stderr=stderr,
        spread=spread,
        kind=claimed.kind,
        method=claimed.method,
        measure=claimed.variable,
        dequantised=tuple(claimed.dequantised),
        n_seeds=len(model),
        n_rows=sum(len(v) for v in values),
        zero_rows=int(sum(np.isneginf(v).sum() for v in values)),
        nan_rows=int(sum(np.isnan(v).sum() for v in values)),
        difference=against,
        verdict=verdict,
    )
