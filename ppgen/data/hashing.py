"""Hashes of rows and of whole data sets.

A row's hash is a pure function of a seed and of what the row says, so that splits and noise depend
on neither the order of the rows nor the container. It adds up one scattered 64-bit word a column,
which vectorises over blocks of rows.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .contents import Contents

Hashes = NDArray[np.uint64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_WORDS = 1 << 20  # words hashed at a time


def mix(bits: Hashes) -> Hashes:
    """A bijection of 64-bit words that scatters them: the finaliser of SplitMix64.

    Reference: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014),
    https://doi.org/10.1145/2660193.2660195
    """
    with np.errstate(over="ignore"):
        bits = bits + GOLDEN
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def row_hashes(data: Contents, seed: int = 0) -> Hashes:
    """(n,) 64-bit hashes of what the rows say; 0.0 and -0.0 say the same, and so do all NaN.

    An image is what its values are, whatever type they are stored in.
    """
    if data.schema.sequence:
        words = [_digest(np.ascontiguousarray(s).tobytes()) for s in data.sequences]
        return _salted(np.array(words, dtype=np.uint64), seed)
    if data.images is None:
        return _salted(_table_totals(data), seed)
    pixels = data.schema.pixels
    images = data.images if pixels is None else pixels.numbers(data.images)
    return _salted(_image_totals(images), seed)


def label_hashes(labels: NDArray[Any], seed: int = 0) -> Hashes:
    """(n,) 64-bit hashes of labels, numbers or texts."""
    words = _text_words(labels) if labels.dtype == object else _bits(labels)
    return _salted(mix(words), seed)


def _salted(words: Hashes, seed: int) -> Hashes:
    return mix(mix(np.array([seed & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64)) ^ words)


def occurrence(hashes: Hashes) -> Hashes:
    """(n,) how many equal hashes stand before each."""
    order = np.argsort(hashes, kind="stable")
    ranked = hashes[order]
    place = np.arange(len(hashes))
    first = np.append(True, ranked[1:] != ranked[:-1])
    counts = np.empty(len(hashes), np.uint64)
    counts[order] = place - np.maximum.accumulate(np.where(first, place, 0))
    return counts


def whole_numbers(images: NDArray[Any]) -> bool:
    """Whether all values of images are whole numbers, from a look at some of them."""
    if images.dtype.kind != "f":
        return True
    some = np.asarray(images[: max(1, _WORDS // max(1, images[0].size))])
    return bool((some == np.rint(some)).all())


def fingerprint(data: Contents) -> str:
    """SHA-256 of the schema, the contents, the columns left out, which tell copies apart, and the
    groups, in hexadecimal; float32 and float64 alike."""
    schema = data.schema.to_json()
    schema.pop("reading", None)  # how a file is read is no part of what it holds
    digest = hashlib.sha256(json.dumps(schema, sort_keys=True).encode())
    for sequence in data.sequences:
        digest.update(f"{sequence.dtype}{sequence.shape}".encode())
        digest.update(np.ascontiguousarray(sequence).data)
    if data.images is not None:
        digest.update(str(data.images.dtype).encode())
        for rows in _blocks(len(data), data.images[0].size):
            digest.update(np.ascontiguousarray(data.images[rows]).data)
    numbers = [v for v in data.columns.values() if v.dtype != object]
    for rows in _blocks(len(data), len(numbers)) if numbers else ():
        digest.update(_bits(_stack(data, numbers, rows)).data)
    for values in data.columns.values():
        if values.dtype == object:
            digest.update("\x1f".join(map(repr, values.tolist())).encode())
    for values in data.beside.values():
        digest.update(label_hashes(values).data)
    if data.groups is not None:
        digest.update(label_hashes(data.groups).data)
    return digest.hexdigest()


def _table_totals(data: Contents) -> Hashes:
    names = list(data.columns)
    salts = mix(np.arange(len(names), dtype=np.uint64))
    totals = np.zeros(len(data), dtype=np.uint64)
    numeric = [j for j, name in enumerate(names) if data.columns[name].dtype != object]
    numbers = [data.columns[names[j]] for j in numeric]
    with np.errstate(over="ignore"):
        for rows in _blocks(len(data), len(numbers)) if numbers else ():
            words = mix(_bits(_stack(data, numbers, rows)) ^ salts[numeric])
            totals[rows] += words.sum(axis=1, dtype=np.uint64)
        for j, name in enumerate(names):
            if j not in numeric:
                totals += mix(_text_words(data.columns[name]) ^ salts[j])
    return totals


def _image_totals(images: NDArray[Any]) -> Hashes:
    totals = np.zeros(len(images), dtype=np.uint64)
    size = math.prod(images.shape[1:])
    salts = mix(np.arange(size, dtype=np.uint64))
    for rows in _blocks(len(images), -(-size * min(images.dtype.itemsize, 8) // 8)):
        block = np.ascontiguousarray(images[rows]).reshape(-1, size)
        kinds, sums = _widths(block), np.empty(len(block), dtype=np.uint64)
        for kind in np.unique(kinds):
            some = block if (kinds == kind).all() else block[kinds == kind]
            words = _bits(some) if kind == 8 else _packed(some, np.dtype(f"<u{kind}"))
            with np.errstate(over="ignore"):
                total = mix(words ^ salts[: words.shape[1]]).sum(axis=1, dtype=np.uint64)
            sums[kinds == kind] = total ^ np.uint64(kind == 2)  # two bytes are not two pixels
        totals[rows] = sums
    return totals


def _widths(block: NDArray[Any]) -> NDArray[np.int64]:
    """(n,) bytes that hold each value of a row: 1 or 2 for whole numbers from 0 up, else 8.

    Read off the values of the row, not off their type nor off other rows.
    """
    if block.dtype.kind == "b" or block.dtype == np.uint8:
        return np.ones(len(block), dtype=np.int64)
    # NaN where there is one; half precision does not reach the numbers compared with.
    low, high = (end.astype(np.float64) for end in (block.min(axis=1), block.max(axis=1)))
    widths = np.where((low >= 0) & (high < 256), 1, np.where((low >= 0) & (high < 65536), 2, 8))
    if block.dtype.kind == "f":
        widths[(block != np.rint(block)).any(axis=1)] = 8
    return widths


def _packed(block: NDArray[Any], dtype: np.dtype[Any]) -> Hashes:
    """Whole numbers side by side in words."""
    a_word = 8 // dtype.itemsize
    padded = np.zeros((len(block), -(-block.shape[1] // a_word) * a_word), dtype=dtype)
    padded[:, : block.shape[1]] = block
    return padded.view(np.uint64)


def _stack(data: Contents, numbers: list[NDArray[Any]], rows: slice) -> NDArray[Any]:
    if data.array is not None:
        return data.array[rows]
    return np.column_stack([values[rows] for values in numbers])


def _bits(block: NDArray[Any]) -> Hashes:
    """Floats as the words of their canonical double."""
    numbers = block.astype(np.float64) + 0.0  # -0.0 becomes 0.0
    numbers[np.isnan(numbers)] = np.nan
    return np.ascontiguousarray(numbers).view(np.uint64)


def _text_words(values: NDArray[Any]) -> Hashes:
    words = {v: 0 if v is None else _digest(repr(v).encode()) for v in set(values.tolist())}
    return np.array([words[v] for v in values.tolist()], dtype=np.uint64)


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def _blocks(n: int, words: int) -> list[slice]:
    step = max(1, _WORDS // max(1, words))
    return [slice(start, start + step) for start in range(0, n, step)]
