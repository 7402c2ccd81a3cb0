"""Dirichlet-process Gaussian mixtures."""
