"""Rows as a network sees them, an entry a node, and how encoded rows become that and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Mask
from ...data import Codec, Encoded


@dataclass(frozen=True, eq=False)
class NodeRows:
    """n rows over all N nodes of a network, hidden ones included.

    Attributes:
        codes: (n, N) states of discrete nodes; -1 where not known, and for continuous nodes.
        x: (n, N) values of continuous nodes; NaN where not known, and for discrete nodes.
    """

    codes: NDArray[np.int32]
    x: Floats

    @classmethod
    def unknown(cls, n: int, nodes: int) -> Self:
        """Rows of which nothing is known."""
        return cls(np.full((n, nodes), -1, np.int32), np.full((n, nodes), np.nan))

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def known(self) -> Mask:
        """(n, N) which values are known."""
        return (self.codes >= 0) | ~np.isnan(self.x)

    def take(self, rows: slice | NDArray[np.integer] | Mask) -> Self:
        """Some of the rows."""
        return type(self)(self.codes[rows], self.x[rows])

    def agree(self, one: NodeRows) -> bool:
        """Whether the same is known of each row as of a single one."""
        same_x = (self.x == one.x) | (np.isnan(self.x) & np.isnan(one.x))
        return bool((self.codes == one.codes).all() and same_x.all())

    def repeated(self, n: int) -> Self:
        """A single row n times."""
        return type(self)(np.repeat(self.codes, n, axis=0), np.repeat(self.x, n, axis=0))


@dataclass(frozen=True, eq=False)
class Layout:
    """Which node each column of encoded rows is.

    Attributes:
        nodes: how many nodes the network has.
        discrete: (c,) the node of each column of `Encoded.codes`.
        continuous: (d,) the node of each column of `Encoded.x`.
        evidence: one row of what is known of each row beforehand: the values of nodes that are
            conditioned on, which are no columns.
    """

    nodes: int
    discrete: NDArray[np.intp]
    continuous: NDArray[np.intp]
    evidence: NodeRows

    @classmethod
    def of(cls, names: Sequence[str], codec: Codec, evidence: NodeRows | None = None) -> Self:
        """The layout of a codec whose columns are among the nodes of these names."""
        number = {name: node for node, name in enumerate(names)}
        n = len(number)
        discrete = np.array([number[name] for name in codec.discrete_names], np.intp)
        continuous = np.array([number[name] for name in codec.continuous_names], np.intp)
        evidence = NodeRows.unknown(1, n) if evidence is None else evidence
        return cls(n, discrete, continuous, evidence)

    @property
    def columns(self) -> NDArray[np.intp]:
        """The nodes that are columns, in their order."""
        return np.sort(np.concatenate([self.discrete, self.continuous]))

    @property
    def conditioned(self) -> bool:
        """Whether anything is known beforehand."""
        return bool(self.evidence.known.any())

    def spread(self, data: Encoded) -> NodeRows:
        """Encoded rows over the nodes; a level that was never seen says nothing."""
        rows = self.evidence.repeated(len(data))
        rows.codes[:, self.discrete] = np.maximum(data.codes, -1)
        rows.x[:, self.continuous] = data.x
        return rows

    def gathered(self, rows: NodeRows) -> Encoded:
        """The columns of rows over the nodes."""
        codes = np.ascontiguousarray(rows.codes[:, self.discrete])
        x = np.ascontiguousarray(rows.x[:, self.continuous])
        return Encoded(x, codes, np.zeros(len(rows)))
