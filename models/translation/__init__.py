"""Translation between two domains: of pairs (pix2pix), and without pairs (CycleGAN)."""

from typing import TYPE_CHECKING

from ...lazy import lazily

if TYPE_CHECKING:
    from .estimator import CycleGAN as CycleGAN
    from .estimator import PairedTranslation as PairedTranslation

__getattr__ = lazily(__name__, CycleGAN="estimator", PairedTranslation="estimator")
