"""Files and folders that are written whole or not at all, and locks between processes."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError

_SHOWN = 60  # characters of a path that an error names


def sha256(file: Path) -> str:
    """Hex SHA-256 of a file, read in blocks."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def path_of(given: object, what: str) -> Path:
    """A path that was given as text or as a `Path`; `what` it is of is named in errors.

    Raises:
        InputError: if it is something else, empty, or no name that the system takes.
    """
    if not isinstance(given, str | os.PathLike):
        raise InputError(f"{what} is {given!r}; expected a path, as text or a Path.")
    text = os.fsdecode(given)
    if not text:
        raise InputError(f"{what} is empty; give a path.")
    try:
        os.lstat(text)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # a NUL, too long, a file where a folder is named
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... of {len(text)} characters"
        how = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{what} is {shown!r}, which cannot be one ({how}).") from None
    return Path(text)


def write_bytes(file: Path, content: bytes) -> None:
    """Write a file whole or not at all: temporary name in the same folder, fsync, rename."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o644)
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(file.parent)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of `target` when the block ends without an error.

    It stands beside `target` under a temporary name until then, and is flushed to disk.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield folder
        folder.chmod(0o755)
        _sync_folder(folder)
        _swap(folder, target)
    finally:
        remove(folder)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def locked(file: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock file for this process; whether it is held.

    The system lets go of it however the process ends. Where a system or a network folder has no
    locks, nothing keeps a second process out.

    Args:
        wait: until another process has let go; otherwise False is given where one holds it.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield _lock(descriptor, wait)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, wait: bool) -> bool:
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return True
    return True


def _swap(folder: Path, target: Path) -> None:
    # A folder cannot replace a folder in one rename: the old one steps aside first, so a crash
    # between leaves both whole.
    if target.exists():
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
        os.replace(target, aside / "run")
        os.replace(folder, target)
        shutil.rmtree(aside)
    else:
        os.replace(folder, target)
    _sync_folder(target.parent)


def put_back(target: Path) -> None:
    """Undo what a crash between the two renames of a replaced folder has left."""
    if target.exists():
        return
    for aside in sorted(target.parent.glob(f".{target.name}.old.*/run")):
        os.replace(aside, target)
        aside.parent.rmdir()
        return


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
