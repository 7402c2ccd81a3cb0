"""Built-in data sets, and toys against their own densities."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from ppgen.data import BUILTIN, TOYS, load_builtin, read
from ppgen.errors import InputError

SHAPES = {
    "wine": (178, 13),
    "digits": (1797, 64),
    "iris": (150, 4),
    "breast_cancer": (569, 30),
    "diabetes": (442, 10),
    "linnerud": (20, 3),
}


@pytest.mark.parametrize("name", SHAPES)
def test_tables(name):
    data = read(name)
    assert (len(data), len(data.schema.columns)) == SHAPES[name]
    assert len(data.target) == len(data)
    assert not set(data.schema.names) & {"target", "species", "class", "cultivar"}
    assert len(load_builtin(name, n=10, seed=1)) == 10
    assert data.rebuild(data.columns) is not None
    with pytest.raises(InputError, match="rows"):
        load_builtin(name, n=10**6)


def test_table_kinds():
    digits = read("digits")
    assert {c.kind for c in digits.schema.columns} == {"real", "constant"}
    assert digits.matrix().shape == (1797, 64)
    iris = read("iris")
    assert iris.schema.names[0] == "sepal_length_cm"
    assert {c.width for c in iris.schema.columns} == {0.1}
    assert set(iris.target) == {"setosa", "versicolor", "virginica"}


@pytest.mark.parametrize("name", TOYS)
def test_toys(name):
    data = load_builtin(f"toy:{name}")
    assert data.matrix().shape == (5000, 2)
    again, other = load_builtin(f"toy:{name}"), load_builtin(f"toy:{name}", seed=1)
    assert data.fingerprint() == again.fingerprint() != other.fingerprint()
    assert len(load_builtin(f"toy:{name}", n=70)) == 70


def test_names():
    images = {"mnist", "fashion_mnist", "sprites"}
    assert set(BUILTIN) == {*SHAPES, *images, *(f"toy:{t}" for t in TOYS)}
    assert all(about for about in BUILTIN.values())


def test_sprites_by_name():
    data = load_builtin("sprites", n=30, seed=1)
    assert data.images.shape == (30, 1, 32, 32)
    assert set(data.target["shape"].tolist()) <= {0, 1, 2}
    assert data.fingerprint() == load_builtin("sprites", n=30, seed=1).fingerprint()
    assert data.fingerprint() != load_builtin("sprites", n=30).fingerprint()
    assert len(read("sprites")) == 5000


GRID = {"checkerboard": (5, 400), "8gaussians": (6, 600), "rings": (4, 800)}


@pytest.mark.parametrize("name", GRID)
def test_toy_density_integrates_to_one(name):
    reach, cells = GRID[name]
    axis = (np.arange(cells) + 0.5) / cells * 2 * reach - reach
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    logs = TOYS[name].log_density(points)
    area = (2 * reach / cells) ** 2
    density = np.exp(logs)
    assert density.sum() * area == pytest.approx(1, abs=1e-3)
    if TOYS[name].entropy is not None:
        inside = density > 0
        entropy = -(density[inside] * logs[inside]).sum() * area
        assert entropy == pytest.approx(TOYS[name].entropy, abs=2e-3)


@pytest.mark.parametrize("name", ["checkerboard", "8gaussians", "grid25", "rings"])
def test_toy_samples_follow_the_density(name):
    # The mean of log p over a sample is minus the entropy; 5 deviations happen once in 2 million.
    toy = TOYS[name]
    x = toy.sample(40000, np.random.default_rng(5))
    logs = toy.log_density(x)
    assert np.isfinite(logs).all()
    if toy.entropy is not None:
        error = logs.std() / math.sqrt(len(logs)) + 1e-4
        assert abs(logs.mean() + toy.entropy) < 5 * error


def test_toy_scales():
    assert TOYS["checkerboard"].entropy == math.log(32)
    # Eight Gaussians that did not overlap would have ln 8 + ln(2 pi e / 8) = 2.8379 nats.
    assert TOYS["8gaussians"].entropy == pytest.approx(2.838, abs=0.01)
    for name in ("two_moons", "spirals"):
        with pytest.raises(InputError, match="no closed form"):
            TOYS[name].log_density(np.zeros((1, 2)))


def test_importing_the_package_loads_nothing_heavy():
    heavy = ["torch", "jax", "scipy", "matplotlib", "sklearn", "pandas", "narwhals", "pyarrow"]
    heavy += ["PIL", "urllib.request"]
    code = (
        "import sys, ppgen.data, ppgen.data.dequantise;"
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
