"""Saved runs: folders that hold numbers and no code.

A run is a folder of `ppgen.json` (the manifest), `weights.safetensors`, and where there are any
`posterior.nc` (draws) and `trace.jsonl` (the training trace). It is written under a temporary name
beside its place, flushed to disk and renamed, so that a run is there whole or not at all. The
manifest holds the SHA-256 of the other files and its own; a flipped byte is said.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .files import path_of, put_back, whole_folder, write_bytes
from .sealing import DAMAGED, damage, digests, is_whole, read_object, sealed

FORMAT = 1
MANIFEST, WEIGHTS = "ppgen.json", "weights.safetensors"
POSTERIOR, TRACE = "posterior.nc", "trace.jsonl"
_LIBRARIES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "jax",
    "torch",
    "numpyro",
    "pyro-ppl",
    "zuko",
    "flowjax",
)
_MEND = "Restore the folder or fit again."
_NO_RUN = "Give the folder that fit or save wrote."

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Run:
    """What a saved run holds."""

    manifest: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    posterior: dict[str, NDArray[Any]] = field(default_factory=dict)
    trace: list[dict[str, Any]] = field(default_factory=list)


def write_run(
    path: str | os.PathLike[str],
    manifest: Mapping[str, Any],
    arrays: Arrays,
    *,
    posterior: Arrays | None = None,
    trace: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Write a run folder at `path`, replacing a run that stands there and nothing else.

    Raises:
        InputError: if `path` holds something that is not a ppgen run.
    """
    target = path_of(path, "the folder to save to")
    check_free(target)
    with whole_folder(target) as folder:
        write_safetensors(folder / WEIGHTS, arrays)
        if posterior:
            _write_posterior(folder / POSTERIOR, posterior)
        if trace:
            lines = "".join(json.dumps(dict(row)) + "\n" for row in trace)
            write_bytes(folder / TRACE, lines.encode())
        body = {
            **manifest,
            "format": FORMAT,
            "versions": versions(),
            "files": digests(folder, folder.iterdir()),
        }
        write_bytes(folder / MANIFEST, json.dumps(sealed(body), indent=1).encode())
    return target


def read_run(path: str | os.PathLike[str]) -> Run:
    """Read a run folder, checking every file against its hash.

    Raises:
        InputError: if there is no run, it is damaged, or a newer ppgen wrote it.
    """
    folder = path_of(path, "the folder to load")
    put_back(folder)
    body = read_manifest(folder)
    for name in body["files"]:
        if name not in (WEIGHTS, POSTERIOR, TRACE):
            raise InputError(
                f"{folder} lists the file {name!r}, which no ppgen run has; it was not written by "
                "ppgen."
            )
    if how := damage(folder, body["files"]):
        raise _damaged(folder, how)
    if WEIGHTS not in body["files"]:
        raise _damaged(folder, f"it lists no {WEIGHTS}")
    trace = []
    if TRACE in body["files"]:
        trace = [json.loads(line) for line in (folder / TRACE).read_text().splitlines()]
    posterior = _read_posterior(folder / POSTERIOR) if POSTERIOR in body["files"] else {}
    return Run(body, read_safetensors(folder / WEIGHTS), posterior, trace)


def family_of(path: str | os.PathLike[str]) -> str:
    """The family of a saved run, whose weights are not looked at; InputError as `read_run`."""
    folder = path_of(path, "the folder to load")
    put_back(folder)
    return str(read_manifest(folder)["family"])


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run folder, checked against its own seal."""
    try:
        body = read_object(folder / MANIFEST)
    except NotADirectoryError:
        raise InputError(f"{folder} is a file, and no saved run. {_NO_RUN}") from None
    except FileNotFoundError:
        raise InputError(f"{folder} is no saved run: it has no {MANIFEST}. {_NO_RUN}") from None
    except (ValueError, OSError) as error:
        raise InputError(f"{folder / MANIFEST} cannot be read ({error}). {_MEND}") from None
    if "family" not in body or not isinstance(body.get("files"), dict):
        raise InputError(f"{folder / MANIFEST} is not a ppgen manifest. {_NO_RUN}")
    if body.get("format") != FORMAT:
        raise InputError(
            f"{folder} has format {body.get('format')!r}; this ppgen reads format {FORMAT}. Use "
            "the version that wrote it."
        )
    if not is_whole(body):
        raise _damaged(folder, f"{MANIFEST} {DAMAGED}")
    return body


def _damaged(folder: Path, how: str) -> InputError:
    return InputError(f"{folder} is damaged: {how}. {_MEND}")


def check_free(target: Path) -> None:
    """Raise InputError unless `target` is absent, an empty folder, or a ppgen run that may be
    replaced."""
    empty = target.is_dir() and not any(target.iterdir())
    if target.exists() and not empty and not (target / MANIFEST).is_file():
        raise InputError(
            f"{target} holds something that is not a ppgen run; nothing was written. Give another "
            "folder."
        )


def versions() -> dict[str, str]:
    """Versions of ppgen and the libraries that a result may depend on, as far as they are
    installed."""
    installed = {}
    for name in ("ppgen", *_LIBRARIES):
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed


def write_safetensors(file: Path, arrays: Arrays, meta: Mapping[str, str] | None = None) -> None:
    """Write named arrays to one file, whole or not at all."""
    from safetensors.numpy import save

    tensors = {k: np.require(v, requirements="C") for k, v in arrays.items()}
    write_bytes(file, save(tensors, metadata=dict(meta or {})))


def read_safetensors(file: Path) -> dict[str, NDArray[Any]]:
    """Read named arrays; InputError if the file is not safetensors."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(file.read_bytes()))
    except (SafetensorError, ValueError, KeyError) as error:
        raise InputError(f"{file} cannot be read as safetensors ({error}). {_MEND}") from None


def _write_posterior(file: Path, draws: Arrays) -> None:
    import xarray as xr

    data = {
        name: (("chain", "draw", *(f"{name}_dim_{i}" for i in range(a.ndim - 2))), a)
        for name, a in draws.items()
    }
    xr.Dataset(data).to_netcdf(file, engine="h5netcdf")


def _read_posterior(file: Path) -> dict[str, NDArray[Any]]:
    import xarray as xr

    # Opening leaves a filter of warnings behind.
    with warnings.catch_warnings(), xr.open_dataset(file, engine="h5netcdf") as data:
        return {str(name): np.asarray(v.values) for name, v in data.data_vars.items()}


def digest(array: NDArray[Any] | None) -> str:
    """Hex SHA-256 of an array's contents; "" for None."""
    if array is None:
        return ""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def fingerprint(*parts: Any) -> str:
    """A short hash of anything that JSON can say, for naming what a fit or a cell is of."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
