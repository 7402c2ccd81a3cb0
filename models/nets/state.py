"""What a saved run holds of a net on torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from ...arrays import Array
from ...errors import InputError


def take(net: nn.Module, arrays: Mapping[str, Array]) -> None:
    """Give a net its parameters and buffers by name.

    Raises:
        InputError: if it has others than these, as nets of other versions may.
    """
    own = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    for name in [*own, *arrays]:
        known, given = own.get(name), arrays.get(name)
        if given is None or known != given.shape:
            saved = "none" if given is None else f"one of shape {given.shape}"
            needed = "none" if known is None else f"one of shape {known}"
            raise InputError(
                f"the run was saved by another version of ppgen: it holds {saved} of the array "
                f"{name!r}, and this version expects {needed}. Load it by that version, or fit "
                "again."
            )
    net.load_state_dict({name: torch.from_numpy(np.array(a)) for name, a in arrays.items()})
