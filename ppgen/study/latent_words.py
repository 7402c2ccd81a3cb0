"""What a report says of a model's latents, in words and numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..analysis.finding import plus_minus
from .cell_results import CellResult
from .rendering import number, rounded

_DRAWS = {"prior": "prior", "gaussian": "Gaussian of codes", "codes": "codes"}
_DCI = ("disentanglement", "completeness", "informativeness")


def seen(cells: Sequence[CellResult]) -> list[CellResult]:
    """The cells whose latents were looked into."""
    return [c for c in cells if c.latents]


def latent_line(label: str, cells: Sequence[CellResult]) -> dict[str, Any]:
    """Numbers of the first seed's fit, whose figures are shown."""
    first = seen(cells)[0]
    of = first.latents or {}
    near, whole, lost = of["continuity"], of["completeness"], of["reconstruction"]
    active = of["active"]
    return {
        "name": label,
        "seed": first.cell.seed,
        "latents": of["latents"],
        "active": "" if active is None else active,
        "lost": f"{lost['value']:.3f} ({lost['control']:.3f})" if lost else "",
        "continuity": rounded(near["value"], near["stderr"]) if near else "",
        "jump": rounded(near["jump"], near["jump_stderr"]) if near else "",
        "completeness": rounded(whole["value"], whole["stderr"]) if whole else "",
        "control": rounded(whole["control"], whole["control_stderr"]) if whole else "",
        "draws": _DRAWS[whole["draws"]] if whole else "",
        "bound": _bound(of.get("bound"), first),
        "factors": _factors(of.get("disentanglement")),
    }


def _bound(of: Mapping[str, Any] | None, cell: CellResult) -> dict[str, Any] | None:
    """The bound's parts as text."""
    if not of:
        return None
    dimension = (cell.body.get("density") or {}).get("dimension")
    bits = None
    if dimension is not None and of["tight"] is not None:
        bits = -of["tight"] / (dimension * math.log(2))
    ess = "" if of["ess"] is None else f"{of['ess']:.0f}"
    return {
        "rows": of["rows"],
        "elbo": number(of["elbo"]),
        "reconstruction": number(of["reconstruction"]),
        "kl": number(of["kl"]),
        "method": of["method"],
        "tight": plus_minus(of["tight"], of["stderr"]),
        "bits": number(bits, 3),
        "monte_carlo": number(of["monte_carlo"]),
        "ess": f"{ess} of {of['samples']}" if ess and of["samples"] else ess,
        "gap": rounded(of["gap"], of["gap_stderr"]) if of["gap"] is not None else "",
    }


def _factors(of: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Disentanglement scores, as text."""
    if not of:
        return None
    return {
        "mig": rounded(of["mig"], of["mig_stderr"]),
        "sap": rounded(of["sap"], of["sap_stderr"]),
        "dci": [number(of[f"dci_{name}"], 3) for name in _DCI],
        "names": ", ".join(of["factors"]),
    }
