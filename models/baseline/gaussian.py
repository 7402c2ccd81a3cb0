"""One Gaussian: the mixture of one component, N(x; mu, Sigma) times tables of discrete columns."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from ...capabilities import Capabilities
from ..gmm import GaussianMixture
from .settings import SETTINGS, GaussianSettings


class Gaussian(GaussianSettings, GaussianMixture):
    """A Gaussian with a full covariance, gaps marginalised exactly."""

    name: ClassVar[str] = "gaussian"
    settings = SETTINGS["gaussian"]
    capabilities: ClassVar[Capabilities] = replace(
        GaussianMixture.capabilities, engines=("em",), backends=(), draws=False, predicts=None
    )
    n_components = 1
