"""Debiasing: a classifier that draws rows more often which are rare in its latents."""

from .estimator import DebiasingVAE as DebiasingVAE
