"""Variational autoencoders, as a Pyro pair and, for vectors, a NumPyro pair."""

from typing import TYPE_CHECKING

from ...lazy import lazily

if TYPE_CHECKING:
    from .estimator import VAE as VAE

__getattr__ = lazily(__name__, VAE="estimator")
