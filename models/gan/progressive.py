"""`ProgressiveGAN`: a GAN of images whose layers for higher resolutions join in training."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from ...capabilities import Capabilities
from .estimator import GAN
from .settings import SETTINGS, ProgressiveSettings


class ProgressiveGAN(ProgressiveSettings, GAN):
    """A GAN that learns images from coarse to fine: the nets start with few pixels, and layers that
    double height and width fade in.

    Which layers take part is a function of the share of the schedule that is used, of `max_epochs`
    or of the budget (see `models/gan/stages.py`): there is one training, and full-grown nets are
    those of `GAN`. Steps of few pixels cost less, so that more are taken in the same time. The
    score of held-out images that chooses the weights is of images of full size throughout.

    Attributes:
        nets_: the trained nets, whose `generate` and `discriminate` work on features.
        architecture_: what they are made of.
        latent_dim_: numbers of noise that a row is made of.
        batch_size_, n_steps_, n_epochs_: of the training; the batch of all turns of a step.
    """

    name: ClassVar[str] = "progressive-gan"
    settings = SETTINGS["progressive-gan"]
    capabilities: ClassVar[Capabilities] = replace(GAN.capabilities, tables=False, sequences=False)
