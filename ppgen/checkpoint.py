"""Checkpoints: the last two states of a running fit, so that a killed fit goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .artifact import Arrays, read_safetensors, write_safetensors
from .errors import InputError
from .files import path_of


class Checkpoints:
    """States of a running fit.

    Args:
        folder: where they are kept; made when the first is saved.
        fingerprint: what the fit is of (data, settings). States of anything else are refused.
    """

    def __init__(self, folder: str | os.PathLike[str], fingerprint: str) -> None:
        self.folder = path_of(folder, "checkpoint_dir")
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"checkpoint_dir is {str(folder)!r}, a file; give a folder.")
        self.fingerprint = fingerprint

    def save(self, step: int, arrays: Arrays, meta: Mapping[str, Any]) -> None:
        """Keep this state and the one before it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"fingerprint": self.fingerprint, "step": step, "meta": dict(meta)})
        head = {"state": text, "sha256": _digest(arrays, text)}
        write_safetensors(self.folder / f"step-{step:012d}.safetensors", arrays, head)
        for old in self._files()[2:]:
            old.unlink(missing_ok=True)

    def latest(self) -> tuple[int, dict[str, NDArray[Any]], dict[str, Any]] | None:
        """The newest whole state as (step, arrays, meta), or None.

        Raises:
            InputError: if the newest whole state belongs to other data or settings.
        """
        for file in self._files():
            state = self._read(file)
            if state is None:
                continue
            arrays, head = state
            if head["fingerprint"] != self.fingerprint:
                raise InputError(
                    f"{self.folder} holds checkpoints of other data or settings; give another "
                    "checkpoint_dir or clear it."
                )
            return int(head["step"]), arrays, head["meta"]
        return None

    def part(self, name: str) -> Checkpoints:
        """States of a part of the fit, in a folder of their own."""
        return Checkpoints(self.folder / name, self.fingerprint)

    def clear(self) -> None:
        """Drop the states, those of parts too, once the fit is saved."""
        for file in self._files():
            file.unlink(missing_ok=True)
        for file in self.folder.glob("*/step-*.safetensors"):
            file.unlink(missing_ok=True)
            if not any(file.parent.iterdir()):
                file.parent.rmdir()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.safetensors"), reverse=True)

    @staticmethod
    def _read(file: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        # A torn or flipped file is passed over: the one before it is whole.
        try:
            raw = file.read_bytes()
            (length,) = struct.unpack("<Q", raw[:8])
            head = json.loads(raw[8 : 8 + length])["__metadata__"]
            arrays = read_safetensors(file)
        except (InputError, OSError, ValueError, KeyError, struct.error):
            return None
        if _digest(arrays, head.get("state", "")) != head.get("sha256"):
            return None
        return arrays, json.loads(head["state"])


def _digest(arrays: Arrays, text: str) -> str:
    hasher = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.require(arrays[name], requirements="C")
        hasher.update(f"{name}{array.dtype.str}{array.shape}".encode())
        hasher.update(array.reshape(-1).view(np.uint8).data if array.size else b"")
    return hasher.hexdigest()
