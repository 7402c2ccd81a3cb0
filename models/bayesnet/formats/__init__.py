"""Files of networks and factor graphs: read by content, written by ending.

| format | ending | continuous nodes | names and states |
|---|---|---|---|
| BIF | .bif | no | kept, as text |
| UAI | .uai | no | numbers |
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path

from ....errors import InputError, unknown
from ....files import write_bytes
from ..factors import Factors
from ..network import Network
from . import bif, uai
from .source import Source, decoded, read_bytes

ENDINGS = {".bif": "bif", ".uai": "uai"}


def read(path: str | os.PathLike[str]) -> Network | Factors:
    """The network or factor graph of a file, which may be packed with gzip.

    What the file holds is seen from its contents, so its ending does not matter.

    Raises:
        InputError: if there is no such file or it is no such network: with line and column.
    """
    source = decoded(Path(path).name, read_bytes(path))
    readers = {"bif": bif.read, "uai": uai.read}
    return readers[_format(source)](source)


def write(model: Network | Factors, path: str | os.PathLike[str]) -> None:
    """Write a network or factor graph in the format that the ending of `path` names; a second
    ending `.gz` packs it.

    Raises:
        InputError: for an unknown ending, or a format that does not have what the model has.
    """
    file = Path(path)
    packed = file.suffix == ".gz"
    ending = (file.with_suffix("") if packed else file).suffix.lower()
    if ending not in ENDINGS:
        raise unknown("format of networks", ending, ENDINGS)
    if isinstance(model, Factors) and ENDINGS[ending] not in ("uai", "json"):
        raise InputError(f"a factor graph is written as .uai or .json; {ending} was given.")
    writers = {"bif": bif.text, "uai": uai.text}
    content = writers[ENDINGS[ending]](model).encode()
    write_bytes(file, gzip.compress(content, mtime=0) if packed else content)


def _format(source: Source) -> str:
    first = source.text.lstrip()
    if first.startswith(("MARKOV", "BAYES")):
        return "uai"
    return "bif"
