"""Files of networks and factor graphs: read by what they hold, written by their ending.

| ending | format | continuous nodes | names and states | factor graphs |
|---|---|---|---|---|
| .json | ours | yes | kept, with types | yes |
| .net | Hugin | yes | kept, as text | no |
| .bif | Interchange Format | no | kept, as text | no |
| .xml, .xmlbif | XMLBIF | no | kept, as text | no |
| .uai | UAI | no | numbers | yes |

Numbers are written so that they read back as the same numbers. `.dot` is written, not read.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path

from ....errors import InputError, unknown
from ....files import write_bytes
from ..factors import Factors
from ..network import Network
from . import bif, graphs, json_format, net, net_text, uai, xmlbif
from .source import Source, decoded, read_bytes

_OF_NETWORKS = {
    ".bif": bif.text,
    ".xml": xmlbif.text,
    ".xmlbif": xmlbif.text,
    ".net": net_text.text,
    ".dot": graphs.to_dot,
}
_OF_BOTH = {".json": json_format.text, ".uai": uai.text}


def read(path: str | os.PathLike[str]) -> Network | Factors:
    """The network or factor graph of a file, which may be packed with gzip.

    What the file holds is seen from its contents, or else from its ending.

    Raises:
        InputError: if there is no such file, or something is wrong in it: with line and column.
    """
    name, content = Path(path).name, read_bytes(path)
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or content[:2] in (
        b"\xfe\xff",
        b"\xff\xfe",
    ):
        return xmlbif.read(Source(name, ""), content)
    source = decoded(name, content)
    first = source.text.lstrip()
    if first.startswith(("{", "[")):
        return json_format.read(source)
    if first.startswith(("MARKOV", "BAYES")) or name.removesuffix(".gz").endswith(".uai"):
        return uai.read(source)
    return net.read(source) if net.begins(source) else bif.read(source)


def write(model: Network | Factors, path: str | os.PathLike[str]) -> None:
    """Write a network or factor graph in the format that the ending of `path` names; a second
    ending `.gz` packs it.

    Raises:
        InputError: for an unknown ending, a folder that is not there, or a format that cannot say
            what the model holds.
    """
    file = Path(path)
    packed = file.suffix == ".gz"
    ending = (file.with_suffix("") if packed else file).suffix.lower()
    if ending not in {**_OF_NETWORKS, **_OF_BOTH}:
        raise unknown("format of networks", ending, {**_OF_NETWORKS, **_OF_BOTH})
    for name, states in zip(model.names, model.states, strict=True):
        if len(set(map(str, states))) < len(states):
            raise InputError(f"two states of {name!r} read alike as text; rename one.")
    if ending in _OF_BOTH:
        text = _OF_BOTH[ending](model)
    elif isinstance(model, Network):
        text = _OF_NETWORKS[ending](model)
    else:
        raise InputError(
            f"a factor graph is written as {' or '.join(_OF_BOTH)}; {ending} was given."
        )
    try:
        content = text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"a name or state holds {error.object[error.start]!r}, which is no character."
        ) from None
    if not file.parent.is_dir():
        raise InputError(f"there is no folder {os.fspath(file.parent)!r} to write to.")
    write_bytes(file, gzip.compress(content, mtime=0) if packed else content)
