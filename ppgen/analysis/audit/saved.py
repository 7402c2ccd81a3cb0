"""Does a saved and loaded run score and draw the same?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...models import registry
from .findings import Check, measured, step
from .row_by_row import apart, scored
from .subject import Subject

LIMIT, _ELSEWHERE = 1e-9, 1e-3
_SAVED = "a saved and loaded run says and draws the same"


@step(("saved", _SAVED))
def saved(subject: Subject) -> Iterator[Check]:
    """Scores and draws of the run, saved and loaded."""
    model = subject.model
    with tempfile.TemporaryDirectory() as folder:
        loaded = registry.load(model.save(Path(folder) / "run"))
    # What was trained on an accelerator is loaded to the processor.
    device = model.get_params().get("device")
    limit = LIMIT if device in (None, "cpu") else _ELSEWHERE
    said = scored(subject, loaded, subject.some)
    off = apart(said, scored(subject, model, subject.some))
    if model.capabilities.density is not None:
        rows = subject.draw(32, 23)
        again = subject.of(loaded).draw(32, 23)
        whole = (scored(subject, model, d) for d in (rows, again))
        off = max(off, apart(*whole), float(not np.array_equal(len(rows), len(again))))
    yield measured(
        "saved",
        _SAVED,
        off,
        limit,
        rules_out=f"a difference of {limit:g} of a value",
        why=f"{len(subject.some)} rows scored" + ", 32 drawn" * bool(model.capabilities.samples),
    )
