"""What nets see of the rows of a table, and back.

An encoded row (see `data.codec`) is numbers, whose cells are filled in where they are rounded or
counted, and numbers of levels. Nets see

- a number as the normal score of its rank (see `margins`), or as it is encoded;
- a number of few distinct values, such as years of schooling, as levels, one for each value;
- a discrete column as its levels,

the numbers first. Of these columns the model makes some; the others it is told, in a GAN with the
discriminator: those that are conditioned on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import logit

from ...arrays import Array, Floats, Hashes, Mask
from ...data import Codec, Encoded
from ...data.warp import Warp
from .margins import Margins
from .smooth_margins import LOGISTIC, SmoothMargin, SmoothMargins, log_logistic
from .values import Values

FEW = 20  # distinct values of a number up to which they are levels
_PLACES = 33  # quantiles within each
_LEAST = 1e-9  # of a place within a level, and of a share
_EACH = 10  # rows a value, on average, from which few values are no accident


@dataclass(frozen=True, eq=False)
class Few:
    """A number of few distinct values, each filled in within its cell.

    Attributes:
        edges: (L - 1,) encoded numbers where one ends and the next begins.
        places: (L, q) quantiles of the encoded numbers within each, from the least to the greatest.
        around: b, m and w of `smooth_margins`: within each level, numbers are logistic with the
            share b, so that there is a density everywhere.
    """

    edges: Floats
    places: Floats
    around: tuple[float, float, float] = (0.0, 0.0, 1.0)

    @classmethod
    def fit(cls, x: Floats, values: Floats, warp: Warp | None = None) -> Self | None:
        """That of (n,) encoded numbers of these values; None where there are too many of them.

        Args:
            warp: that encoded them, for a density; None takes numbers to be where they are.
        """
        distinct, group = np.unique(values, return_inverse=True)
        if not 2 <= len(distinct) <= min(FEW, len(x) // _EACH):
            return None
        order = np.argsort(x, kind="stable")
        first = np.flatnonzero(np.diff(group[order], prepend=-1))
        if len(first) != len(distinct):  # a circle, whose cut divides a value
            return None
        last = np.append(first[1:], len(x)) - 1
        ends = x[order[first]], x[order[last]]
        shares = np.linspace(0.0, 1.0, _PLACES)
        if warp is None:
            places = np.array([np.quantile(x[group == k], shares) for k in group[order[first]]])
            return cls((ends[1][:-1] + ends[0][1:]) / 2, places)
        cells = [warp.forward(np.full(_PLACES, value), shares)[0] for value in values[order[first]]]
        places = np.maximum.accumulate(np.array(cells), axis=1) + _LEAST * np.arange(_PLACES)
        around = (1 / (1 + len(x)), float(x.mean()), max(LOGISTIC * float(x.std()), _LEAST))
        return cls((places[:-1, -1] + places[1:, 0]) / 2, places, around)

    def codes(self, x: Floats) -> Floats:
        """(n,) numbers of the levels, NaN where x is."""
        return np.where(np.isnan(x), np.nan, np.searchsorted(self.edges, x).astype(np.float64))

    def numbers(self, codes: Floats, u: Floats) -> Floats:
        """(n,) encoded numbers of levels, NaN of -1, at places (n,) in [0, 1) within each."""
        b, m, w = self.around
        out = u < b
        level, at = codes.astype(np.intp), np.where(out, 0.0, (u - b) / (1 - b)) * (_PLACES - 1)
        left = at.astype(np.intp)
        low, high = self.places[level, left], self.places[level, left + 1]
        x = low + (at - left) * (high - low)
        if out.any():
            x[out] = m + w * logit(np.clip(u[out] / b, _LEAST, 1 - _LEAST))
        return np.where(codes < 0, np.nan, x)

    def log_density(self, x: Floats) -> Floats:
        """(n,) log densities of encoded numbers given their levels, NaN where they are."""
        b, m, w = self.around
        places = self.places[np.searchsorted(self.edges, x)]
        at = (places <= x[:, None]).sum(1) - 1
        left = np.clip(at, 0, _PLACES - 2)[:, None]
        width = np.take_along_axis(places, left + 1, 1) - np.take_along_axis(places, left, 1)
        inside = np.where(at == left[:, 0], (1 - b) / (_PLACES - 1) / width[:, 0], 0.0)
        with np.errstate(divide="ignore"):
            found: Floats = np.logaddexp(np.log(inside), np.log(b) + log_logistic(x, m, w))
        return found


@dataclass(frozen=True, eq=False)
class TableMap:
    """The map of encoded rows to the values that nets see, and back.

    Attributes:
        plain: which of the encoded numbers stay numbers.
        margins: of these; None where they are seen as they are encoded.
        few: of the others, in order.
        levels: how many each of the discrete columns has.
        names: of all values: numbers, numbers as levels, levels.
        told: which of them the model is told.
    """

    plain: Mask
    margins: Margins | SmoothMargins | None
    few: tuple[Few, ...]
    levels: tuple[int, ...]
    names: tuple[str, ...]
    told: Mask

    @classmethod
    def fit(
        cls,
        codec: Codec,
        data: Encoded,
        weights: Floats | None = None,
        *,
        ranks: bool = True,
        smooth: bool = False,
        told: Collection[str] = (),
        units: Hashes | None = None,
    ) -> Self:
        """The map for encoded rows, weighted if so given.

        Args:
            ranks: whether numbers are seen as the scores of their ranks, and few values as levels.
            smooth: whether in such a way that their density is known (`log_det`).
            told: names of the columns that the model is told.
            units: (n,) which rows are one draw, where margins are smooth; None takes each for one.
        """
        if weights is not None and (weights == 0).any():
            kept = np.flatnonzero(weights > 0)
            data, weights = data.take(kept), weights[kept]
            units = None if units is None else units[kept]
        names = codec.continuous_names
        few: dict[str, Few] = {}
        margins: Margins | SmoothMargins | None = None
        if ranks:
            written, warps = codec.decode(data), codec.warps if smooth else [None] * len(names)
            each = list(zip(names, data.x.T, warps, strict=True))
            found = {name: Few.fit(x, written[name], warp) for name, x, warp in each}
            few = {name: one for name, one in found.items() if one is not None}
            margins = Margins.fit(data.x[:, [name not in few for name in names]], weights)
            if smooth:
                rest = [(name, x, warp) for name, x, warp in each if warp and name not in few]
                fits = (SmoothMargin.fit(x, written[n], w, weights, units) for n, x, w in rest)
                margins = SmoothMargins(tuple(fits))
        plain = np.array([name not in few for name in names], bool)
        order = [*(name for name in names if name not in few), *few, *codec.discrete_names]
        return cls(
            plain,
            margins,
            tuple(few.values()),
            codec.n_levels,
            tuple(order),
            np.array([name in told for name in order], bool),
        )

    @property
    def made(self) -> Values:
        """The values that the model makes."""
        return self._values(~self.told)

    @property
    def context(self) -> Values:
        """The values that it is told."""
        return self._values(self.told)

    @property
    def told_names(self) -> tuple[str, ...]:
        """Names of the values that it is told."""
        return tuple(name for name, is_so in zip(self.names, self.told, strict=True) if is_so)

    @property
    def tied(self) -> bool:
        """Whether rows have places within ties that `split` draws."""
        return self.margins is not None and self.margins.tied

    def split(self, data: Encoded, rng: np.random.Generator | None = None) -> tuple[Floats, Floats]:
        """(n, D) values to be made and (n, k) values told of encoded rows; NaN is no value, -2 a
        level that the fit never saw. `rng` draws places within ties; None takes the middles."""
        x = data.x[:, self.plain]
        numbers = x if self.margins is None else self.margins.scores(x, rng)
        rest = data.x[:, ~self.plain]
        few = [one.codes(rest[:, j]) for j, one in enumerate(self.few)]
        codes = np.where(data.codes == -1, np.nan, data.codes.astype(np.float64))
        every = np.column_stack([numbers, *few, codes])
        return every[:, ~self.told], every[:, self.told]

    def joined(self, made: Floats, told: Floats, rng: np.random.Generator | None = None) -> Encoded:
        """Values (n, D) and (n, k), without gaps, as encoded rows; `rng` draws places within the
        values that are few, None takes the middles."""
        every = np.empty((len(made), len(self.told)))
        every[:, ~self.told], every[:, self.told] = made, told
        plain, few = int(self.plain.sum()), len(self.few)
        x = np.empty((len(every), len(self.plain)))
        numbers = every[:, :plain]
        x[:, self.plain] = numbers if self.margins is None else self.margins.numbers(numbers)
        codes = np.rint(every[:, plain:])
        u = np.full((len(x), few), 0.5) if rng is None else rng.random((len(x), few))
        each = [one.numbers(codes[:, j], u[:, j]) for j, one in enumerate(self.few)]
        x[:, ~self.plain] = np.column_stack([np.empty((len(x), 0)), *each])
        return Encoded(x, codes[:, few:].astype(np.int32), np.zeros(len(x)))

    def log_det(self, data: Encoded) -> Floats:
        """(n,) what is added to log densities of the values made to have those of encoded numbers;
        of smooth maps."""
        if not isinstance(self.margins, SmoothMargins):
            return np.zeros(len(data))
        x, rest = data.x[:, self.plain], data.x[:, ~self.plain]
        few = (one.log_density(rest[:, j])[:, None] for j, one in enumerate(self.few))
        every = np.column_stack([self.margins.log_slopes(x), *few])
        return np.asarray(np.nansum(every[:, ~self.told[: every.shape[1]]], axis=1))

    def _values(self, which: Mask) -> Values:
        plain = int(self.plain.sum())
        sizes = (*(len(one.places) for one in self.few), *self.levels)
        kept = zip(sizes, which[plain:], strict=True)
        return Values(int(which[:plain].sum()), tuple(size for size, is_so in kept if is_so))

    def state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """What a saved run keeps: plain values and arrays."""
        arrays: dict[str, Array] = {"plain": self.plain, "told": self.told}
        for j, one in enumerate(self.few):
            arrays |= {f"few/{j}/edges": one.edges, f"few/{j}/places": one.places}
            arrays[f"few/{j}/around"] = np.array(one.around, np.float64)
        if self.margins is not None:
            arrays |= {f"margins/{name}": a for name, a in self.margins.arrays().items()}
        state = {"levels": list(self.levels), "few": len(self.few), "names": list(self.names)}
        return state, arrays

    @classmethod
    def of(cls, state: Mapping[str, Any], arrays: Mapping[str, Array]) -> Self:
        """The map that `state` gave."""
        ranked = {k.removeprefix("margins/"): a for k, a in arrays.items() if "margins/" in k}
        few = (_few(arrays, f"few/{j}/") for j in range(state["few"]))
        margins: type[Margins | SmoothMargins] = SmoothMargins if "shape" in ranked else Margins
        return cls(
            arrays["plain"].astype(bool),
            margins.of(ranked) if ranked else None,
            tuple(few),
            tuple(state["levels"]),
            tuple(state["names"]),
            arrays["told"].astype(bool),
        )


def _few(arrays: Mapping[str, Array], start: str) -> Few:
    around = arrays.get(f"{start}around", (0.0, 0.0, 1.0))
    b, m, w = (float(number) for number in around)
    return Few(arrays[f"{start}edges"], arrays[f"{start}places"], (b, m, w))


def features(values: Values, x: Floats) -> Floats:
    """(n, F) what nets see of values (n, D): numbers, and an indicator of each level."""
    blocks = enumerate(values.levels, values.numbers)
    each = [x[:, j, None] == np.arange(count) for j, count in blocks]
    return np.column_stack([x[:, : values.numbers], *each])
