"""Splits that depend on a seed and on what the rows say, and on nothing else.

Each row is hashed; rows are ordered by hash and cut where the fractions fall. Equal rows have equal
hashes and stay together, so no test row is a copy of one trained on; the order of the rows plays no
part.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

if TYPE_CHECKING:
    from .dataset import Dataset

Hashes = NDArray[np.uint64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ROWS = 1 << 16


def split_rows(
    data: Dataset, fractions: tuple[float, float, float] = (0.8, 0.1, 0.1), seed: int = 0
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Row numbers of the train, valid and test parts, each ascending.

    Raises:
        InputError: if the fractions are not positive and sum to one, or a part comes out empty.
    """
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-9:
        raise InputError(
            f"fractions are {fractions}; expected three positive numbers that sum to 1."
        )
    distinct, first, counts = np.unique(
        row_hashes(data, seed), return_inverse=True, return_counts=True
    )
    # The middle of a group of equal rows decides where the group goes.
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()
    part = np.searchsorted(np.cumsum(fractions)[:2], middle, side="right")
    of_row = part[first]
    train, valid, test = (np.flatnonzero(of_row == p) for p in range(3))
    if not (len(train) and len(valid) and len(test)):
        raise InputError(
            f"{len(data)} rows, {len(distinct)} of them distinct, are too few to split into "
            "train, valid and test parts. "
            "Give more rows."
        )
    return train, valid, test


def row_hashes(data: Dataset, seed: int = 0) -> Hashes:
    """(n,) 64-bit hashes of the rows' contents."""
    state = np.full(
        len(data), mix(np.array([seed & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64))[0], dtype=np.uint64
    )
    if data.images is not None or data.schema.sequence:
        rows = data.images if data.images is not None else data.sequences
        return mix(
            state
            ^ np.array([_digest(np.ascontiguousarray(r).tobytes()) for r in rows], dtype=np.uint64)
        )
    for values in data.columns.values():
        hashed = _float_bits(values) if values.dtype.kind == "f" else _text_bits(values)
        with np.errstate(over="ignore"):
            state = mix(state + _GOLDEN ^ hashed)
    return state


def mix(bits: Hashes) -> Hashes:
    """SplitMix64's finaliser (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", 2014,
    https://doi.org/10.1145/2660193.2660195), a bijection of 64-bit words that scatters them."""
    with np.errstate(over="ignore"):
        bits = bits + _GOLDEN
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _float_bits(values: NDArray[np.floating[Any]]) -> Hashes:
    numbers = values.astype(np.float64) + 0.0  # a negative zero equals zero
    numbers[np.isnan(numbers)] = np.nan
    return mix(numbers.view(np.uint64))


def _text_bits(values: NDArray[np.object_]) -> Hashes:
    seen: dict[Any, int] = {}
    for value in values:
        if value not in seen:
            seen[value] = _digest(repr(value).encode())
    return np.array([seen[v] for v in values], dtype=np.uint64)


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
