"""Diffusion of images: what sizes are chosen, and what a fit, a loaded run and its samples are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ppgen
from ppgen.models.diffusion.image_sizes import image_sizes

from .bars import fitted, side


@pytest.mark.parametrize(
    ("shape", "gpu", "maps"),
    [
        ((1, 28, 28), False, [14, 7]),
        ((1, 16, 16), False, [8]),
        ((3, 64, 64), False, [16, 8]),
        ((3, 64, 64), True, [32, 16, 8]),
        ((1, 28, 28), True, [14, 7]),
    ],
)
def test_maps_shrink_to_eight_pixels(shape: Any, gpu: bool, maps: list[int]) -> None:
    sizes = image_sizes(shape, 50_000, None, gpu=gpu)
    sides = [shape[1] // sizes.unshuffle >> i for i in range(len(sizes.channels))]
    assert sides == maps


def test_digits_on_a_processor_get_the_net_whose_operations_are_stated() -> None:
    sizes = image_sizes((1, 28, 28), 50_000, None, gpu=False)
    assert (sizes.channels, sizes.unshuffle, sizes.blocks) == ((48, 96), 2, 1)


def test_images_take_a_unet_and_samples_are_of_the_label_asked_for() -> None:
    fit = fitted()
    assert fit.architecture_.net == "unet"
    assert fit.architecture_.context == 2
    y = np.array(["left", "right"] * 10)
    made = fit.sample(20, y=y, steps=10, random_state=1)
    assert made.shape == (20, 12, 12)
    assert made.dtype == np.uint8
    assert (side(made) == (y == "right")).mean() >= 0.9


def test_a_loaded_run_makes_the_same_images(tmp_path: Path) -> None:
    again = ppgen.load(fitted().save(tmp_path / "run"))
    made = [f.sample(2, y="left", steps=10, random_state=1) for f in (fitted(), again)]
    assert np.array_equal(*made)
