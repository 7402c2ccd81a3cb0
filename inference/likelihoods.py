"""Evidence on discrete variables as arrays of likelihoods.

Evidence on a variable is hard, the number of its state (-1 in a row where it is not observed), or
virtual, likelihoods lambda(x_v) = p(what was seen | x_v). Hard evidence is the virtual evidence
that is 1 at its state and 0 elsewhere.

Reference: Pearl, "Probabilistic reasoning in intelligent systems" (virtual evidence), 1988,
https://doi.org/10.1016/C2009-0-27609-4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..arrays import Floats, Ints
from ..errors import InputError

Evidence = Mapping[int, Any]


def is_hard(value: Any) -> bool:
    """Whether evidence is hard: a state's number, or one a row."""
    return bool(np.issubdtype(np.asarray(value).dtype, np.integer)) and np.ndim(value) <= 1


def likelihoods(sizes: Sequence[int], evidence: Evidence) -> tuple[int | None, dict[int, Floats]]:
    """Evidence as likelihoods.

    Args:
        sizes: how many states each variable has.
        evidence: variable -> hard: int or ints (n,), -1 where a row does not observe it; virtual:
            floats (k,) or (n, k).

    Returns:
        how many rows there are, None where no evidence has an axis of rows; and for each variable
        with evidence its likelihoods, (n, k), or (1, k) where they are the same in every row.

    Raises:
        InputError: if a state is out of range, numbers of rows differ or are 0, or a likelihood is
            negative or not finite, or has another shape.
    """
    n = None
    out = {}
    for variable, value in evidence.items():
        k = sizes[variable]
        lam = _hard(variable, k, value) if is_hard(value) else _virtual(variable, k, value)
        out[variable] = np.atleast_2d(lam)
        if lam.ndim == 2:
            if n not in (None, len(lam)):
                raise InputError(
                    f"evidence on variable {variable} has {len(lam)} rows, and that on another has "
                    f"{n}; give each the same number of rows, or none."
                )
            n = len(lam)
    if n == 0:
        raise InputError("the evidence has no rows; give at least one.")
    return n, out


def split(evidence: Evidence) -> tuple[dict[int, Ints], dict[int, Floats]]:
    """Evidence that is hard, and evidence that is virtual."""
    hard = {v: np.asarray(value) for v, value in evidence.items() if is_hard(value)}
    soft = {v: np.asarray(value, float) for v, value in evidence.items() if v not in hard}
    return hard, soft


def _hard(variable: int, k: int, value: Any) -> Floats:
    states = np.asarray(value)
    if states.size and (states.min() < -1 or states.max() >= k):
        wrong = states[(states < -1) | (states >= k)].flat[0]
        raise InputError(
            f"evidence on variable {variable} is state {wrong}; it has states 0 to {k - 1} (-1: "
            "not observed)."
        )
    lam: Floats = np.where((states == -1)[..., None], 1.0, np.eye(k)[states])
    return lam


def _virtual(variable: int, k: int, value: Any) -> Floats:
    lam = np.asarray(value, dtype=np.float64)
    if lam.ndim not in (1, 2) or lam.shape[-1] != k:
        raise InputError(
            f"evidence on variable {variable} has shape {lam.shape}; expected a state's number, or "
            f"likelihoods ({k},) or (rows, {k})."
        )
    if not (np.isfinite(lam).all() and (lam >= 0).all()):
        raise InputError(
            f"evidence on variable {variable} has a likelihood that is negative or not finite."
        )
    return lam
