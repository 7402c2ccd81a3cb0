"""Gaussian processes: regression in closed form, classes and counts by latent functions."""
