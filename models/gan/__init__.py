"""Adversarial models: a generator of rows, and a discriminator that tells them from real ones."""

from typing import TYPE_CHECKING

from ...lazy import lazily

if TYPE_CHECKING:
    from .estimator import GAN as GAN
    from .progressive import ProgressiveGAN as ProgressiveGAN

__getattr__ = lazily(__name__, GAN="estimator", ProgressiveGAN="progressive")
