"""The floor that every study prints: one Gaussian, independent columns, a kernel density."""

from typing import TYPE_CHECKING

from ...lazy import lazily

if TYPE_CHECKING:
    from .gaussian import Gaussian as Gaussian
    from .independent import IndependentColumns as IndependentColumns
    from .kde import KernelDensity as KernelDensity

__getattr__ = lazily(
    __name__, Gaussian="gaussian", IndependentColumns="independent", KernelDensity="kde"
)
