"""Saved runs as commands take them: what they are not able to do is refused before they are loaded,
and their verdict is said once there is nothing left to refuse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .output import say

if TYPE_CHECKING:
    from ..estimator import Estimator


def load_run(run: Path, able: str = "", lacks: str = "") -> Any:
    """A saved run.

    Args:
        run: its folder.
        able: what its model has to declare among its capabilities, "" for nothing.
        lacks: what a fit of another model is said to lack.

    Raises:
        InputError: if there is no run, it is damaged, or its model does not declare it.
    """
    from ..artifact import family_of
    from ..models import registry

    family = family_of(run)
    if able and family in registry.MODELS:
        check_able(run, registry.get(family), able, lacks)
    return registry.load(run)


def check_able(run: Path, model: Estimator | type[Estimator], what: str, lacks: str) -> None:
    """Raise InputError, naming the models that are able, unless the fit's model declares it."""
    from ..models import registry

    if not getattr(model.capabilities, what):
        able = (m for m in registry.names() if getattr(registry.get(m).capabilities, what))
        raise InputError(
            f"{run} is a fit of {model.name}, which {lacks}; fit one of {', '.join(able)}."
        )


def tell_verdict(model: Estimator) -> None:
    """Say a fit's verdict where that is not ok."""
    if not model.verdict_.ok:
        say(f"the fit's verdict: {model.verdict_}")
