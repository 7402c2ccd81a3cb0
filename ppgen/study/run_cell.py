"""One cell, from rows to result; this is what a worker runs.

Stages: fit, save, score held-out rows, sample, judge the samples, look into the latents. A stage
that the family has no answer for is left out. Each leaves a file, and a cell begun before goes on
after the last whole one; a fit that was killed goes on from its checkpoints. `result.json` is
written last: a cell that has one is finished.
"""

from __future__ import annotations

import os
import platform
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.quality import MAX_ROWS
from ..artifact import versions
from ..data import Dataset, as_dataset
from ..errors import InputError
from ..estimator import Estimator
from ..files import remove
from ..models import registry
from ..plain_json import plain
from .cells import Cell, Parts, not_applicable, parts
from .executors import cores
from .held_out_scores import CLAIM, TEST, scored, scored_rows
from .judged_samples import QUALITY, RANKED, judged_samples
from .latent_looks import LATENTS, LOOKS, look
from .peak_memory import Peak
from .store import RESULT, Store, read_json, write_json
from .stored_rows import load_arrays, load_dataset, pack, readable, save_arrays, unpack

FIT, SAMPLES = "fit.json", "samples.npz"
STAGES = (FIT, CLAIM, TEST, SAMPLES, RANKED, QUALITY, LATENTS, LOOKS)


def run_cell(study: str, body: dict[str, Any]) -> dict[str, Any]:
    """Do what a cell still lacks and return its result; a cell that raises is a failed one.

    Args:
        study: the study's folder.
        body: the cell, from `Cell.to_json`.
    """
    store, cell = Store(study), Cell.from_json(body)
    done = store.result(cell)
    if done is not None and done["state"] == "done":
        return done
    place = store.cell(cell)
    place.mkdir(parents=True, exist_ok=True)
    for torn in place.glob(".*"):
        remove(torn)
    _drop_damaged(store, cell)
    store.log("begin", cell, pid=os.getpid())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            result = _work(store, cell, place)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            trace = traceback.format_exc(limit=-8)
            result = {"state": "failed", "reason": reason, "traceback": trace}
    texts = dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in caught)
    result |= {"warnings": list(texts)[:20], **provenance()}
    finished = store.finish(cell, result)
    store.log("end", cell, state=result["state"])
    return finished


def _drop_damaged(store: Store, cell: Cell) -> None:
    """Remove what a cell left that is not as it was written; a fit is looked at when loaded."""
    place = store.cell(cell)
    stages = [place / name for name in (*STAGES, RESULT)]
    if store.damage(cell) is not None:
        for file in stages:
            remove(file)
    for file in stages:  # of a cell that was not finished
        torn = read_json(file) is None if file.suffix == ".json" else not readable(file)
        if torn:
            remove(file)


def provenance() -> dict[str, Any]:
    """With what and on what this was computed."""
    system = f"{platform.system()} {platform.machine()}"
    return {
        "versions": {"python": platform.python_version(), **versions()},
        "hardware": {"system": system, "processor": _processor(), "threads": len(cores())},
    }


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def _work(store: Store, cell: Cell, place: Path) -> dict[str, Any]:
    data = load_dataset(store.data(cell.fingerprint))
    rows = parts(data, cell.seed)
    declared = registry.get(cell.model).capabilities
    reason = not_applicable(declared, data, len(rows[0]))
    if reason is not None:
        return {"state": "not applicable", "reason": reason}
    model = _fitted(store, cell, place, data.take(rows[0]), data.take(rows[1]))
    fit = read_json(place / FIT) or {}
    score = scored(model, place, data, scored_rows(data, rows[2], cell.seed))
    judged = None
    if declared.samples:
        _sampled(model, cell, place, data, len(rows[2]))
        drawn, net = read_samples(place, data), store.features(cell)
        judged = judged_samples(cell, place, data, drawn, rows, net)
    seen = _looked(model, cell, place, data, rows) if declared.latents else None
    remove(place / "checkpoints")
    return {
        "state": "done",
        "n_rows": [len(r) for r in rows],
        "settings": plain(model.settings_by_origin()),
        "seconds": model.fit_seconds_,
        "memory": fit.get("memory"),
        "verdict": model.verdict_.to_json(),
        "density": score,
        "quality": judged,
        "latents": seen,
    }


def _fitted(store: Store, cell: Cell, place: Path, train: Dataset, valid: Dataset) -> Estimator:
    run = place / "run"
    if run.exists():
        try:
            return registry.load(run)
        except InputError:  # damaged since it was written: begin the cell anew
            for stale in (run, *(place / name for name in STAGES)):
                remove(stale)
    store.log("fit", cell)
    peak = Peak()
    model = registry.get(cell.model)(**cell.settings, random_state=cell.seed)
    offered: dict[str, Any] = {
        "validation": valid if len(valid) else None,
        "checkpoint_dir": place / "checkpoints",
        "budget": cell.budget,
    }
    model.fit(train, **{name: offered[name] for name in model._uses()})._whole()
    write_json(place / FIT, {"memory": peak.bytes()})
    model.save(run)
    return model


def _sampled(model: Estimator, cell: Cell, place: Path, data: Dataset, n_test: int) -> None:
    if (place / SAMPLES).exists():
        return
    n = int(np.clip(n_test, 500, MAX_ROWS))
    drawn = model.sample(n, random_state=cell.seed)
    save_arrays(place / SAMPLES, pack(as_dataset(drawn, data.schema)))


def read_samples(place: Path, data: Dataset) -> Dataset | None:
    """The samples of a finished cell, None of a family that draws none."""
    held = place / SAMPLES
    return unpack(data.schema, load_arrays(held)) if held.exists() else None


def _looked(
    model: Estimator, cell: Cell, place: Path, data: Dataset, rows: Parts
) -> dict[str, Any]:
    if not (place / LATENTS).exists():
        try:
            body, arrays = look(model, data, rows, cell.seed)
        except (ValueError, ArithmeticError) as error:  # the fit and its scores stand
            warnings.warn(f"the latents could not be looked into: {error}", stacklevel=2)
            return {}
        save_arrays(place / LOOKS, arrays)
        write_json(place / LATENTS, body)
    return read_json(place / LATENTS) or {}


def read_looks(place: Path) -> dict[str, NDArray[Any]]:
    """What the latents of a finished cell look like, as arrays; empty where nobody looked."""
    return load_arrays(place / LOOKS) if (place / LOOKS).exists() else {}
