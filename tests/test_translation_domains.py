"""The two sides of a translation: statistics of their own, and rows back as they came."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ppgen import InputError, as_dataset
from ppgen.data import Encoded, ImageCodec
from ppgen.models.translation.domains import Domain, Images, Standard
from ppgen.models.translation.kinds import check_sides, domain_from_json, domain_of


def pictures(n: int = 30, shape: tuple[int, ...] = (3, 8, 6)) -> NDArray[Any]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, *shape)).astype(np.uint8)


def side(images: NDArray[Any], size: int = 0) -> tuple[Domain, Encoded]:
    data = as_dataset(images)
    codec = ImageCodec(data.schema)
    domain, rows = domain_of(codec, size), codec.encode(data)
    return domain.fitted(domain.pictures(rows)), rows


def test_each_channel_is_standardised_by_its_mean_and_spread() -> None:
    images = pictures()
    images[:, 1] //= 4
    domain, rows = side(images)
    x = domain.encode(rows)
    torch.testing.assert_close(x.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std((0, 2, 3), correction=0), torch.ones(3))
    low = (0 - images[:, 1].mean()) / images[:, 1].std()
    assert domain.statistics.low[1] == pytest.approx(low)
    assert domain.statistics.high[1] == pytest.approx(low + 255 / images[:, 1].std())


def test_statistics_of_many_pictures_are_those_of_all_at_once() -> None:
    images = pictures(2500, (1, 2, 2))
    found = Standard.of(images)
    assert found.mean[0] == pytest.approx(images.mean(), rel=1e-12)
    assert found.scale[0] == pytest.approx(images.std(), rel=1e-12)
    assert found.low == found.high == ()


def test_pictures_come_back_as_the_rows_they_were() -> None:
    domain, rows = side(pictures())
    back = domain.decode(domain.encode(rows), rows)
    np.testing.assert_allclose(back.x, rows.x, atol=1e-3)


def test_a_translated_picture_leaves_by_the_statistics_of_where_it_goes() -> None:
    dark, rows = side(pictures() // 8)
    bright, _ = side(200 + pictures() // 8)
    made = bright.decode(dark.encode(rows), rows)
    np.testing.assert_allclose(made.x, rows.x + 200.0, atol=1e-3)


def test_a_picture_of_one_value_does_not_divide_by_zero() -> None:
    domain, rows = side(np.full((4, 5, 5), 7, np.uint8))
    assert not domain.encode(rows).any()


def test_pictures_are_brought_to_a_size_and_back() -> None:
    images = np.repeat(np.repeat(pictures(5, (4, 4)), 2, 1), 2, 2)  # blocks of 2 x 2
    domain, rows = side(images, size=4)
    assert domain.shape == (1, 4, 4)
    some = domain.pictures(rows)
    assert some.shape == (5, 1, 4, 4)
    assert domain.decode(domain.encode(rows), rows).x.shape == (5, 64)
    flat, rows = side(np.full((3, 8, 8), 9, np.uint8), size=4)
    np.testing.assert_allclose(flat.decode(flat.encode(rows), rows).x, 9)


def test_a_domain_is_saved_as_plain_values() -> None:
    domain, rows = side(pictures(), size=4)
    assert isinstance(domain, Images)
    loaded = domain_from_json(json.loads(json.dumps(domain.to_json())), domain.codec)
    assert loaded == domain
    torch.testing.assert_close(loaded.encode(rows), domain.encode(rows), rtol=0, atol=0)


def test_sides_of_other_sizes_are_refused_with_the_sizes() -> None:
    grey, colour = side(pictures(4, (8, 8)))[0], side(pictures(4, (3, 8, 8)))[0]
    check_sides(grey, colour)  # channels may differ
    with pytest.raises(InputError, match=r"8 x 8 pixels, y of 8 x 6.*size=6"):
        check_sides(grey, side(pictures(4, (8, 6)))[0])
