"""The floor that every study prints: one Gaussian, independent columns, a kernel density
estimate."""

from .gaussian import Gaussian as Gaussian
from .independent import IndependentColumns as IndependentColumns
from .kde import KernelDensity as KernelDensity
