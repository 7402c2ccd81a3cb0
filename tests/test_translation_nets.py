"""Nets of translations and the image pool, by shapes and exact small cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from ppgen import InputError
from ppgen.models.translation.domains import Standard
from ppgen.models.translation.nets import (
    Architecture,
    Patches,
    Residual,
    UNet,
    check_halvings,
    halvings_of,
)
from ppgen.models.translation.pool import Pool


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def ends(channels: int, low: float = -1.0, high: float = 3.0) -> Standard:
    return Standard((0.0,) * channels, (1.0,) * channels, (low,) * channels, (high,) * channels)


def made(net: str, halvings: int) -> Architecture:
    return Architecture(net, width=2, halvings=halvings, blocks=1, judging=2, halved=1)


@pytest.mark.parametrize("net", [Residual, UNet])
@pytest.mark.parametrize(
    ("before", "after"),
    [((1, 8, 8), (3, 8, 8)), ((3, 16, 8), (1, 16, 8)), ((5, 1, 16), (5, 1, 16))],
)
def test_a_generator_keeps_height_and_width_and_changes_channels(
    net: Any, before: Any, after: Any
) -> None:
    a = made("unet" if net is UNet else "residual", halvings_of(*before[1:]))
    out = net(before, after, a, ends(after[0]))(torch.randn(2, *before))
    assert out.shape == (2, *after)
    assert (out >= -1).all()
    assert (out <= 3).all()


def test_what_has_no_ends_is_not_bounded() -> None:
    shape = (1, 8, 8)
    net = Residual(shape, shape, made("residual", 1), Standard((0.0,), (1.0,)))
    last: Any = net.net[-2]
    torch.nn.init.constant_(last.bias, 100.0)
    assert net(torch.randn(1, *shape)).min() > 50


def test_nets_of_sequences_look_along_them_alone() -> None:
    shape = (5, 1, 16)
    nets = [
        Residual(shape, shape, made("residual", 2), ends(5)),
        UNet(shape, shape, made("unet", 2), ends(5)),
        Patches(5, shape, made("unet", 2)),
    ]
    for net in nets:
        for layer in net.modules():
            if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                assert layer.kernel_size[0] == layer.stride[0] == 1


def test_a_discriminator_has_a_score_for_each_patch() -> None:
    a = Architecture("unet", 2, 2, 1, judging=2, halved=2)
    assert Patches(4, (4, 16, 8), a)(torch.randn(3, 4, 16, 8)).shape == (3, 4 * 2)


def test_a_patch_is_scored_by_what_is_near_it() -> None:
    net = Patches(1, (1, 64, 64), Architecture("unet", 2, 2, 1, judging=2, halved=1))
    x = torch.randn(1, 1, 64, 64, requires_grad=True)
    net(x)[0, 0].backward()
    assert x.grad is not None
    assert x.grad[..., :2, :2].abs().sum() > 0
    assert x.grad[..., 20:, :].abs().sum() == 0
    assert x.grad[..., 20:].abs().sum() == 0


@pytest.mark.parametrize(
    ("size", "times"),
    [((16, 16), 2), ((8, 8), 1), ((64, 64), 4), ((28, 28), 2), ((1, 32), 3), ((12, 20), 1)],
)
def test_pictures_are_halved_down_to_four_pixels(size: tuple[int, int], times: int) -> None:
    assert halvings_of(*size) == times
    check_halvings((1, *size), times)


def test_sizes_that_cannot_be_halved_are_refused_with_sizes_that_can() -> None:
    with pytest.raises(InputError, match=r"28 x 28 cannot be halved 3 times.*multiple of 8.* 32"):
        check_halvings((1, 28, 28), 3)
    with pytest.raises(InputError, match=r"17 x 17 cannot be halved once.*such as 16"):
        check_halvings((1, 17, 17), 1)


# The pool -----------------------------------------------------------------------------------------


def fakes(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers)[:, None]


def test_until_the_pool_is_full_fakes_are_shown_as_they_are() -> None:
    pool = Pool(5, (1,))
    assert torch.equal(pool.shown(fakes(1, 2)), fakes(1, 2))
    assert torch.equal(pool.images[:2], fakes(1, 2))
    assert int(pool.filled) == 2


def test_a_full_pool_shows_half_of_earlier_fakes_and_keeps_what_they_replace() -> None:
    pool, earlier = Pool(50, (1,)), 0
    pool.shown(torch.arange(50.0)[:, None])
    for step in range(1, 101):
        before = set(pool.images.flatten().tolist())
        new = torch.arange(50.0 * step, 50.0 * step + 10)[:, None]
        shown = pool.shown(new).flatten().tolist()
        after = set(pool.images.flatten().tolist())
        old = set(shown) - set(new.flatten().tolist())
        assert old <= before
        assert len(set(shown)) == 10
        # What was shown has gone, and what it was shown for is there in its place.
        assert before | set(new.flatten().tolist()) == after | set(shown)
        earlier += len(old)
    assert 430 < earlier < 570  # 500 on average, with a standard deviation of 16


def test_more_fakes_than_the_pool_holds_are_shown_too() -> None:
    pool = Pool(3, (1,))
    for step in range(5):
        new = torch.arange(10.0 * step, 10.0 * step + 7)[:, None]
        assert pool.shown(new).shape == (7, 1)
    assert torch.equal(Pool(0, (1,)).shown(fakes(1, 2)), fakes(1, 2))
