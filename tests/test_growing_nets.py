"""Nets that grow: what fades in, where a training stands, and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ppgen.errors import InputError
from ppgen.models.gan.growing import Growing, GrowingDiscriminator, GrowingGenerator
from ppgen.models.gan.image_nets import ImageDiscriminator, ImageGenerator
from ppgen.models.gan.stages import Place, Stages, doubled, reduced

C = 3


def pair(doublings: int = 2) -> tuple[GrowingGenerator, GrowingDiscriminator]:
    """Nets of images of 4 x 6 pixels, doubled so often; of a fixed seed."""
    stages = Stages(4 * 2**doublings, 6 * 2**doublings, doublings)
    shape, channels = (C, stages.height, stages.width), (4, 3, 5)[: doublings + 1]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return (
            GrowingGenerator(stages, ImageGenerator(5, 0, shape, channels, bounded=True)),
            GrowingDiscriminator(stages, ImageDiscriminator(shape, 0, channels, hidden=6)),
        )


def put(net: Growing, place: Place) -> None:
    """Bring a net to a place."""
    stages, (k, alpha) = net.stages, place
    done = k if alpha == 1 else k - stages.fading * (1 - alpha)
    net.grow(stages.growing * done / stages.doublings)
    assert net.place == place


def codes(n: int = 4) -> Tensor:
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(1))


def images(n: int, stages: Stages) -> Tensor:
    size = (n, C * stages.height * stages.width)
    return torch.rand(size, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_at_alpha_0_a_generator_gives_the_doubled_image_of_the_stage_before() -> None:
    generator, _ = pair()
    for stage in (1, 2):
        put(generator, Place(stage, 0.0))
        faded = generator(codes())
        put(generator, Place(stage - 1))
        assert torch.equal(faded, generator(codes()))


def test_at_alpha_1_a_generator_gives_the_image_of_its_stage_alone() -> None:
    generator, _ = pair()
    put(generator, Place(2, 1.0))
    assert torch.equal(generator(codes()), generator.full(codes()))
    put(generator, Place(1, 1.0))
    h = generator.full.layers[0](generator.full.start(codes(), None))
    wanted = doubled(generator.earlier[1](h).tanh()).flatten(1)
    assert torch.equal(generator(codes()), wanted)


def test_half_faded_a_generator_is_halfway_between_both_stages() -> None:
    generator, _ = pair()
    found = {}
    for place in (Place(1), Place(2, 0.5), Place(2)):
        put(generator, place)
        found[place] = generator(codes())
    between = (found[Place(1)] + found[Place(2)]) / 2
    torch.testing.assert_close(found[Place(2, 0.5)], between)


def test_a_discriminator_fades_between_the_stages_too() -> None:
    _, discriminator = pair()
    x = images(4, discriminator.stages)
    for stage in (1, 2):
        put(discriminator, Place(stage, 0.0))
        faded = discriminator(x)
        put(discriminator, Place(stage - 1))
        torch.testing.assert_close(faded, discriminator(x), rtol=0, atol=1e-6)
    put(discriminator, Place(2))
    assert torch.equal(discriminator(x), discriminator.full(x))


def test_real_images_are_faded_as_those_of_the_generator_are() -> None:
    _, discriminator = pair()
    x = images(3, discriminator.stages)
    full = x.view(3, C, 16, 24)
    put(discriminator, Place(0))
    assert torch.equal(discriminator.shown(x), doubled(reduced(full, 2), 2).flatten(1))
    put(discriminator, Place(2, 0.25))
    wanted = 0.75 * doubled(reduced(full)) + 0.25 * full
    torch.testing.assert_close(discriminator.shown(x), wanted.flatten(1))
    put(discriminator, Place(2))
    assert torch.equal(discriminator.shown(x), x)


def test_the_mean_of_doubled_pixels_is_the_pixels() -> None:
    x = images(2, Stages(16, 24, 2)).view(2, C, 16, 24)
    torch.testing.assert_close(reduced(doubled(x, 3), 3), x, rtol=0, atol=1e-6)


def test_a_squared_gradient_norm_falls_with_the_pixels_that_a_stage_lacks() -> None:
    _, discriminator = pair(1)
    put(discriminator, Place(0))
    x = images(2, discriminator.stages).requires_grad_()
    small = reduced(x.detach().view(2, C, 8, 12)).requires_grad_()
    (whole,) = torch.autograd.grad(discriminator(x).sum(), x)
    h = discriminator.earlier[0](small)
    (alone,) = torch.autograd.grad(discriminator.full.scores(h, None).sum(), small)
    torch.testing.assert_close(whole.square().sum(), alone.square().sum() / 4)


def test_a_training_stands_where_its_share_of_the_schedule_says() -> None:
    stages = Stages(32, 32, 2, growing=0.8, fading=0.25)
    assert [stages.size(k) for k in range(3)] == [(8, 8), (16, 16), (32, 32)]
    assert stages.at(0.0) == Place(0)
    assert stages.at(0.29) == Place(0)
    assert stages.at(0.35).stage == 1
    assert stages.at(0.35).alpha == pytest.approx(0.5)
    assert stages.at(0.4) == Place(1)
    assert stages.at(0.69) == Place(1)
    assert stages.at(0.75).alpha == pytest.approx(0.5)
    assert stages.at(0.8) == stages.at(1.0) == Place(2)


def test_growth_never_goes_back() -> None:
    stages = Stages(64, 64, 3)
    places = [stages.at(share / 1000) for share in range(1001)]
    heights = [place.stage + (place.alpha - 1) for place in places]
    assert heights == sorted(heights)
    assert {place.stage for place in places} == {0, 1, 2, 3}


def test_the_share_of_the_schedule_is_kept_with_the_weights() -> None:
    half, other = pair()[0], pair()[0]
    half.grow(0.3)
    other.load_state_dict(half.state_dict())
    assert other.place == half.place != pair()[0].place
    assert torch.equal(other(codes()), half(codes()))


def test_images_of_one_stage_never_grow() -> None:
    assert Stages.of(32, 32, 32).at(0.0) == Place(0)
    assert Stages.of(32, 32, 32).size(0) == (32, 32)


def test_every_layer_is_trained_somewhere_and_none_beyond_its_stage() -> None:
    generator, discriminator = pair()
    nets = {"g": generator, "d": discriminator}
    reached: set[str] = set()
    for share in (0.0, 0.2, 0.3, 0.45, 1.0):
        place = generator.stages.at(share)
        for net in nets.values():
            net.grow(share)
            net.zero_grad(set_to_none=True)
        discriminator(generator(codes())).sum().backward()
        now = {
            f"{kind}.{name}"
            for kind, net in nets.items()
            for name, p in net.named_parameters()
            if p.grad is not None and bool(p.grad.any())
        }
        beyond = [f"{net}.earlier.{k}." for net in "gd" for k in range(place.stage + 1, 2)]
        assert not [name for name in now if name.startswith((*beyond, "none"))]
        assert ("g.full.pixels.bias" in now) == (place.stage == 2)
        reached |= now
    every = {f"{kind}.{name}" for kind, net in nets.items() for name, _ in net.named_parameters()}
    assert reached == every


@pytest.mark.parametrize(
    ("height", "width", "start", "wanted"),
    [(32, 32, None, 2), (64, 64, 16, 2), (28, 28, None, 1), (24, 48, 6, 2), (32, 32, 4, 3)],
)
def test_training_starts_at_a_size_that_halving_leads_to(
    height: int, width: int, start: int | None, wanted: int
) -> None:
    stages = Stages.of(height, width, start)
    assert stages.doublings == wanted
    assert stages.size(0) == (height // 2**wanted, width // 2**wanted)


@pytest.mark.parametrize(
    ("size", "start", "said"),
    [
        (30, 8, "to 30, 15"),
        (28, 16, "to 28, 14, 7"),
        (32, 12, r"to 32, 16, 8, 4\. Take"),
        (45, None, "Crop them to 44 x 44"),
        (12, None, "Give larger ones"),
    ],
)
def test_sizes_that_cannot_be_halved_as_often_are_refused(
    size: int, start: int | None, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        Stages.of(size, size, start)
