"""The folder a study lives in.

    study.json      what was asked for, and of which data
    data/HASH/      the rows, so that workers and reports need nothing else; of images a net of each
                    seed, which samples are looked at through
    cells/HASH/     run/ (the fit), test.npz, samples.npz, quality.json, quality.npz; result.json is
                    written last
    log.jsonl       what was begun and finished, and when
    figures/        and report.html

Every file is written whole or not at all, so a study may be killed at any moment. What is kept
carries its SHA-256: JSON its own, and the file of a cell or of data those of all beside it. A cell
that was damaged since is done again. A lock keeps a second process out.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import locked, path_of, write_bytes
from ..sealing import DAMAGED, damage, digests, is_whole, read_object, sealed
from .cells import FORMAT, Cell

STUDY, RESULT, LOG, LOCK, REPORT = "study.json", "result.json", "log.jsonl", ".lock", "report.html"


class Store:
    """Where a study keeps what it has done."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = path_of(folder, "the folder of the study")

    def check(self, data: Mapping[str, str]) -> None:
        """Raise InputError unless the folder is free or holds a study of these data."""
        if self.folder.is_dir() and not (self.folder / STUDY).exists():
            if any(name != LOCK for name in os.listdir(self.folder)):
                raise InputError(
                    f"{self.folder} holds something that is not a ppgen study; nothing was "
                    "written. Give another folder."
                )
        elif self.folder.exists():
            held = {name: d["fingerprint"] for name, d in self.study()["data"].items()}
            if set(held.values()) != set(data.values()):
                raise InputError(
                    f"{self.folder} holds a study of other data ({', '.join(held)}); nothing was "
                    "written. Give another folder, or the data it was begun with."
                )

    def study(self) -> dict[str, Any]:
        """What the study is of.

        Raises:
            InputError: if there is no study here, or it cannot be read.
        """
        try:
            body = read_object(self.folder / STUDY)
        except FileNotFoundError:
            raise InputError(
                f"{self.folder} is no ppgen study: it has no {STUDY}. Give the folder of a study."
            ) from None
        except (ValueError, OSError) as error:
            raise InputError(f"{self.folder / STUDY} cannot be read ({error}).") from None
        if body.get("kind") != "ppgen study":
            raise InputError(f"{self.folder / STUDY} is not a ppgen study's. Give another folder.")
        if body.get("format") != FORMAT:
            raise InputError(
                f"{self.folder} is a study of format {body.get('format')!r}; this ppgen reads "
                f"format {FORMAT}. Give another folder, or use the version that wrote it."
            )
        if not is_whole(body):
            raise InputError(
                f"{self.folder / STUDY} is damaged: it {DAMAGED}. Remove it, and run the study "
                "again in the same folder: cells that are done are not done again."
            )
        return body

    def begin(self, body: Mapping[str, Any]) -> None:
        """Write down what the study is of."""
        write_json(self.folder / STUDY, {"kind": "ppgen study", "format": FORMAT, **body})

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the study for this process; the system lets go of it however the process ends.

        Raises:
            InputError: if another process holds it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / LOCK, wait=False) as held:
            if not held:
                raise InputError(
                    f"another process is running the study in {self.folder}. Wait for it to end, "
                    "or give another folder."
                )
            yield

    def data(self, fingerprint: str) -> Path:
        """The folder of a data set."""
        return self.folder / "data" / fingerprint[:20]

    def features(self, cell: Cell) -> Path:
        """The net that samples of a data set's images are looked at through, one a seed."""
        return self.data(cell.fingerprint) / f"features-{cell.split}{cell.seed}.safetensors"

    def cell(self, cell: Cell) -> Path:
        """The cell's folder."""
        return self.folder / "cells" / cell.key

    def result(self, cell: Cell) -> dict[str, Any] | None:
        """What the cell came to, or None where it is not finished, or damaged since."""
        body = read_json(self.cell(cell) / RESULT)
        if body is None or body.get("format") != FORMAT or damage(self.cell(cell), body["files"]):
            return None
        return body

    def damage(self, cell: Cell) -> str | None:
        """What of a finished cell is not as it was written; None where all is, or nothing."""
        file = self.cell(cell) / RESULT
        if not file.exists():
            return None
        body = read_json(file)
        return f"{RESULT} {DAMAGED}" if body is None else damage(file.parent, body.get("files", {}))

    def finish(self, cell: Cell, result: Mapping[str, Any]) -> dict[str, Any]:
        """Write down what a cell came to, and the SHA-256 of all that it left."""
        place = self.cell(cell)
        left = [file for file in place.rglob("*") if file.is_file() and file != place / RESULT]
        body = {
            **result,
            "format": FORMAT,
            "cell": cell.to_json(),
            "files": digests(place, left),
        }
        write_json(place / RESULT, body)
        return body

    def cells(self) -> list[Cell]:
        """The cells of the study as last asked for."""
        return [Cell.from_json(c) for c in self.study()["cells"]]

    def log(self, event: str, cell: Cell, **more: Any) -> None:
        """Note what happened to a cell; one line, appended in one write."""
        line = {"time": round(time.time(), 3), "event": event, "cell": cell.key, "what": str(cell)}
        with (self.folder / LOG).open("ab", buffering=0) as stream:
            stream.write(json.dumps({**line, **more}).encode() + b"\n")


def write_json(file: Path, body: Mapping[str, Any]) -> None:
    """Write a JSON object whole or not at all, sealed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(file, json.dumps(sealed(body), indent=1).encode())


def finite(value: Any) -> float | None:
    """A number as JSON holds it, None where that cannot hold it."""
    return float(value) if value is not None and math.isfinite(value) else None


def read_json(file: Path) -> dict[str, Any] | None:
    """What `write_json` wrote, or None where there is no such file or it is damaged."""
    try:
        body = read_object(file)
    except (OSError, ValueError):
        return None
    return {k: v for k, v in body.items() if k != "seal"} if is_whole(body) else None
