"""What computes: one rule for fitting and for loading.

`device="auto"` is a GPU that torch can use, and otherwise the processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch

from ...errors import InputError

if TYPE_CHECKING:
    from .processes import Processes

DEVICES = '"auto", "cpu", "cuda" or "cuda:0" and the like'


@dataclass(frozen=True)
class Machine:
    """What computes a fit.

    Attributes:
        device: where the nets of this process are.
        processes: that train together, each on a device; None is this one alone.
    """

    device: torch.device
    processes: Processes | None = None

    @classmethod
    def of(cls, device: str | None, devices: int, backend: str) -> Self:
        """The machine that settings ask for.

        Raises:
            InputError: if it is not there, or the backend does not compute on it.
        """
        if devices == 1:
            return cls(device_for(device, backend))
        if backend == "numpyro" or (device or "").startswith("cuda:"):
            what = f"device is {device!r}" if backend != "numpyro" else 'backend is "numpyro"'
            raise InputError(
                f"devices is {devices}, and {what}, which is one device. Leave devices out, or "
                'take device="auto" and backend="pyro".'
            )
        if device == "auto" and torch.cuda.device_count() < devices:
            device = "cpu"
        from .processes import Processes

        processes = Processes(device_for(device, backend).type, devices)
        return cls(processes.device, processes)


def device_for(device: str | None, backend: str = "pyro") -> torch.device:
    """The device to fit on; None, as saved runs of before have it, is the processor.

    Raises:
        InputError: if it is unknown or not there, or the backend does not compute on it.
    """
    if device == "auto":
        device = "cuda" if backend != "numpyro" and torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device or "cpu")
    except RuntimeError:
        chosen = torch.device("meta")
    if chosen.type not in ("cpu", "cuda"):
        raise InputError(f"device is {device!r}; expected {DEVICES}.")
    if chosen.type == "cpu":
        return torch.device("cpu")
    if backend == "numpyro":
        raise InputError(
            f'device is {device!r}, and backend "numpyro" trains on the processor. Leave device '
            'out, or take backend="pyro".'
        )
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (chosen.index or 0) >= count:
        have = f"has {count} of them" if count else "has none that torch can use"
        raise InputError(
            f"device is {device!r}, and this machine {have}. Leave device out to compute on the "
            "processor, or install a torch built for the GPU's driver."
        )
    return torch.device("cuda", chosen.index or 0)


def device_to_load(device: str | None) -> torch.device:
    """The device that a saved run was fitted on; the processor if that is not here."""
    try:
        return device_for(device)
    except InputError:
        return torch.device("cpu")
