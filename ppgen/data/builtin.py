"""Data sets by name: tables that scikit-learn ships, public images, sprites and toy densities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import InputError, unknown
from ..settings import integer
from .dataset import Dataset, as_dataset
from .image_sets import IMAGE_SETS, load_images
from .sprites import sprites
from .toys import TOYS

_TABLES = {
    "wine": "178 wines, 13 chemical measurements; the cultivar is the target",
    "digits": "1797 handwritten digits, 8 x 8 pixels as columns; the digit is the target",
    "iris": "150 flowers, 4 lengths in cm; the species is the target",
    "breast_cancer": "569 tumours, 30 measurements; the diagnosis is the target",
    "diabetes": "442 patients, 10 measurements; the disease's progress is the target",
    "linnerud": "20 men, 3 exercises; weight, waist and pulse are the target",
}

_DRAWN = 5000  # rows of a toy, and sprites, where no number is asked for

BUILTIN: dict[str, str] = (
    _TABLES
    | {name: images.about for name, images in IMAGE_SETS.items()}
    | {"sprites": "shapes whose scale, orientation and place are the target, 32 x 32"}
    | {f"toy:{name}": toy.about for name, toy in TOYS.items()}
)
"""Name -> what it is."""


def load_builtin(name: str, n: int | None = None, seed: int = 0) -> Dataset:
    """A built-in data set.

    Args:
        name: one of `BUILTIN`.
        n: how many rows: drawn anew for a toy and for sprites (5000 where None), taken at random
            from a table or a set of images (all where None).
        seed: of the drawing.

    Raises:
        InputError: if there is no such name, there are fewer rows, or images are not there and
            cannot be downloaded.
    """
    if name not in BUILTIN:
        raise unknown("built-in data set", name, BUILTIN)
    if n is not None:
        integer(1).check("n", n)
    if name in _TABLES or name in IMAGE_SETS:
        data = _table(name) if name in _TABLES else load_images(name)
        if n is None:
            return data
        if n > len(data):
            raise InputError(f"{name} has {len(data)} rows; {n} were asked for. Ask for fewer.")
        return data.thinned(n, np.random.default_rng(seed))
    drawn = _DRAWN if n is None else n
    if name == "sprites":
        return sprites(drawn, seed=seed).to_dataset()
    toy = TOYS[name.removeprefix("toy:")]
    return as_dataset(toy.sample(drawn, np.random.default_rng(seed)))


def _table(table: str) -> Dataset:
    from sklearn import datasets

    raw: Any = getattr(datasets, f"load_{table}")()
    clean = str.maketrans({" ": "_", "(": None, ")": None})
    names = [str(feature).translate(clean) for feature in raw.feature_names]
    if table == "digits":
        # Brightness is a quantity: 64 rounded real columns, not 64 sets of levels.
        schema = as_dataset(raw.data).schema
        pixels = zip(schema.columns, names, strict=True)
        columns = tuple(replace(column, name=name) for column, name in pixels)
        data = as_dataset(raw.data, replace(schema, columns=columns))
    else:
        import pandas as pd

        data = as_dataset(pd.DataFrame(raw.data, columns=names))
    target = raw.target
    if target.dtype.kind in "iu" and "target_names" in raw:
        target = np.asarray(raw.target_names)[target]
    return replace(data, target=target)
