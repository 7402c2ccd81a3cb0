"""Random changes of images: what they may change, and that the generator decides alone."""

from __future__ import annotations

import math

import pytest
import torch

from ppgen.data.augment import (
    Augment,
    brightness,
    contrast,
    crop,
    cut_out,
    flip,
    noise,
    rotate,
    shift,
)
from ppgen.errors import InputError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def distinct(n: int = 200, c: int = 2, h: int = 5, w: int = 4) -> torch.Tensor:
    """Images in which every pixel of an image has another value."""
    return (1 + torch.arange(c * h * w)).reshape(1, c, h, w).repeat(n, 1, 1, 1).to(torch.uint8)


def test_flip_mirrors_half():
    images = distinct()
    out = flip(images, seeded())
    same = (out == images).all(dim=(1, 2, 3))
    mirrored = (out == images.flip(3)).all(dim=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert abs(int(mirrored.sum()) - 100) < 5 * math.sqrt(200) / 2
    assert out.dtype == torch.uint8


@pytest.mark.parametrize("pixels", [1, 2, 6])
@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_shift_moves_and_fills(pixels, kind):
    images = distinct().to(kind)
    out = shift(images, pixels, seeded(), fill=0)
    assert out.shape == images.shape
    assert out.dtype == kind
    _, _, h, w = images.shape
    moves = range(-pixels, pixels + 1)
    expected = {}
    for down in moves:
        for right in moves:
            moved = torch.zeros_like(images[0])
            if abs(down) < h and abs(right) < w:
                to = (
                    slice(max(down, 0), h + min(down, 0)),
                    slice(max(right, 0), w + min(right, 0)),
                )
                of = (
                    slice(max(-down, 0), h - max(down, 0)),
                    slice(max(-right, 0), w - max(right, 0)),
                )
                moved[:, to[0], to[1]] = images[0][:, of[0], of[1]]
            expected[(down, right)] = moved
    found = set()
    for image in out:
        fits = [move for move, moved in expected.items() if torch.equal(image, moved)]
        assert fits
        found.update(fits)
    if pixels == 1:
        assert found == set(expected)  # each of the nine
    assert (shift(images, 6, seeded(), fill=99) == 99).any()


def test_crop_cuts_a_part_out():
    images = distinct(300)
    out = crop(images, (3, 2), seeded())
    parts = [images[0, :, i : i + 3, j : j + 2] for i in range(3) for j in range(3)]
    found = {next(k for k, part in enumerate(parts) if torch.equal(image, part)) for image in out}
    assert found == set(range(9))
    assert torch.equal(crop(images, (5, 4), seeded()), images)
    with pytest.raises(InputError, match="parts of 6 x 2 pixels"):
        crop(images, (6, 2), seeded())


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_a_rectangle_is_cut_out_about_any_pixel(kind):
    images = distinct(400).to(kind)
    out = cut_out(images, (3, 2), seeded(), fill=0)
    assert out.dtype == kind
    places = set()
    for image in out:
        filled = image == 0
        assert torch.equal(filled[0], filled[1])  # in each channel
        rows, columns = (filled[0].any(d).nonzero().flatten().tolist() for d in (1, 0))
        rectangle = torch.zeros_like(filled[0])
        rectangle[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
        assert torch.equal(filled[0], rectangle)
        assert torch.equal(image[~filled], images[0][~filled])
        places.add((rows[0], rows[-1], columns[0], columns[-1]))
    height = {(max(i - 1, 0), min(i + 1, 4)) for i in range(5)}
    width = {(max(j - 1, 0), j) for j in range(4)}
    assert places == {(*h, *w) for h in height for w in width}


def test_rotate():
    images = torch.zeros(50, 1, 21, 31)
    images[:, :, 10, 15] = 1.0  # the middle stays
    images[:, :, 10, 23] = 0.5
    out = rotate(images, 90.0, seeded())
    torch.testing.assert_close(out[:, 0, 10, 15], torch.ones(50), rtol=0, atol=1e-5)
    # What lies 8 to the right comes to lie on the circle of 8, on either side.
    rows, columns = torch.meshgrid(torch.arange(21.0) - 10, torch.arange(31.0) - 15, indexing="ij")
    spread = out[:, 0] * (torch.hypot(rows, columns) > 2)
    mass = spread.sum(dim=(1, 2))
    y, x = (spread * rows).sum(dim=(1, 2)) / mass, (spread * columns).sum(dim=(1, 2)) / mass
    torch.testing.assert_close(torch.hypot(x, y), torch.full((50,), 8.0), rtol=0, atol=0.5)
    assert y.min() < -2
    assert y.max() > 2
    # A turn by nothing changes nothing, and what comes in is the filling.
    torch.testing.assert_close(rotate(images, 0.0, seeded()), images, rtol=0, atol=1e-5)
    plain = torch.full((20, 1, 8, 8), 0.25)
    torch.testing.assert_close(rotate(plain, 180.0, seeded(), fill=0.25), plain)


def test_brightness_contrast_noise():
    images = torch.rand(400, 1, 6, 6, generator=seeded(9), dtype=torch.float64)
    added = brightness(images, 0.2, seeded()) - images
    assert (added.amax(dim=(1, 2, 3)) - added.amin(dim=(1, 2, 3))).max() < 1e-12
    size = added[:, 0, 0, 0]
    assert size.abs().max() <= 0.2
    assert size.var() == pytest.approx(0.4**2 / 12, rel=0.3)
    scaled = contrast(images, 0.5, seeded())
    torch.testing.assert_close(scaled.mean(dim=(1, 2, 3)), images.mean(dim=(1, 2, 3)))
    factor = scaled.std(dim=(1, 2, 3)) / images.std(dim=(1, 2, 3))
    assert 0.5 <= factor.min() < 0.6
    assert 1.4 < factor.max() <= 1.5 + 1e-12
    drawn = noise(images, 0.1, seeded()) - images
    assert drawn.std() == pytest.approx(0.1, rel=5 / math.sqrt(2 * drawn.numel()))
    assert scaled.dtype == drawn.dtype == torch.float64


EVERYTHING = Augment(shift=2, flip=True, brightness=0.3, contrast=0.5, rotate=20.0, noise=0.1)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int32, torch.float32, torch.float64])
def test_values_stay_in_their_range(kind):
    images = torch.randint(0, 256, (64, 3, 10, 12), generator=seeded(1))
    images = images.to(kind) if kind in (torch.uint8, torch.int32) else images.to(kind) / 255
    before = images.clone()
    out = EVERYTHING(images, seeded())
    assert out.shape == images.shape
    assert out.dtype == kind
    assert out.min() == 0
    assert out.max() == images.max()
    assert torch.equal(images, before)
    assert not torch.equal(out, images)


