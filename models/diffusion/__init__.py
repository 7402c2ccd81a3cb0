"""Diffusion and flow matching: nets that reverse noise."""

from typing import TYPE_CHECKING

from ...lazy import lazily

if TYPE_CHECKING:
    from .estimator import Diffusion as Diffusion

__getattr__ = lazily(__name__, Diffusion="estimator")
