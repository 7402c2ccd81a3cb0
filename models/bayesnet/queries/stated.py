"""Evidence that is no state: how likely what was seen is in each state, or how states are
distributed.

Reference: Pearl, "Probabilistic reasoning in intelligent systems" (virtual evidence), 1988,
https://doi.org/10.1016/C2009-0-27609-4; Jeffrey, "The logic of decision" (soft evidence), 1965.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....arrays import Floats
from ....errors import InputError
from ..labelled import Labelled


@dataclass(frozen=True)
class OverStates:
    """Numbers for the states of a node: a mapping from their labels, those left out being 0, or a
    sequence in their order."""

    values: Mapping[Any, float] | Sequence[float]

    def array(self, nodes: Labelled, node: int) -> Floats:
        """(k,) in the order of the states."""
        name, k = nodes.names[node], nodes.sizes[node]
        what = type(self).__name__
        if not k:
            raise InputError(f"a {what} is given of {name!r}, which is continuous; give a value.")
        if isinstance(self.values, Mapping):
            out = np.zeros(k)
            for label, value in self.values.items():
                out[nodes.state(name, label)] = value
        else:
            out = np.asarray(self.values, dtype=np.float64)
        if out.shape != (k,) or not np.isfinite(out).all() or (out < 0).any() or not out.any():
            shown = " ".join(repr(self.values).split())
            raise InputError(
                f"the {what} of {name!r} is {shown}; expected {k} numbers, none below 0 "
                "and not all 0."
            )
        return out


@dataclass(frozen=True)
class Likelihood(OverStates):
    """Virtual evidence: p(what was seen | state), up to a factor, such as
    `Likelihood({"yes": 0.9, "no": 0.2})` of a test that was positive."""


@dataclass(frozen=True)
class Distribution(OverStates):
    """Soft evidence: the node is distributed so, all else considered (Jeffrey's rule), such as
    `Distribution({"yes": 0.7, "no": 0.3})`."""

    def array(self, nodes: Labelled, node: int) -> Floats:
        """(k,) probabilities in the order of the states."""
        out = super().array(nodes, node)
        if abs(out.sum() - 1) > 1e-6:
            raise InputError(
                f"the Distribution of {nodes.names[node]!r} sums to {out.sum():.6g}; expected 1."
            )
        normalised: Floats = out / out.sum()
        return normalised
