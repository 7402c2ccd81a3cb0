"""The U-Net of diffusion models: shapes, counts, and what it gives before and after training."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ppgen.inference.torch_state import as_found
from ppgen.models.diffusion.unet import UNet


@pytest.fixture(autouse=True)
def _torch_as_it_was() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


class Told(nn.Module):
    """Tells the net one number."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(1, width)

    def forward(self, level: Tensor) -> Tensor:
        return self.linear(level[:, None]).tanh()


def net_of(shape: tuple[int, ...], **sizes: object) -> UNet:
    given = {"channels": (8, 16), "unshuffle": 2, **sizes}
    return UNet(shape, Told(4), 4, **given)


def shaken(net: UNet) -> UNet:
    """The net with weights that are nowhere 0."""
    with torch.no_grad():
        for values in net.parameters():
            values.add_(0.1 * torch.randn_like(values))
    return net


def test_a_new_net_gives_zero_and_learns_from_the_first_step() -> None:
    net = net_of((1, 8, 8))
    x, level = torch.randn(3, 64), torch.randn(3)
    out = net(x, level)
    assert torch.equal(out, torch.zeros(3, 64))
    (out - x).square().mean().backward()
    assert net.last.weight.grad is not None
    assert net.last.weight.grad.abs().max() > 0


@pytest.mark.parametrize("shape", [(1, 7, 9), (3, 13, 12), (2, 8, 5)])
@pytest.mark.parametrize("channels", [(8,), (8, 8), (4, 6, 8)])
def test_images_of_any_size_keep_their_shape(shape: tuple[int, ...], channels: tuple[int, ...]):
    net = shaken(net_of(shape, channels=channels))
    x = torch.randn(2, shape[0] * shape[1] * shape[2])
    out = net(x, torch.zeros(2))
    assert out.shape == x.shape
    assert torch.isfinite(out).all()


def test_padding_is_even_and_ends_where_the_image_does() -> None:
    assert net_of((1, 28, 28)).padding == (0, 0, 0, 0)
    net = net_of((1, 7, 10))  # of multiples of four
    assert net.padding == (0, 1, 1, 1)
    assert net.sides == [(4, 6), (2, 3)]


def test_the_place_of_a_pixel_is_kept() -> None:
    # With the first and the last layer alone, each the identity, images come back as they were.
    net = net_of((1, 6, 7), channels=(4,))
    with torch.no_grad():
        for conv in (net.first, net.last):
            conv.weight.zero_()
            conv.bias.zero_()
            for k in range(4):
                conv.weight[k, k, 1, 1] = 1
    net.norm = nn.Identity()
    x = torch.randn(2, 42) + 40  # where silu is the identity
    assert torch.allclose(net(x, torch.zeros(2)), x, atol=1e-4)


def test_a_row_does_not_depend_on_those_beside_it_and_one_level_serves_all() -> None:
    net = shaken(net_of((1, 8, 8))).double()
    x, level = torch.randn(4, 64).double(), torch.full((4,), 0.3).double()
    whole = net(x, level)
    assert torch.allclose(net(x[1:2], level[1:2]), whole[1:2], atol=1e-12)
    assert torch.allclose(net(x, level[:1]), whole, atol=1e-12)
    assert not torch.allclose(net(x, level + 1), whole, atol=1e-3)


def test_attention_is_where_places_are_few() -> None:
    assert net_of((1, 32, 32)).attention is not None
    assert net_of((1, 80, 80)).attention is None


def test_the_net_of_digits_takes_about_seventy_million_operations() -> None:
    net = UNet((1, 28, 28), Told(128), 128, channels=(48, 96))
    with as_found(), FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 784), torch.zeros(1))
    assert 65e6 < counter.get_total_flops() < 85e6
