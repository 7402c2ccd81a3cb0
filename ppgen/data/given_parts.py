"""Parts that a source itself has: rows to fit, to tune on and to score on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .dataset import Dataset
from .units import split_units


def parted(data: Dataset, parts: Mapping[str, NDArray[np.intp]]) -> Dataset:
    """Rows with the parts that they come in; a part that is not there is cut from another: without
    `test`, half of `valid` is, and without `valid`, a tenth of `train`.

    Args:
        data: all rows.
        parts: `train`, and `valid` or `test` where they are there, with the numbers of their rows.
    """
    rows = dict(parts)
    # What was held out stays held out: no row is tuned on and scored on, none of `test` is trained
    # on.
    cuts = [("train", "valid", 0.1)] if "valid" not in rows else []
    if "test" not in rows:
        cuts.insert(0, ("valid", "test", 0.5) if "valid" in rows else ("train", "test", 0.1))
    for source, new, share in cuts:
        left, cut = split_units(data.take(rows[source]), (1 - share, share), seed=0)
        rows[source], rows[new] = rows[source][left], rows[source][cut]
    return replace(data, parts=(rows["train"], rows["valid"], rows["test"]))
