"""Sprites against the geometry of their shapes, and how their factors are drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ppgen.data import sprites as module
from ppgen.data.sprite_shapes import _DISTANCES, _HEART_SIDE, RADIUS, SHAPES
from ppgen.data.sprites import COLOURS, VALUES, draw_factors, factor_names, render, sprites
from ppgen.errors import InputError

AREAS = (2.0, math.pi / 2, _HEART_SIDE**2 * (1 + math.pi / 4))  # in a circle of radius 1


def moments(image):
    """Area, centre (x, y) and covariance of an image's brightness, in widths, y downward."""
    size = image.shape[-1]
    weights = image[0] / 255.0
    area = weights.sum() / size**2
    grid = np.stack(np.meshgrid(*[(np.arange(size) + 0.5) / size] * 2), axis=-1).reshape(-1, 2)
    shares = weights.reshape(-1) / weights.sum()
    centre = shares @ grid
    return area, centre, (shares[:, None] * (grid - centre)).T @ (grid - centre)


@pytest.mark.parametrize("shape", range(3))
@pytest.mark.parametrize("size", [32, 64])
def test_size_and_place(shape, size):
    for scale, angle, x, y in ((1.0, 0.0, 0.5, 0.5), (0.5, 0.4, 0.3, 0.7), (0.73, 1.1, 0.61, 0.42)):
        area, centre, _ = moments(render([[shape, scale, angle, x, y]], size=size)[0])
        assert area == pytest.approx(AREAS[shape] * (RADIUS * scale) ** 2, rel=0.02)
        if SHAPES[shape] != "heart":  # the middle of its circle is not that of its mass
            np.testing.assert_allclose(centre, [x, y], atol=0.05 / size)


@pytest.mark.parametrize("angle", [0.0, 0.3, 1.0, 1.5])
def test_orientation_is_anticlockwise(angle):
    _, _, ellipse = moments(render([[1, 1, angle, 0.5, 0.5]], size=64)[0])
    x, y = np.linalg.eigh(ellipse)[1][:, 1]
    assert math.tan(math.atan2(-y, x) - angle) == pytest.approx(0, abs=0.01)
    # The tip of a heart points down, and turns to the right.
    heart = render([[2, 1, angle, 0.5, 0.5]], size=64)[0, 0]
    radius = 0.85 * _HEART_SIDE * (math.sqrt(0.5) + 0.1858) * RADIUS * 64
    tip, back = (
        heart[
            round(31.5 + s * radius * math.cos(angle)), round(31.5 + s * radius * math.sin(angle))
        ]
        for s in (1, -1)
    )
    assert tip == 255
    assert back == 0


def test_shapes_fill_their_circle_and_stay_in_the_frame():
    axis = np.linspace(-1.2, 1.2, 601)
    u, v = np.meshgrid(axis, axis)
    for shape, distance in enumerate(_DISTANCES):
        reach = np.hypot(u, v)[distance(u, v) < 0].max()
        assert reach == pytest.approx(1, abs=0.01), SHAPES[shape]
    corners = [(x, y) for x in (0.3, 0.7) for y in (0.3, 0.7)]
    f = [[k, 1.0, a, x, y] for k in range(3) for a in VALUES["orientation"] for x, y in corners]
    for size in (32, 64):
        images = render(f, size=size)
        edges = (images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1])
        assert max(edge.max() for edge in edges) == 0


def test_no_two_values_look_the_same():
    middle = [
        [k, s, a, 0.5, 0.5]
        for k in range(3)
        for s in VALUES["scale"]
        for a in VALUES["orientation"]
    ]
    images = render(middle).reshape(len(middle), -1)
    assert len(np.unique(images, axis=0)) == len(middle)


def test_edges_are_smooth():
    step = 0.01 / 32  # a hundredth of a pixel
    for shape in range(3):
        f = np.array([[shape, 0.8, 0.5, 0.5 + k * step, 0.5] for k in range(100)])
        images = render(f).astype(int)
        assert 0 < np.abs(np.diff(images, axis=0)).max() <= 8  # of 255


def test_blocks_do_not_show(monkeypatch):
    drawn = draw_factors(50, colour=True)
    whole = render(drawn)
    monkeypatch.setattr(module, "_PIXELS", 7 * 32**2)
    np.testing.assert_array_equal(render(drawn), whole)
    np.testing.assert_array_equal(render(drawn[13]), whole[13:14])


