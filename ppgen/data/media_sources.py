"""Where pictures and recordings lie: folders of any depth, ZIP and TAR files.

Nothing is extracted. What is hidden or made by a system, and what is of another kind, is passed
over, named and counted (see `folder_layout`).
"""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from ..errors import InputError
from .folder_layout import Layout, arranged, counted, is_passed_over, passed_over
from .memory_limit import check_memory

PICTURES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
    *(".pgm", ".ppm", ".pbm", ".pnm", ".jp2", ".avif", ".tga"),
)
RECORDINGS = (".wav",)

Opened = Path | IO[bytes]


@dataclass(frozen=True)
class Found:
    """Pictures or recordings in one place.

    Attributes:
        path: the folder or archive.
        names: the files' names below it.
        layout: what these say; `layout.kept` are the rows.
        passed: what else lies there, in words.
        opened: names -> each file, in the order of the names.
    """

    path: Path
    names: tuple[PurePosixPath, ...]
    layout: Layout
    passed: tuple[str, ...]
    opened: Callable[[Sequence[PurePosixPath]], Iterator[Opened]]

    @property
    def rows(self) -> list[PurePosixPath]:
        """The names of the files that are rows, in order."""
        return [self.names[i] for i in self.layout.kept]

    @property
    def recordings(self) -> bool:
        """Whether they are recordings."""
        return self.names[0].suffix.lower() in RECORDINGS

    def notes(self, skipped: Sequence[PurePosixPath] = ()) -> tuple[str, ...]:
        """What is left out, in a line; `skipped` could not be read. Nothing where all is read."""
        unread = counted(skipped, "unreadable picture", "unreadable pictures", None)
        left_out = "; ".join((*self.layout.left_out, *unread, *self.passed))
        return (f"left out {left_out}.",) if left_out else ()


def in_folder(path: Path) -> Found:
    """What a folder and the folders in it hold, by name.

    Raises:
        InputError: if they hold neither pictures nor recordings, or both.
    """
    files, hidden = _walked(path)
    files.sort()
    return _found(path, files, hidden, lambda names: (path / name for name in names))


def in_zip(path: Path) -> Found:
    """What a ZIP file holds, by name; InputError as `in_folder` and for a damaged file."""
    with _archive(path, "ZIP"), zipfile.ZipFile(path) as archive:
        members = {PurePosixPath(m.filename): m for m in archive.infolist() if not m.is_dir()}

    def opened(names: Sequence[PurePosixPath]) -> Iterator[Opened]:
        with _archive(path, "ZIP"), zipfile.ZipFile(path) as archive:
            for name in names:
                check_memory(path, members[name].file_size)
                yield io.BytesIO(archive.read(members[name]))

    return _found(path, *_without_hidden(sorted(members)), opened)


def in_tar(path: Path) -> Found:
    """What a TAR file holds, zipped or not, in its order; InputError as `in_zip`."""
    with _archive(path, "TAR"), tarfile.open(path, "r|*") as archive:
        files = [PurePosixPath(member.name) for member in archive if member.isfile()]

    def opened(names: Sequence[PurePosixPath]) -> Iterator[Opened]:
        wanted = iter(names)
        name = next(wanted, None)
        with _archive(path, "TAR"), tarfile.open(path, "r|*") as archive:
            for member in archive:
                if name is None:
                    return
                if not member.isfile() or PurePosixPath(member.name) != name:
                    continue
                check_memory(path, member.size)
                stream = archive.extractfile(member)
                yield io.BytesIO(b"" if stream is None else stream.read())
                name = next(wanted, None)

    return _found(path, *_without_hidden(files), opened)


def _walked(path: Path) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    """Files of a folder and those below it, links to folders followed once; what is hidden."""
    files, hidden, seen = [], [], set()
    for at, folders, names in os.walk(path, followlinks=True):
        here = Path(at).relative_to(path)
        real = os.path.realpath(at)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        hidden += [PurePosixPath(here / n) for n in (*folders, *names) if is_passed_over(n)]
        folders[:] = sorted(n for n in folders if not is_passed_over(n))
        files += [PurePosixPath(here / n) for n in names if not is_passed_over(n)]
    return files, sorted(hidden)


def _without_hidden(
    files: Iterable[PurePosixPath],
) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    above = {name: passed_over(name) for name in files}
    hidden = dict.fromkeys(folder for folder in above.values() if folder is not None)
    return [name for name, folder in above.items() if folder is None], list(hidden)


def _found(
    path: Path,
    files: list[PurePosixPath],
    hidden: list[PurePosixPath],
    opened: Callable[[Sequence[PurePosixPath]], Iterator[Opened]],
) -> Found:
    media = [name for name in files if name.suffix.lower() in (*PICTURES, *RECORDINGS)]
    passed = counted(hidden, "hidden file or folder", "hidden files and folders")
    others = [name for name in files if name.suffix.lower() not in (*PICTURES, *RECORDINGS)]
    if not media:
        what = "folder" if path.is_dir() else "file"
        held = "; ".join((*passed, *counted(others, "other file", "other files")))
        raise InputError(
            f"the {what} {path} holds no images or WAV files, and no folders of them"
            f"{f': {held}' if held else ''}. Give a file, a folder, or a ZIP or TAR file of "
            f"images, which end in {', '.join(PICTURES)}."
        )
    sound = [name.suffix.lower() in RECORDINGS for name in media]
    if len(set(sound)) > 1:
        raise InputError(
            f"{path} holds images and recordings; expected one kind, and there are {media[0]} and "
            f"{media[sound.index(not sound[0])]}."
        )
    what = "recording" if sound[0] else "picture"
    passed += counted(others, f"file that is no {what}", f"files that are no {what}s")
    return Found(path, tuple(media), arranged(media, what), passed, opened)


@contextmanager
def _archive(path: Path, kind: str) -> Iterator[None]:
    """What goes wrong with an archive is an InputError."""
    try:
        yield
    except InputError:
        raise
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, RuntimeError) as error:
        # A RuntimeError is of a password, or of a way of packing that Python does not know.
        raise InputError(f"{path} is no readable {kind} file: {error}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
