"""What a report says of a model's latents, in words and numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..analysis.finding import plus_minus
from .cell_results import CellResult
from .rendering import number_text, rounded

_DRAWS = {"prior": "prior", "gaussian": "Gaussian of codes", "codes": "codes"}
_DCI = ("disentanglement", "completeness", "informativeness")


def seen(cells: Sequence[CellResult]) -> list[CellResult]:
    """The cells whose latents were looked into."""
    return [c for c in cells if c.latents]


def latent_line(label: str, cells: Sequence[CellResult]) -> dict[str, Any]:
    """Numbers of the first seed's fit, whose figures are shown."""
    first = seen(cells)[0]
    body = first.latents or {}
    near, whole, lost = body["continuity"], body["completeness"], body["reconstruction"]
    active = body["active"]
    return {
        "name": label,
        "seed": first.cell.seed,
        "latents": body["latents"],
        "active": "" if active is None else active,
        "lost": f"{lost['value']:.3f} ({lost['control']:.3f})" if lost else "",
        "continuity": rounded(near["value"], near["stderr"]) if near else "",
        "jump": rounded(near["jump"], near["jump_stderr"]) if near else "",
        "completeness": rounded(whole["value"], whole["stderr"]) if whole else "",
        "control": rounded(whole["control"], whole["control_stderr"]) if whole else "",
        "draws": _DRAWS[whole["draws"]] if whole else "",
        "bound": _bound(body.get("bound"), first),
        "factors": _factors(body.get("disentanglement")),
    }


def _bound(parts: Mapping[str, Any] | None, cell: CellResult) -> dict[str, Any] | None:
    """The bound's parts as text."""
    if not parts:
        return None
    dimension = (cell.body.get("density") or {}).get("dimension")
    bits = None
    if dimension is not None and parts["tight"] is not None:
        bits = -parts["tight"] / (dimension * math.log(2))
    ess = "" if parts["ess"] is None else f"{parts['ess']:.0f}"
    return {
        "rows": parts["rows"],
        "elbo": number_text(parts["elbo"]),
        "reconstruction": number_text(parts["reconstruction"]),
        "kl": number_text(parts["kl"]),
        "method": parts["method"],
        "tight": plus_minus(parts["tight"], parts["stderr"]),
        "bits": number_text(bits, 3),
        "monte_carlo": number_text(parts["monte_carlo"]),
        "ess": f"{ess} of {parts['samples']}" if ess and parts["samples"] else ess,
        "gap": rounded(parts["gap"], parts["gap_stderr"]) if parts["gap"] is not None else "",
    }


def _factors(scores: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Disentanglement scores, as text."""
    if not scores:
        return None
    return {
        "mig": rounded(scores["mig"], scores["mig_stderr"]),
        "sap": rounded(scores["sap"], scores["sap_stderr"]),
        "dci": [number_text(scores[f"dci_{name}"], 3) for name in _DCI],
        "names": ", ".join(scores["factors"]),
    }