def test_drawn_from_the_grid_by_the_seed():
    found = sprites(300, seed=4)
    assert found.images.shape == (300, 1, 32, 32)
    assert found.images.dtype == np.uint8
    assert found.names == ("shape", "scale", "orientation", "x", "y") == factor_names()
    columns = zip(found.codes.T, found.values, strict=True)
    np.testing.assert_array_equal(np.stack([v[c] for c, v in columns], axis=1), found.factors)
    np.testing.assert_array_equal(render(found.factors), found.images)
    np.testing.assert_array_equal(sprites(300, seed=4).images, found.images)
    assert not np.array_equal(sprites(300, seed=5).factors, found.factors)
    assert len(found) == 300
    data = found.to_dataset()
    assert data.schema.image_shape == (1, 32, 32)
    assert data.target.dtype.names == found.names
    for name, column in zip(found.names, found.factors.T, strict=True):
        np.testing.assert_array_equal(data.target[name], column)


def test_factors_are_uniform_and_independent():
    found = draw_factors(40_000, seed=1, colour=True)
    for j, name in enumerate(factor_names(colour=True)):
        counts = np.array([(found[:, j] == value).sum() for value in VALUES[name]])
        assert counts.sum() == 40_000
        share = 1 / len(counts)
        deviation = math.sqrt(40_000 * share * (1 - share))
        assert np.abs(counts - 40_000 * share).max() < 5 * deviation
    correlations = np.corrcoef(found.T) - np.eye(6)
    assert np.abs(correlations).max() < 5 / math.sqrt(40_000)


def test_factors_are_held():
    free = draw_factors(500, seed=2)
    for name, value, expected in (
        ("shape", "heart", 2),
        ("x", 0.7, 0.7),
        ("y", np.float32(0.3), 0.3),
    ):
        held = draw_factors(500, seed=2, factors={name: value})
        j = factor_names().index(name)
        np.testing.assert_allclose(held[:, j], expected, atol=1e-12)
        np.testing.assert_array_equal(np.delete(held, j, axis=1), np.delete(free, j, axis=1))
    some = draw_factors(500, factors={"scale": [0.5, 1.0], "shape": ("square", "heart")})
    assert set(some[:, 1]) == {0.5, 1.0}
    assert set(some[:, 0]) == {0, 2}


def test_a_rare_value():
    n = 20_000
    found = draw_factors(n, seed=3, rare={"shape": {"heart": 0.02}})
    shares = [(found[:, 0] == k).mean() for k in range(3)]
    for share, expected in zip(shares, (0.49, 0.49, 0.02), strict=True):
        assert abs(share - expected) < 5 * math.sqrt(expected * (1 - expected) / n)
    np.testing.assert_array_equal(found[:, 1:], draw_factors(n, seed=3)[:, 1:])
    found = draw_factors(n, rare={"scale": {0.5: 0.0, 1.0: 0.9}}, factors={"scale": [0.5, 0.6, 1]})
    assert set(found[:, 1]) == {VALUES["scale"][1], 1.0}
    assert (found[:, 1] == 1).mean() == pytest.approx(0.9, abs=0.02)


def test_colours():
    found = sprites(60, colour=True)
    assert found.images.shape == (60, 3, 32, 32)
    assert found.names[-1] == "colour"
    brightest = found.images.max(axis=(2, 3)) // 255
    hues = dict(
        zip(
            COLOURS, ((1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1)), strict=True
        )
    )
    for code, hue in zip(found.codes[:, 5], brightest, strict=True):
        assert tuple(hue) == hues[COLOURS[code]]
    grey = render(found.factors[:, :5])
    np.testing.assert_array_equal(found.images.max(axis=1, keepdims=True), grey)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 0}, "n is 0; expected an integer >= 1"),
        ({"size": 8}, "16 pixels or more"),
        ({"factors": {"colour": "red"}}, "no factor 'colour'"),
        ({"factors": {"shapes": "heart"}}, "Did you mean 'shape'"),
        ({"factors": {"shape": "star"}}, "no value 'star'; expected one of square, ellipse, heart"),
        ({"factors": {"scale": 0.55}}, "no value 0.55"),
        ({"rare": {"shape": {"heart": 1.2}}}, "expected none below 0, at most 1"),
        ({"rare": {"shape": {"heart": -0.1}}}, "expected none below 0, at most 1"),
        ({"rare": {"shape": {"heart": 0.1}}, "factors": {"shape": "square"}}, "that are drawn"),
        ({"rare": {"shape": {"heart": 0.1}}, "factors": {"shape": "heart"}}, "1 if no other value"),
    ],
)
def test_what_cannot_be_drawn(settings, message):
    with pytest.raises(InputError, match=message):
        sprites(**({"n": 5} | settings))


def test_what_cannot_be_rendered():
    with pytest.raises(InputError, match="factors of shape"):
        render(np.zeros((3, 4)))
    for f in (
        [3, 1, 0, 0.5, 0.5],
        [0.5, 1, 0, 0.5, 0.5],
        [0, 0, 0, 0.5, 0.5],
        [0, 1, np.nan, 0, 0],
    ):
        with pytest.raises(InputError, match="are no sprites"):
            render([f])
    with pytest.raises(InputError, match="are no sprites"):
        render([[0, 1, 0, 0.5, 0.5, 6]])
