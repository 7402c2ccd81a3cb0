"""An audit: whether what a fitted model says of itself is so.

`audit` runs the checks, `findings` holds what they found and decides between chance and a fault.
`coordinates`, `cover` and `weighted_cover` are what they measure with: maps of columns, and a
density that can be drawn from, neither of which the models use.
"""

from .findings import Audit as Audit
from .findings import Check as Check
from .running import audit as audit
