"""Columns independent of each other: p(x) = prod_j p_j(x_j).

For a continuous column p_j is a kernel density estimate (see `kernel_mixture`); for a discrete one
the smoothed frequencies

    p_j(l) = (n_jl + a) / (n_j + a L_j),        a = 1 pseudo-count for each of L_j levels.

A model that scores better has learnt a dependence between columns. The factors of missing entries
are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...artifact import Arrays
from ...capabilities import Capabilities
from ...conditioned import Imputer
from ...data import Codec, Encoded
from ...family_density import Density
from ...fitting import Fit
from ...rows import Rows
from ...verdict import Reason, warning
from .bandwidth import Bandwidth
from .kernel_mixture import KernelSum, thinned_reasons
from .settings import SETTINGS, IndependentSettings

_PSEUDO_COUNT = 1.0


class IndependentColumns(IndependentSettings, Imputer):
    """Each column by itself.

    Attributes:
        columns_: the kernels of each continuous column, with their `bandwidth`, score
            (`leave_one_out`, in nats a row as encoded), `effective` number and `at_edge`.
        tables_: the shares of the levels of each discrete column.
    """

    name: ClassVar[str] = "independent"
    settings = SETTINGS["independent"]
    codec_: Codec
    capabilities: ClassVar[Capabilities] = Capabilities(
        density="exact",
        discrete="native",
        missing=True,
        imputes=True,
        distribution="differentiable",
        uses=("budget",),
    )

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        rng = fit.rng()
        data = rows.data
        shares = np.ones(len(data)) if rows.weights is None else rows.weights
        units = fit.units()
        placed = []
        for x in data.x.T:
            seen = ~np.isnan(x)
            placed.append(
                KernelSum.placed(x[seen, None], shares[seen], rng, self.max_rows, units[seen])
            )
        self.tables_ = self._tables(data, shares)
        self.columns_, d = [], len(placed)
        with fit.heeding():
            for j, (kernels, of_kernels) in enumerate(placed):
                left = fit.deadline()
                if left == 0:
                    break
                seconds = None if left is None else left / (d - j)
                self.columns_.append(kernels.searched(of_kernels, rng, seconds))
        done = len(self.columns_)
        usual = float(np.median([column.multiple for column in self.columns_] or [1.0]))
        self.columns_ += [k.with_bandwidth(Bandwidth(usual)) for k, _ in placed[done:]]
        named = zip(self.columns_, self.codec_.continuous_names, strict=True)
        reasons = thinned_reasons(self.columns_, "values of a column")
        reasons += [reason for kernels, name in named for reason in kernels.reasons(name)]
        return reasons if done == d else [*reasons, *_unsearched(done, d, fit)]

    def _tables(self, data: Encoded, shares: Floats) -> list[Floats]:
        tables = []
        for codes, levels in zip(data.codes.T, self.codec_.n_levels, strict=True):
            seen = codes >= 0
            counts = np.bincount(codes[seen], weights=shares[seen], minlength=levels)
            tables.append((counts + _PSEUDO_COUNT) / (counts.sum() + _PSEUDO_COUNT * levels))
        return tables

    def _refitted(self, rows: Rows, fit: Fit) -> Self:
        other, rng, data = copy(self), fit.rng(), rows.data
        shares = np.ones(len(data)) if rows.weights is None else rows.weights
        other.columns_ = []
        for column, x in zip(self.columns_, data.x.T, strict=True):
            seen = ~np.isnan(x)
            other.columns_.append(
                column.on(x[seen, None], shares[seen], rng, self.max_rows) if seen.any() else column
            )
        other.tables_ = self._tables(data, shares)
        return other

    def _filled(self, rows: Rows, rng: np.random.Generator | None, **how: Any) -> Encoded:
        data = rows.data
        if rng is None:
            means = np.array([column.expected()[0] for column in self.columns_])
            likeliest = np.array([table.argmax() for table in self.tables_], dtype=np.int32)
            filling = Encoded(means, likeliest, np.zeros(1))
        else:
            filling = self._sample(len(data), rng, None, None)
        x = np.where(np.isnan(data.x), filling.x, data.x)
        return Encoded(x, np.where(data.codes == -1, filling.codes, data.codes), data.log_det)

    def _log_prob(self, rows: Rows, **how: Any) -> Density:
        data, total = rows.data, np.zeros(len(rows))
        for j, column in enumerate(self.columns_):
            seen = ~np.isnan(data.x[:, j])
            total[seen] += column.log_prob(data.x[seen, j : j + 1])
        for codes, table in zip(data.codes.T, self.tables_, strict=True):
            seen = codes >= 0
            total[seen] += np.log(table[codes[seen]])
            total[codes == -2] = -np.inf
        return Density(total)

    def _sample(
        self,
        n: int,
        rng: np.random.Generator,
        given: Encoded | None,
        context: Floats | None,
        **how: Any,
    ) -> Encoded:
        x = np.empty((n, len(self.columns_)))
        for j, column in enumerate(self.columns_):
            x[:, j] = column.sample(n, rng)[:, 0]
        codes = np.empty((n, len(self.tables_)), np.int32)
        for j, table in enumerate(self.tables_):
            codes[:, j] = rng.choice(len(table), size=n, p=table)
        return Encoded(x, codes, np.zeros(n))

    def _distribution(self, backend: Literal["numpyro", "pyro"], context: Floats | None) -> Any:
        from ..distributions.columns import Columns
        from ..distributions.components import Components
        from ..distributions.making import of_components

        columns = Columns.of(self.codec_, type(self).__name__)
        named = zip(self.columns_, columns.continuous, strict=True)
        parts = [kernels.components(np.array([place])) for kernels, place in named]
        one, none = np.ones(1), np.empty(0, np.intp)
        for table, place in zip(self.tables_, columns.discrete, strict=True):
            of_levels = (table[None],)
            parts.append(
                Components(one, none, np.array([place]), np.empty((1, 0)), tables=of_levels)
            )
        return of_components(parts, columns, backend)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        arrays: dict[str, NDArray[Any]] = {}
        for j, column in enumerate(self.columns_):
            arrays |= {f"column.{j}.{name}": array for name, array in column.arrays().items()}
        for j, table in enumerate(self.tables_):
            arrays[f"table.{j}"] = table
        return {"columns": len(self.columns_), "tables": len(self.tables_)}, arrays

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        self.columns_ = [
            KernelSum.from_arrays(
                {k.rsplit(".", 1)[1]: v for k, v in arrays.items() if k.startswith(f"column.{j}.")}
            )
            for j in range(state["columns"])
        ]
        self.tables_ = [arrays[f"table.{j}"] for j in range(state["tables"])]


def _unsearched(done: int, d: int, fit: Fit) -> list[Reason]:
    """What is said where the budget, or an interrupt, ended the search for bandwidths."""
    rest = "have their usual multiple of Scott's rule" if done else "have Scott's rule"
    left = "the interrupt" if fit.interrupted else "the budget"
    what = f"{left} left time to search for the bandwidths of {done} of {d} columns; the others"
    return warning(f"{what} {rest}.", "Raise the budget.")
