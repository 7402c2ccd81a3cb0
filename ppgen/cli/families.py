"""`ppgen models`: what there is, and what each can do."""

from __future__ import annotations

from .options import Out
from .output import check_output, write_table


def models(output: Out = None) -> None:
    """List the models and what each can do."""
    check_output(output)
    from ..models import registry

    rows = []
    for name, entry in registry.MODELS.items():
        can = registry.get(name).capabilities
        rows.append(
            {
                "model": name,
                "family": entry.family,
                "class": entry.class_name,
                "density": can.density or "none",
                "discrete": can.discrete,
                "missing": _yes(can.missing),
                "weights": _yes(can.weights),
                "given y": _yes(can.conditional),
                "given columns": _yes(can.conditions),
                "fills gaps": _yes(can.fills_gaps),
                "images": _yes(can.images),
                "latents": _yes(can.latents),
                "samples": _yes(can.samples),
                "engines": " ".join(can.engines),
                "backends": " ".join(can.backends),
                "what": entry.summary,
            }
        )
    write_table({key: [row[key] for row in rows] for key in rows[0]}, output, pretty=True)


def _yes(able: bool | None) -> str:
    return "yes" if able else "no"