def test_levels_stay_levels():
    images = (torch.rand(64, 1, 8, 8, generator=seeded(1)) < 0.5).to(torch.uint8)
    out = Augment(brightness=0.9, rotate=30.0, high=1)(images, seeded())
    assert set(out.unique().tolist()) == {0, 1}
    # Moving and mirroring change no value, whatever the type.
    for kind in (torch.uint8, torch.float32):
        out = Augment(shift=1, flip=True, high=255)(distinct().to(kind), seeded())
        assert set(out.unique().tolist()) == set(range(41))


def test_the_generator_decides_alone():
    images = torch.rand(16, 1, 8, 8, generator=seeded(1))
    torch_before = torch.get_rng_state()
    first = EVERYTHING(images, seeded(3))
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert torch.equal(first, EVERYTHING(images, seeded(3)))
    assert not torch.equal(first, EVERYTHING(images, seeded(4)))
    generator = seeded(3)
    EVERYTHING(images, generator)
    state = generator.get_state()
    second = EVERYTHING(images, generator)
    generator.set_state(state)
    assert torch.equal(second, EVERYTHING(images, generator))
    nothing = seeded()
    before = nothing.get_state()
    assert Augment()(images, nothing) is images
    assert torch.equal(nothing.get_state(), before)


def test_images_are_changed_apart():
    images = torch.rand(1, 1, 8, 8, generator=seeded(1)).repeat(32, 1, 1, 1)
    for change in ({"shift": 3}, {"rotate": 30.0}, {"brightness": 0.2}, {"noise": 0.1}):
        out = Augment(**change)(images, seeded())
        assert len(out.reshape(32, -1).unique(dim=0)) > 16


@pytest.mark.parametrize(
    "settings",
    [{"shift": -1}, {"brightness": -0.1}, {"contrast": 1.5}, {"rotate": math.inf}, {"noise": -1.0}],
)
def test_bad_settings(settings):
    with pytest.raises(InputError, match="negative or endless"):
        Augment(**settings)


def test_bad_images():
    with pytest.raises(InputError, match="images of shape"):
        Augment(shift=1)(torch.zeros(3, 8, 8), seeded())
    with pytest.raises(InputError, match=r"from 0 to 255; expected them between 0 and 1\. .*high="):
        Augment(shift=1)(torch.tensor([0.0, 255.0]).reshape(1, 1, 1, 2), seeded())
    with pytest.raises(InputError, match="between 0 and 1"):
        Augment(flip=True, high=1)(distinct(), seeded())
    assert Augment(shift=1)(torch.zeros(0, 1, 4, 4), seeded()).shape == (0, 1, 4, 4)
