"""Real files: skipped unless PPGEN_DATA names the folder that holds them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ppgen.data import Codec, read

pytestmark = pytest.mark.skipif(
    "PPGEN_DATA" not in os.environ, reason="PPGEN_DATA, the folder of real data, is not set"
)
ROOT = Path(os.environ.get("PPGEN_DATA", "."))

SHAPES = {
    "tabular/adult-train.csv.gz": (32561, 15),
    "tabular/california_housing.csv.gz": (20640, 10),
    "tabular/german_data_credit.csv": (1000, 22),
    "tabular/penguins.csv": (344, 8),
    "tabular/winequality-red.continuous.txt": (1599, 12),
    "mixtures/acidity.csv": (155, 1),
    "mixtures/faithful.csv": (272, 3),
    "mixtures/galaxies.csv": (82, 2),
    "uci_datasets/airfoil/data.csv.gz": (1503, 6),
    "uci_regression_splits/bostonHousing/data/data.txt": (506, 14),
    "uci_regression_splits/concrete/data/data.txt": (1030, 9),
    "uci_regression_splits/energy/data/data.txt": (768, 9),
    "sachs/sachs.2005.continuous.txt": (7466, 11),
    "power_h1/power_h1_train_valid.npz": (231183, 6),
    "adbench_classical/32_shuttle.npz": (49097, 9),
    "adbench_classical/4_breastw.npz": (683, 9),
}


@pytest.mark.parametrize("name", SHAPES)
def test_tables(name):
    data = read(ROOT / name)
    assert (len(data), len(data.schema.columns)) == SHAPES[name]
    train = data.train
    for discrete in ("native", "dequantised"):
        codec = Codec.fit(train, discrete=discrete)
        encoded = codec.encode(train)
        assert np.isfinite(encoded.log_det).all()
        for column, values in codec.decode(encoded).items():
            expected = train.columns[column]
            if expected.dtype == object:
                np.testing.assert_array_equal(values, expected)
            else:
                scale = np.nanstd(expected)
                np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-6 * scale)


def test_columns_are_understood():
    adult = read(ROOT / "tabular/adult-train.csv.gz").schema
    assert adult["c1"].kind == "categorical"
    assert adult["c1"].missing
    assert adult["c9"].levels == ("Female", "Male")
    assert adult["c10"].kind == "count"
    penguins = read(ROOT / "tabular/penguins.csv").schema
    assert penguins["bill_length_mm"].width == 0.1
    assert penguins["body_mass_g"].width == 25.0
    assert penguins["sex"].missing
    assert penguins["year"].levels == (2007, 2008, 2009)
    power = read(ROOT / "power_h1/power_h1_train_valid.npz")
    assert [c.width is None for c in power.schema.columns] == [True] * 5 + [False]
    assert len(power.train) == 208065
    shuttle = read(ROOT / "adbench_classical/32_shuttle.npz")
    assert len(shuttle.target) == len(shuttle)


def test_images():
    assert read(ROOT / "mnist/train-images-idx3-ubyte.gz").images.shape == (60000, 1, 28, 28)
    patches = read(ROOT / "bsds300_patches/train60k_valid5k.npz")
    assert len(patches.train) == 60000
    assert patches.schema.image_shape == (1, 8, 8)
    assert read(ROOT / "cifar10/cifar10_0-1999.npz").schema.image_shape == (3, 32, 32)
