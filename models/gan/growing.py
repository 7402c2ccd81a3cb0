"""A generator and a discriminator of images that grow while they are trained.

With stages k = 0, ..., S (see `stages`), a generator makes of a code z

    h_0 = trunk(z),   h_k = double_k(h_{k-1}),   image of stage k = pixels_k(h_k),

and a discriminator reads an image x of stage k as

    h_k = read_k(x),   h_{k-1} = halve_k(h_k),   score = trunk(h_0).

While stage k fades in with the weight alpha, the image is (1 - alpha) U(pixels_{k-1}(h_{k-1}))
+ alpha pixels_k(h_k), and h_{k-1} of the discriminator (1 - alpha) read_{k-1}(D(x))
+ alpha halve_k(h_k). All layers exist from the start; those beyond the stage take no part.

Images come and go at full size, whatever the stage, each pixel of a smaller one as often as it
takes. So what is done to images (augmentation, penalties, scores) need not know of stages: with U
on the way out and D on the way in, a squared gradient norm in pixels of full size is that in the
pixels of the stage divided by how many times fewer those are, and a penalty whose weight is in
proportion to the pixels keeps that proportion.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from .stages import Place, Stages, blended, doubled, reduced


class Growing(nn.Module):
    """Nets at a place of their growth; full grown unless told otherwise.

    Attributes:
        place: the stage, and how far it has faded in.
    """

    def __init__(self, stages: Stages) -> None:
        super().__init__()
        self.stages = stages
        self.place = Place(stages.doublings)

    def grow(self, share: float) -> None:
        """Go to where a training stands at a share of its schedule."""
        self.place = self.stages.at(share)


class GrowingGenerator(Growing):
    """Codes (n, k) and context (n, c) or None -> images (n, C H W) in [-1, 1].

    Args:
        trunk: makes h_0 of codes and context.
        doubles: double_k, k = 1, ..., S.
        pixels: pixels_k, k = 0, ..., S.
    """

    def __init__(
        self,
        stages: Stages,
        trunk: nn.Module,
        doubles: Sequence[nn.Module],
        pixels: Sequence[nn.Module],
    ) -> None:
        super().__init__(stages)
        self.trunk = trunk
        self.doubles, self.pixels = nn.ModuleList(doubles), nn.ModuleList(pixels)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        k, alpha = self.place.stage, self.place.alpha
        h = before = self.trunk(z, context)
        for double in list(self.doubles)[:k]:
            before, h = h, double(h)
        images = self.pixels[k](h)
        if alpha < 1:
            images = blended(doubled(self.pixels[k - 1](before)), images, alpha)
        return self.stages.whole(images, self.place).flatten(1)


class GrowingDiscriminator(Growing):
    """Images (n, C H W) of full size and context -> scores (n,).

    Args:
        reads: read_k, k = 0, ..., S.
        halves: halve_k, k = 1, ..., S.
        trunk: scores h_0, given the context.
    """

    def __init__(
        self,
        stages: Stages,
        reads: Sequence[nn.Module],
        halves: Sequence[nn.Module],
        trunk: nn.Module,
    ) -> None:
        super().__init__(stages)
        self.reads, self.halves, self.trunk = nn.ModuleList(reads), nn.ModuleList(halves), trunk

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        k, alpha = self.place.stage, self.place.alpha
        images = x.reshape(len(x), -1, self.stages.height, self.stages.width)
        images = reduced(images, self.stages.doublings - k)
        h = self.reads[k](images)
        if k:
            h = self.halves[k - 1](h)
        if alpha < 1:
            h = blended(self.reads[k - 1](reduced(images)), h, alpha)
        for halve in reversed(list(self.halves)[: max(k - 1, 0)]):
            h = halve(h)
        scores: Tensor = self.trunk(h, context)
        return scores

    def shown(self, x: Tensor) -> Tensor:
        """Rows (n, C H W) as nets of this place are shown them: reduced and faded, at full size."""
        images = x.reshape(len(x), -1, self.stages.height, self.stages.width)
        small = self.stages.faded(images, self.place)
        return self.stages.whole(small, self.place).flatten(1)
