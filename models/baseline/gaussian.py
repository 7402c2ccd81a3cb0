"""One Gaussian: the mixture of a single component, N(x; mu, Sigma) times independent tables for
discrete columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from ...capabilities import Capabilities
from ..gmm import GaussianMixture
from .settings import SETTINGS


class Gaussian(GaussianMixture):
    """A Gaussian with a full covariance, gaps marginalised exactly."""

    name: ClassVar[str] = "gaussian"
    settings = SETTINGS["gaussian"]
    capabilities: ClassVar[Capabilities] = replace(
        GaussianMixture.capabilities, engines=("em",), backends=(), draws=False
    )

    def __init__(
        self,
        *,
        reg_covar: float = 1e-6,
        max_iter: int = 200,
        tol: float = 1e-4,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            n_components=1,
            reg_covar=reg_covar,
            max_iter=max_iter,
            tol=tol,
            random_state=random_state,
        )
