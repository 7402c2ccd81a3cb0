"""JSON that carries its own SHA-256, and those of the files that it tells of.

Damage is noticed, not malice: who changes a file on purpose can seal it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .files import sha256

DAMAGED = "differs from its recorded SHA-256"


def sealed(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with the SHA-256 of its JSON as `seal`."""
    plain = json.loads(json.dumps({k: v for k, v in body.items() if k != "seal"}))
    text = json.dumps(plain, sort_keys=True).encode()
    return {**plain, "seal": hashlib.sha256(text).hexdigest()}


def is_whole(body: Mapping[str, Any]) -> bool:
    """Whether a body is as it was sealed; one that is nested too deep to tell is not."""
    try:
        return bool(sealed(body)["seal"] == body.get("seal"))
    except RecursionError:
        return False


def read_object(file: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        OSError: if there is no such file.
        ValueError: if it holds no JSON object.
    """
    try:
        body = json.loads(file.read_bytes())
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(body, dict):
        raise ValueError("it is no JSON object")
    return body


def digests(folder: Path, files: Iterable[Path]) -> dict[str, str]:
    """SHA-256 by path within a folder."""
    return {file.relative_to(folder).as_posix(): sha256(file) for file in sorted(files)}


def damage(folder: Path, recorded: Mapping[str, str]) -> str | None:
    """What is wrong with the first file that is not as `digests` found it; None if all are."""
    for name, digest in recorded.items():
        if not (folder / name).is_file():
            return f"{name} is missing"
        if sha256(folder / name) != digest:
            return f"{name} {DAMAGED}"
    return None
