"""Generators and discriminators of images that grow while they are trained.

Of the layers of `image_nets` those nearest to the image grow. With h_k the maps of half the size of
stage k = 0, ..., S (see `stages`), a generator makes of a code z

    h_0 = first layers(z),   h_k = double_k(h_{k-1}),   image of stage k = pixels_k(h_k),

and a discriminator reads an image x of stage k as

    h_k = read_k(x),   h_{k-1} = halve_k(h_k),   score = last layers(h_0).

While stage k fades in with the weight alpha, the image is (1 - alpha) U(pixels_{k-1}(h_{k-1}))
+ alpha pixels_k(h_k), and h_{k-1} of the discriminator (1 - alpha) read_{k-1}(D(x))
+ alpha halve_k(h_k). All layers exist from the start; those beyond the stage take no part, and at
stage S the nets are those of `image_nets`.

Images come and go at full size, whatever the stage, each pixel of a smaller one as often as it
takes. So what is done to images (augmentation, penalties, scores) need not know of stages: with U
on the way out and D on the way in, a squared gradient norm in pixels of full size is that in the
pixels of the stage divided by how many times fewer those are, and a penalty whose weight is in
proportion to the pixels keeps that proportion.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from ...verdict import Reason, warning
from .image_nets import ImageDiscriminator, ImageGenerator
from .stages import Place, Stages, blended, doubled, reduced


class Growing(nn.Module):
    """Nets at a place of their growth; full grown unless told otherwise.

    Attributes:
        share: () of the schedule that is used, from which the place follows; kept with the weights.
    """

    share: Tensor

    def __init__(self, stages: Stages) -> None:
        super().__init__()
        self.stages = stages
        self.register_buffer("share", torch.ones((), dtype=torch.float64))

    def grow(self, share: float) -> None:
        """Go to where a training stands at a share of its schedule."""
        self.share.fill_(share)

    @property
    def place(self) -> Place:
        """The stage, and how far it has faded in."""
        return self.stages.at(float(self.share))


class GrowingGenerator(Growing):
    """Codes (n, k) and context (n, c) or None -> images (n, C H W).

    Args:
        full: the generator of full size.
    """

    def __init__(self, stages: Stages, full: ImageGenerator) -> None:
        super().__init__(stages)
        self.full = full
        skipped = reversed(range(1, stages.doublings + 1))
        self.earlier = nn.ModuleList([full.to_pixels(beyond) for beyond in skipped])

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        k, alpha = place = self.place
        h = before = self.full.start(z, context)
        layers = list(self.full.layers)
        for layer in layers[: len(layers) - self.stages.doublings + k]:
            before, h = h, layer(h)
        images = self._images(h, k)
        if alpha < 1:
            images = blended(doubled(self._images(before, k - 1)), images, alpha)
        return self.stages.whole(images, place).flatten(1)

    def _images(self, h: Tensor, stage: int) -> Tensor:
        last = self.full.pixels if stage == self.stages.doublings else self.earlier[stage]
        return self.full.bound(last(h))


class GrowingDiscriminator(Growing):
    """Images (n, C H W) of full size and context -> scores (n / packed,).

    Args:
        full: the discriminator of full size.
    """

    def __init__(self, stages: Stages, full: ImageDiscriminator) -> None:
        super().__init__(stages)
        self.full = full
        skipped = reversed(range(1, stages.doublings + 1))
        self.earlier = nn.ModuleList([full.from_pixels(beyond) for beyond in skipped])

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        k, alpha = self.place
        beyond = self.stages.doublings - k
        images = reduced(self.full.images(x), beyond)
        first, *rest = list(self.full.layers)[beyond:]
        h = (self.earlier[k] if beyond else first)(images)
        if alpha < 1:
            h = blended(self.earlier[k - 1](reduced(images)), rest.pop(0)(h), alpha)
        return self.full.scores(nn.Sequential(*rest)(h), context)

    def shown(self, x: Tensor) -> Tensor:
        """Real rows (n, C H W) as nets of this place are shown them: halved and faded."""
        place = self.place
        if place == Place(self.stages.doublings):
            return x
        small = self.stages.faded(self.full.images(x), place)
        return self.stages.whole(small, place).reshape(x.shape)


class Growth:
    """A generator and a discriminator that grow together.

    Attributes:
        nets: the generator, then the discriminator.
    """

    def __init__(self, generator: GrowingGenerator, discriminator: GrowingDiscriminator) -> None:
        self.nets = generator, discriminator

    @classmethod
    def of(cls, generator: nn.Module, discriminator: nn.Module) -> Self | None:
        """The growth of two nets; None of nets that do not grow."""
        if isinstance(generator, GrowingGenerator):
            assert isinstance(discriminator, GrowingDiscriminator)
            return cls(generator, discriminator)
        return None

    def follow(self, share: float) -> None:
        """Bring both nets to where a training stands at a share of its schedule."""
        for net in self.nets:
            net.grow(share)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the stage, that which fades in if one does."""
        net = self.nets[0]
        return net.stages.size(net.place.stage)

    def reasons(self) -> list[Reason]:
        """What is to be said if the weights that are kept are not of the last stage."""
        (height, width), stages = self.size, self.nets[0].stages
        if self.nets[0].place == Place(stages.doublings):
            return []
        return warning(
            f"the best weights are of a stage of {height} x {width} pixels, before images of "
            f"{stages.height} x {stages.width} were trained in full.",
            "Raise the budget or max_epochs, lower growing, or raise start.",
        )

    @property
    def kept(self) -> dict[str, Tensor]:
        """What a training keeps besides weights."""
        return {f"share {i}": net.share for i, net in enumerate(self.nets)}

    def shown(self, x: Tensor) -> Tensor:
        """Real rows (n, C H W) as nets of this place are shown them: halved and faded."""
        return self.nets[1].shown(x)
