"""Gaussian mixtures over mixed columns, by EM, variational inference or NUTS."""

from .estimator import GaussianMixture as GaussianMixture
