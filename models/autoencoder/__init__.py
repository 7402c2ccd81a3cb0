"""Autoencoders: perceptrons, convolutions, the linear one that is PCA, and denoising ones."""

from .estimator import Autoencoder as Autoencoder
