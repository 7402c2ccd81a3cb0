"""What the names of files say of rows: their class, their part, and which are passed over.

| names | read as |
|---|---|
| a.png, b.png | rows without classes |
| cat/a.png, dog/1/b.png | the topmost folders that are more than one are the classes |
| train/cat/a.png, test/cat/b.png | parts, and below them the classes |
| cat/a.png, dog/b.png, preview.png | what lies beside the folders is left out where it is less |

Hidden files and folders, and those that systems and editors make, are no data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

PART_OF = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}
"""What a folder or an array is called that is a part -> the part."""

_MADE_BY_SYSTEMS = ("__MACOSX", "@eaDir", "$RECYCLE.BIN")
_NAMED = 3  # files that a line names


@dataclass(frozen=True)
class Layout:
    """Files in their order, and what their names say.

    Attributes:
        kept: (n,) which of the names given are rows.
        classes: (n,) the class of each, or None.
        parts: part -> row numbers, or None; at least `train` and one more.
        left_out: what is not read, each sort with its number and names.
    """

    kept: NDArray[np.intp]
    classes: NDArray[Any] | None
    parts: dict[str, NDArray[np.intp]] | None
    left_out: tuple[str, ...]


def is_passed_over(part: str) -> bool:
    """Whether a file or folder of this name is hidden, or made by a system."""
    return part.startswith(".") or part in _MADE_BY_SYSTEMS


def passed_over(name: PurePosixPath) -> PurePosixPath | None:
    """The name, or the folder above it, that is passed over; None where none is."""
    for i, part in enumerate(name.parts):
        if is_passed_over(part) and part not in (".", ".."):
            return PurePosixPath(*name.parts[: i + 1])
    return None


def counted(
    files: Iterable[PurePosixPath], one: str, many: str, most: int | None = _NAMED
) -> tuple[str, ...]:
    """A sort of files in words, such as "2 hidden files (.a, .b)"; none of none. At most so many
    are named, None names all."""
    names = [str(name) for name in files]
    if not names:
        return ()
    few = most is not None and len(names) > most
    shown = ", ".join(names[:most]) + ", ..." * few
    return (f"{len(names)} {one if len(names) == 1 else many} ({shown})",)


def arranged(names: Sequence[PurePosixPath], what: str = "picture") -> Layout:
    """The classes and parts of files that are named relative to one folder; `what` each is."""
    inner = [_plain(name) for name in names]
    kept = np.arange(len(names))
    left: list[str] = []

    def leave(out: NDArray[np.bool_], where: str) -> None:
        nonlocal kept, inner
        gone = [names[i] for i in kept[out]]
        left.extend(counted(gone, f"{what} {where}", f"{what}s {where}"))
        inner = [name for name, drop in zip(inner, out, strict=True) if not drop]
        kept = kept[~out]

    def descend(decide: NDArray[np.bool_]) -> bool:
        """Go down to the level of classes, which the rows to `decide` by have; else False."""
        nonlocal inner
        while True:
            deep = np.array([len(name.parts) > 1 for name in inner], dtype=bool)
            if 2 * deep[decide].sum() < decide.sum():
                leave(deep, "in folders below the others")
                return False
            if not deep.all():
                decide = decide[deep]
                leave(~deep, "beside the folders of the others")
            if len({name.parts[0] for name in inner}) > 1:
                return True
            inner = [PurePosixPath(*name.parts[1:]) for name in inner]

    classes, parts = None, None
    if descend(np.ones(len(inner), dtype=bool)):
        part = np.array([PART_OF.get(name.parts[0].lower(), "") for name in inner])
        divided = len({*part.tolist()} - {""}) > 1 and bool((part == "train").any())
        if divided:
            leave(part == "", "beside the folders of the parts")
            part = part[part != ""]
            inner = [PurePosixPath(*name.parts[1:]) for name in inner]
            before = kept
            labelled = descend(part == "train")
            part = part[np.isin(before, kept)]
            rows = {name: np.flatnonzero(part == name) for name in ("train", "valid", "test")}
            parts = {name: at for name, at in rows.items() if len(at)}
            parts = parts if len(parts) > 1 else None
        if not divided or labelled:
            classes = np.array([name.parts[0] for name in inner])
    return Layout(kept, classes, parts, tuple(left))


def _plain(name: PurePosixPath) -> PurePosixPath:
    """A name below its folder, whatever an archive says of folders above."""
    return PurePosixPath(*(part for part in name.parts if part not in ("/", "..", ".")))
