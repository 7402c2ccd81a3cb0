"""Which library funsor computes with, for the time of a block.

Funsor has one backend in a process. NumPyro's enumeration sets it to JAX, parts of Pyro to torch,
each when it is first imported or used; after both, the enumeration of the one meets arrays of the
other.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def funsors_of_jax() -> Iterator[None]:
    """Within it, funsor computes with JAX; afterwards as before, if it was loaded before."""
    loaded = sys.modules.get("funsor")
    if loaded is None:
        yield
        return
    before = loaded.get_backend()
    loaded.set_backend("jax")
    try:
        yield
    finally:
        if before != "numpy":  # which cannot be gone back to
            loaded.set_backend(before)
