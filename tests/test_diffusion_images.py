"""Diffusion of images: what sizes are chosen, and what a fit, a loaded run and its samples are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import ppgen
from ppgen.inference.diffusion.plan import Plan, draw
from ppgen.inference.diffusion.process import PROCESSES
from ppgen.models.diffusion.fitting import _widest
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


def test_the_widest_spread_of_rows_is_that_of_their_first_principal_component() -> None:
    rng = np.random.default_rng(0)
    x = 3 + rng.normal(size=(200, 1)) * rng.normal(size=20) + 0.3 * rng.normal(size=(200, 20))
    first = np.linalg.svd(x - x.mean(0), compute_uv=False)[0] / 200**0.5
    assert _widest(x) == pytest.approx(first, rel=1e-6)
    assert _widest(np.ones((3, 2))) == 0


def test_dpm2m_starts_from_noise_that_hides_the_widest_direction() -> None:
    # The exact denoiser of a Gaussian whose one direction has seven times the spread.
    linear, spreads = PROCESSES["linear"], torch.tensor([7.0, 1.0], dtype=torch.float64)

    def denoise(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        alpha, sigma = linear.alpha(t)[:, None], linear.sigma(t)[:, None]
        return alpha * spreads**2 * x_t / ((alpha * spreads) ** 2 + sigma**2)

    noise = SimpleNamespace(at=lambda step: torch.ones(1, 2, dtype=torch.float64))
    narrow, wide = (
        (draw(Plan.of(linear, steps=25, widest=widest), denoise, noise)[0] / spreads).tolist()
        for widest in (0.0, 7.0)
    )
    assert narrow[0] < 0.9
    assert wide == pytest.approx([1, 1], abs=0.02)
