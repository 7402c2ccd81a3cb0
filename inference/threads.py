"""How many threads torch computes with: as many as the cores that this process may use.

torch starts as many threads as the machine has cores. In a container with a share of them the
threads wait for each other, and a fit takes many times as long; joblib reads that share.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def within_cores() -> Iterator[None]:
    """Within it torch has no more threads than this process has cores, and never more than before:
    what the user set lower stays."""
    from joblib import cpu_count

    before = torch.get_num_threads()
    most = min(before, cpu_count())
    if most == before:
        yield
        return
    torch.set_num_threads(most)
    try:
        yield
    finally:
        torch.set_num_threads(before)
