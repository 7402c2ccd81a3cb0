"""Files fetched once, whose contents are known beforehand by their SHA-256.

A file comes into `NAME.part` beside its place, is checked, and is moved there in one step. What an
interrupted download had is kept and gone on from by a range request: RFC 9110, "HTTP semantics"
(2022), section 14, https://www.rfc-editor.org/rfc/rfc9110#section-14
"""

from __future__ import annotations

import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import locked
from ..files import sha256 as sha256_of
from ..progress import terminal_bar

Report = Callable[[int, int | None], None]  # bytes so far, bytes in all where known

_HEADERS = {"User-Agent": "ppgen", "Accept-Encoding": "identity"}
_CHUNK = 1 << 18
_TIMEOUT = 30.0  # seconds without a byte
_TRIES = 4  # of one address, as long as each brings more


class _Gone(Exception):
    """An address that did not give the file, and why."""


def cache_folder() -> Path:
    """Where downloads are kept: $PPGEN_CACHE, else $XDG_CACHE_HOME/ppgen, else ~/.cache/ppgen."""
    own = os.environ.get("PPGEN_CACHE")
    if own:
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME", "")
    # The rule of the XDG base directories: a relative path there is invalid.
    return (Path(shared) if os.path.isabs(shared) else Path.home() / ".cache") / "ppgen"


def fetch(
    urls: str | Sequence[str],
    sha256: str,
    path: str | os.PathLike[str],
    *,
    progress: Report | None = None,
) -> Path:
    """Download a file once.

    Args:
        urls: where it is: an http or https address, or several that are tried in order.
        sha256: the hash of its contents, in hexadecimal.
        path: where it goes; a relative path is one in `cache_folder()`.
        progress: called with the bytes that are there and those expected (None where unknown); a
            bar on standard error where that is a terminal, if None.

    Returns:
        The file's path. A file with that hash that is there already is not fetched again; one with
        another is replaced.

    Raises:
        InputError: if no address gives the file, or what it gives has another hash, or the folder
            cannot be written. It says where the file can be put by hand.
    """
    addresses = [urls] if isinstance(urls, str) else list(urls)
    for url in addresses:
        if not url.startswith(("http://", "https://")):
            raise InputError(f"{url!r} is no address; expected one that begins with http or https.")
    place = cache_folder() / path
    if hashed(place) == sha256:
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with locked(place.parent / ".lock", wait=True):
            if hashed(place) == sha256:  # another process was faster
                return place
            _fetch(addresses, sha256, place, progress)
    except OSError as error:
        raise InputError(
            f"{place} cannot be written: {error.strerror or error}. Free space there, or name "
            "another folder in the environment variable PPGEN_CACHE."
        ) from error
    return place


def hashed(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal, "" where there is none."""
    return sha256_of(path) if path.is_file() else ""


def _fetch(addresses: list[str], sha256: str, place: Path, progress: Report | None) -> None:
    part = place.with_name(place.name + ".part")
    reasons = []
    for url in addresses:
        resumed = part.exists()  # then what is there may be of another file: a second try
        for tried_again in (False, True):
            try:
                with _reporting(place.name, progress) as report:
                    _bring(url, part, report)
            except _Gone as reason:
                reasons.append(f"{url}: {reason}")
                break
            digest = hashed(part)
            if digest == sha256:
                os.replace(part, place)
                return
            part.unlink()
            if tried_again or not resumed:
                reasons.append(f"{url}: expected SHA-256 {sha256}, got {digest}")
                break
    raise InputError(
        f"{place.name} could not be downloaded ({'; '.join(reasons)}). Try again, or get the file "
        f"elsewhere and put it at {place}; its SHA-256 is {sha256}."
    )


def _bring(url: str, part: Path, report: Report) -> None:
    """Bring the whole of an address into a file, going on from what the file holds."""
    reason, after = "", 0
    for _ in range(_TRIES):
        before = part.stat().st_size if part.exists() else 0
        request = urllib.request.Request(url, headers=_HEADERS)
        if before:
            request.add_header("Range", f"bytes={before}-")
        try:
            answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 416 or not before:  # 416: nothing lies beyond what we have
                raise _Gone(f"the server answers {error.code} {error.reason}") from None
            if _stated(error, r"bytes \*/(\d+)$") == before:
                return
            part.unlink()
            reason, after = "the server has less than is here", 0
            continue
        except urllib.error.URLError as error:
            raise _Gone(f"it could not be reached, {error.reason}") from None
        except (http.client.HTTPException, OSError) as error:
            raise _Gone(f"the connection was lost, {error or type(error).__name__}") from None
        with answer:
            reason = _stream(answer, part, before, report)
        if not reason:
            return
        after = part.stat().st_size
        if after <= before:
            break
    raise _Gone(f"{reason}; {after:,} bytes are kept")


def _stream(answer: Any, part: Path, start: int, report: Report) -> str:
    """Append what follows `start`, or begin anew; what went wrong, "" where nothing did."""
    ranged = answer.status == 206
    if ranged and _stated(answer, r"bytes (\d+)-") != start:
        raise _Gone("the server sends another range than was asked for")
    done = start if ranged else 0
    left = answer.headers.get("Content-Length", "")
    total = done + int(left) if left.isdigit() else None
    lost = ""
    with part.open("ab" if ranged else "wb") as file:
        report(done, total)
        while True:
            try:
                chunk = answer.read1(_CHUNK)
            except (http.client.HTTPException, OSError) as error:
                lost, chunk = f" ({error or type(error).__name__})", b""
            if not chunk:
                break
            file.write(chunk)
            done += len(chunk)
            report(done, total)
    if lost or (total is not None and done < total):
        expected = "" if total is None else f" of {total:,}"
        return f"the connection ended after {done:,}{expected} bytes{lost}"
    return ""


def _stated(answer: Any, pattern: str) -> int | None:
    """The number that a pattern marks in the range that an answer states."""
    match = re.match(pattern, answer.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


@contextmanager
def _reporting(name: str, progress: Report | None) -> Iterator[Report]:
    with terminal_bar(name, show=progress is None, unit="B", unit_scale=True) as bar:

        def draw(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress or (draw if bar is not None else lambda done, total: None)
