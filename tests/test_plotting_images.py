"""Pictures of images, the values they show as black and white, and histograms of k-hat."""

from __future__ import annotations

import numpy as np
import pytest

from ppgen.errors import InputError
from ppgen.plotting.curves import training_curves
from ppgen.plotting.images import image_grid, image_pixels, image_rows, shown_limits
from ppgen.plotting.khat import khat_histogram
from ppgen.plotting.latent_images import latent_manifold, reconstruction_strip, traversal_grid


def test_limits_leave_dark_images_to_be_seen():
    images = np.zeros((3, 1, 2, 2))
    images[0, 0, 0, 0] = 16
    assert shown_limits(images, 0, 255) == (0, 16)
    images[1, 0, 1, 1] = 200
    assert shown_limits(images, 0, 255) == (0, 255)
    assert shown_limits(np.zeros((2, 1, 2, 2)), 0, 255) == (0, 255)
    assert shown_limits(np.zeros((0, 1, 2, 2)), 0, 1) == (0, 1)


def test_a_picture_has_whole_pixels_for_each_value():
    images = np.zeros((3, 1, 2, 2))
    images[1, 0, 0, 1] = 4.0
    made = image_pixels(images, across=2, limits=(0, 4))
    assert made.dtype == np.uint8
    size = 800 // 5  # two images of two pixels and the gap between them
    assert made.shape == (5 * size, 5 * size, 4)
    assert made[0, 4 * size].tolist() == [255, 255, 255, 255]
    assert made[0, 3 * size].tolist() == [0, 0, 0, 255]
    assert made[0, 2 * size, 3] == 0
    assert made[-1, -1, 3] == 0  # the fourth place is free


def test_rows_of_images_have_a_name_each_and_one_shape():
    made = image_rows({"real": np.zeros((24, 1, 4, 4)), "vae: samples": np.ones((30, 1, 4, 4))})
    names = [label.get_text() for label in made.axes[0].get_yticklabels()]
    assert names == ["real", "", "vae: samples", ""]
    with pytest.raises(InputError, match="expected one shape"):
        image_rows({"a": np.zeros((4, 1, 4, 4)), "b": np.zeros((4, 1, 5, 4))})
    with pytest.raises(InputError, match="expected how many"):
        image_grid(np.zeros((4, 1, 4, 4)), across=0)


def test_strips_below_each_other_are_aligned():
    images = np.zeros((9, 1, 4, 4))
    one = reconstruction_strip(images, {"a": images})
    other = traversal_grid(np.stack([images, images]))
    lefts = [f.axes[0].get_position().x0 * f.get_figwidth() for f in (one, other)]
    assert lefts[0] == pytest.approx(lefts[1])
    wide = reconstruction_strip(images, {"a very long name of one": images})
    assert wide.axes[0].get_position().x0 * wide.get_figwidth() > lefts[0]


def test_a_manifold_names_its_axes_and_keeps_its_width():
    grid = np.zeros((5, 5, 1, 4, 4))
    made = latent_manifold(grid, names=("component 1", "component 2"), width=2.0)
    axes = made.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("component 1 →", "component 2 →")
    assert axes.get_position().width * made.get_figwidth() == pytest.approx(2.0)


def test_khat_counts_every_row_on_its_side():
    khat = np.array([-np.inf, 0.1, 0.2, 0.4999, 0.51, 0.9, 7.0, np.nan])
    made = khat_histogram(khat, 0.5)
    (axes,) = made.axes
    good, bad = axes.containers
    assert sum(bar.get_height() for bar in good) == 4
    assert sum(bar.get_height() for bar in bad) == 4
    assert all(bar.get_x() + bar.get_width() <= 0.5 for bar in good)
    assert all(bar.get_x() >= 0.5 - 1e-9 for bar in bad)
    assert made.get_suptitle().startswith("4 of 8 rows' bounds can be trusted")
    assert "cut at 1.5" in axes.get_xlabel()
    assert "cut at 1.5" not in khat_histogram(khat[:5], 0.5).axes[0].get_xlabel()
    with pytest.raises(InputError, match="one number a row"):
        khat_histogram([], 0.5)


@pytest.mark.parametrize("khat", [[0.2], [0.5] * 3, [0.7] * 4, [-3.0, 4.0]])
def test_khat_of_few_rows(khat):
    containers = khat_histogram(khat, 0.5).axes[0].containers
    assert sum(bar.get_height() for c in containers for bar in c) == len(khat)


def test_training_of_a_model_without_density_has_no_nats():
    trace = [{"step": i, "loss": 1.0 / (i + 1), "validation": -0.5} for i in range(6)]
    assert training_curves([trace]).axes[0].get_ylabel() == "nats a row"
    made = training_curves([trace], unit="minus the loss")
    assert made.axes[0].get_ylabel() == "minus the loss"
