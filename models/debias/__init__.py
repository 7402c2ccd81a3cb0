"""Debiasing: a classifier that draws rows more often which are rare in its latents."""

from typing import TYPE_CHECKING

from ...lazy import lazily

if TYPE_CHECKING:
    from .estimator import DebiasingVAE as DebiasingVAE

__getattr__ = lazily(__name__, DebiasingVAE="estimator")
