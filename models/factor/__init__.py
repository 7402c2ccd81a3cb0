"""Factor analysis and probabilistic PCA."""

from typing import TYPE_CHECKING

from ...lazy import lazily

if TYPE_CHECKING:
    from .estimator import FactorAnalysis as FactorAnalysis

__getattr__ = lazily(__name__, FactorAnalysis="estimator")
