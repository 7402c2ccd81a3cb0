"""Autoencoders: perceptrons, convolutions, the linear one that is PCA, and denoising ones."""

from typing import TYPE_CHECKING

from ...lazy import lazily

if TYPE_CHECKING:
    from .estimator import Autoencoder as Autoencoder

__getattr__ = lazily(__name__, Autoencoder="estimator")
