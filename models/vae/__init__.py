"""Variational autoencoders, as a Pyro pair and, for vectors, a NumPyro pair."""

from .estimator import VAE as VAE
