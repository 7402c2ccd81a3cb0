"""Gaussian mixtures over mixed columns, by EM, variational inference or NUTS."""

from typing import TYPE_CHECKING

from ...lazy import lazily

if TYPE_CHECKING:
    from .estimator import GaussianMixture as GaussianMixture

__getattr__ = lazily(__name__, GaussianMixture="estimator")
