"""Augmentation of real and of generated images alike, through which the generator is trained.

With few images a discriminator learns them by heart. It is then given T(x) and T(G(z)) in place of
x and G(z), in its own steps and in the generator's, T drawn anew for each image:

    shift        by up to `SHIFT` of height and width, the darkest value coming in
    cut out      a rectangle of `CUT` of height and width, put at the middle of the range
    colour       of images of 3 channels: contrast and brightness (see `data.augment`)

Each of the three is made to an image with probability `OFTEN`: where most of what a discriminator
sees is as it was, a generator does best by images as they are, and none of the changes shows in
its own. All of T has a gradient by its images.

References: Zhao, Liu, Lin, Zhu and Han, "Differentiable augmentation for data-efficient GAN
training", 2020, https://arxiv.org/abs/2006.10738; Karras, Aittala, Hellsten, Laine, Lehtinen and
Aila, "Training generative adversarial networks with limited data" (the probability), 2020,
https://arxiv.org/abs/2006.06676.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ...data.augment import brightness, contrast, cut_out, shift
from .game import Change

Shape = tuple[int, ...]


OFTEN = 0.5
SHIFT, CUT = 1 / 8, 1 / 4
CONTRAST, BRIGHTNESS = 0.25, 0.25
_LOW, _MIDDLE = -1.0, 0.0  # of features of images


def augmentation(shape: Shape) -> Change:
    """What changes features of images (n, C H W), each by draws of its own, made from torch's
    random state, which in a learner's step is the learner's.

    Args:
        shape: (C, H, W).
    """
    colours, height, width = shape
    pixels = max(1, round(SHIFT * min(height, width)))
    part = (max(1, round(CUT * height)), max(1, round(CUT * width)))

    def change(features: Tensor) -> Tensor:
        images = features.reshape(-1, *shape)
        draws = Generator(images.device).manual_seed(int(torch.randint(2**62, ())))
        images = _some(images, shift(images, pixels, draws, fill=_LOW), draws)
        images = _some(images, cut_out(images, part, draws, fill=_MIDDLE), draws)
        if colours == 3:
            coloured = contrast(images, CONTRAST, draws)
            images = _some(images, brightness(coloured, BRIGHTNESS, draws), draws)
        return images.reshape(features.shape)

    return change


def _some(images: Tensor, changed: Tensor, draws: Generator) -> Tensor:
    """Each image changed with probability `OFTEN`."""
    taken = torch.rand(len(images), generator=draws, device=draws.device) < OFTEN
    return torch.where(taken.to(images.device)[:, None, None, None], changed, images)
