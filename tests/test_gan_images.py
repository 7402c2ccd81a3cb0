"""Nets and augmentation of adversarial models of images: sizes, formulas, gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ppgen.errors import InputError
from ppgen.models.gan.augmenting import CUT, OFTEN, SHIFT, augmentation
from ppgen.models.gan.image_nets import ImageDiscriminator, ImageGenerator, channels_for

SHAPES = [(1, 16, 16), (3, 17, 20), (1, 28, 28), (2, 31, 13), (1, 45, 64)]
CHANNELS = (4, 6)


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def pair(shape: tuple[int, int, int], context: int = 0, packed: int = 1, bounded: bool = True):
    generator = ImageGenerator(5, context, shape, CHANNELS, bounded=bounded)
    return generator, ImageDiscriminator(shape, context, CHANNELS, hidden=8, packed=packed)


def all_of(module: torch.nn.Module) -> list[Tensor]:
    return list(module.parameters())


# Nets


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("halvings", [1, 2])
def test_images_of_any_size_are_generated_and_scored(shape, halvings):
    generator = ImageGenerator(5, 3, shape, CHANNELS[:halvings], bounded=True)
    discriminator = ImageDiscriminator(shape, 3, CHANNELS[:halvings], hidden=8)
    z, context = torch.randn(4, 5), torch.randn(4, 3)
    images = generator(z, context)
    assert images.shape == (4, math.prod(shape))
    scores = discriminator(images, context)
    assert scores.shape == (4,)
    torch.testing.assert_close(generator(z[2:3], context[2:3]), images[2:3])
    torch.testing.assert_close(discriminator(images[2:3], context[2:3]), scores[2:3])


def test_images_that_cannot_be_halved_so_often_are_refused_with_the_sizes_that_can():
    said = r"halved 4 times, and 28 x 31 pixels.*takes 32 pixels.*channels of at most 3 entries"
    for make in (
        lambda: ImageGenerator(2, 0, (1, 28, 31), (4, 4, 4, 4), bounded=True),
        lambda: ImageDiscriminator((1, 28, 31), 0, (4, 4, 4, 4), hidden=4),
    ):
        with pytest.raises(InputError, match=said):
            make()
    with pytest.raises(InputError, match='net="mlp"'):
        ImageDiscriminator((1, 3, 8), 0, (4,), hidden=4)
    ImageDiscriminator((1, 16, 16), 0, (2, 2, 2), hidden=4)


@pytest.mark.parametrize("steps", [16, 45])
def test_sequences_of_any_length_are_generated_and_scored(steps):
    generator = ImageGenerator(5, 3, (2, steps), CHANNELS, bounded=False)
    discriminator = ImageDiscriminator((2, steps), 3, CHANNELS, hidden=8, packed=2)
    z, context = torch.randn(4, 5), torch.randn(4, 3)
    rows = generator(z, context)
    assert rows.shape == (4, 2 * steps)
    assert discriminator(rows, context).shape == (2,)
    with pytest.raises(InputError, match=r"sequences are halved 2 times, and 7 steps.*8 steps"):
        ImageGenerator(5, 0, (2, 7), CHANNELS, bounded=False)


def test_long_sequences_are_halved_often_and_have_no_more_channels_each_time():
    assert channels_for((1, 16)) == (32, 64)
    assert channels_for((2, 128)) == (32, 64, 128, 128, 128)
    assert channels_for((1, 8000)) == (16, 32, 64, *[128] * 7)
    assert channels_for((3, 64, 64)) == (16, 32, 64, 128)
    assert channels_for((3, 32, 32), 4) == (32, 64, 128, 256)  # growing from 4 pixels


def test_features_lie_between_the_ends_where_they_are_bounded():
    z = 50 * torch.randn(8, 5)
    bounded, free = (pair((1, 9, 8), bounded=b)[0] for b in (True, False))
    free.load_state_dict(bounded.state_dict())
    assert free(z).abs().max() > 1
    torch.testing.assert_close(bounded(z), free(z).tanh())


def test_the_score_is_linear_in_the_context():
    discriminator = pair((1, 9, 8), context=3)[1]
    images, a, b = torch.randn(6, 72), torch.randn(6, 3), torch.randn(6, 3)
    plain = discriminator(images, torch.zeros(6, 3))
    torch.testing.assert_close(
        discriminator(images, a + 2 * b) - plain,
        discriminator(images, a) + 2 * discriminator(images, b) - 3 * plain,
    )
    assert (discriminator(images, a) - plain).abs().min() > 0


def test_what_is_given_changes_the_images_as_much_as_the_noise():
    generator = ImageGenerator(64, 10, (1, 12, 12), CHANNELS, bounded=False)
    z, labels = torch.randn(2, 200, 64), torch.eye(10)[torch.randint(10, (2, 200))]
    by_noise = (generator(z[0], labels[0]) - generator(z[1], labels[0])).square().mean()
    by_label = (generator(z[0], labels[0]) - generator(z[0], labels[1])).square().mean()
    assert 0.3 < by_label / by_noise < 3


def test_packed_images_are_the_channels_of_one():
    packed = pair((2, 9, 8), context=3, packed=2)[1]
    wide = ImageDiscriminator((4, 9, 8), 6, CHANNELS, hidden=8)
    wide.load_state_dict(packed.state_dict())
    images, context = torch.randn(6, 144), torch.randn(6, 3)
    scores = packed(images, context)
    assert scores.shape == (3,)
    torch.testing.assert_close(scores, wide(images.reshape(3, 288), context.reshape(3, 6)))


def test_signals_keep_their_size_through_the_nets():
    shape, channels = (1, 32, 32), (16, 16, 16, 16)
    generator = ImageGenerator(16, 4, shape, channels, bounded=False)
    discriminator = ImageDiscriminator(shape, 4, channels, hidden=64)
    images, context = torch.randn(64, 1024), torch.eye(4).repeat(16, 1)
    h = discriminator.hidden(discriminator.layers(images.view(-1, *shape)))
    assert 0.2 < h.square().mean() < 2
    assert 0.1 < generator(torch.randn(64, 16), context).square().mean() < 1
    assert 0.1 < discriminator(images, context).square().mean() < 2


@pytest.mark.parametrize("context", [0, 3])
def test_every_weight_is_trained_by_losses_and_penalties(context):
    generator, discriminator = pair((2, 13, 12), context)
    given = torch.randn(8, context) if context else None
    images = generator(torch.randn(8, 5), given)
    discriminator(images, given).sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in all_of(generator) + all_of(discriminator))
    discriminator.zero_grad()
    images = images.detach().requires_grad_()
    scores = discriminator(images, given)
    (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    gradient.square().sum().backward()
    weights = {n: p for n, p in discriminator.named_parameters() if n.endswith("weight")}
    assert all(p.grad.abs().sum() > 0 for p in weights.values())


def test_channels_last_changes_nothing():
    generator, discriminator = pair((3, 13, 12), 2)
    z, context = torch.randn(4, 5), torch.randn(4, 2)
    images = generator(z, context)
    scores = discriminator(images, context)
    for net in (generator, discriminator):
        net.to(memory_format=torch.channels_last)
    torch.testing.assert_close(generator(z, context), images, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(discriminator(images, context), scores, atol=1e-5, rtol=1e-4)


# Augmentation


def test_augmented_images_have_a_gradient_and_real_ones_their_share():
    shape, n = (3, 16, 16), 400
    images = (2 * torch.rand(n, math.prod(shape)) - 1).requires_grad_()
    changed = augmentation(shape)(images)
    assert changed.shape == images.shape
    changed.square().sum().backward()
    assert (images.grad.abs().sum(1) > 0).all()
    untouched = (changed == images).all(1).float().mean()
    # A shift by (0, 0) changes nothing either.
    expected = (1 - OFTEN + OFTEN / 25) * (1 - OFTEN) ** 2
    assert abs(untouched - expected) < 4 * math.sqrt(expected * (1 - expected) / n)


def test_grey_images_keep_their_values_but_for_what_comes_in():
    shape = (1, 16, 24)
    images = 0.1 + 0.9 * torch.rand(300, 384)
    changed = augmentation(shape)(images)
    new = {-1.0, 0.0}
    for before, after in zip(images, changed, strict=True):
        assert set(after.tolist()) - set(before.tolist()) <= new
    moved = (changed == -1).view(-1, 16, 24).any(2).sum(1)
    assert moved.max() == 16
    rows = (changed == -1).view(-1, 16, 24).all(2).sum(1)
    assert rows.max() == round(SHIFT * 16)
    cut = (changed == 0).sum(1)
    assert cut.max() == round(CUT * 16) * round(CUT * 24)


def test_torchs_random_state_decides_alone_and_each_image_is_changed_apart():
    change, images = augmentation((1, 16, 16)), torch.rand(20, 256)
    torch.manual_seed(3)
    first, second = change(images), change(images)
    torch.manual_seed(3)
    assert torch.equal(change(images), first)
    assert not torch.equal(first, second)
    same = change(images[:1].repeat(40, 1))
    assert len({tuple(row.tolist()) for row in same}) > 10
