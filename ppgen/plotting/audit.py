"""An audit at a glance: how far each statistic is from its claim, in units of how far it may be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .axis import shortened
from .style import ACCENT, MUTED, RULE, WRONG, heading, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..analysis.audit import Audit, Check

_COLOURS = {"holds": ACCENT, "refuted": WRONG, "misfit": WRONG, "not checked": RULE}
_MOST = 1e3
_MARKS = (0, 0.5, 1, 2, 5, 10, 30, 100, 300, 1000)


def plot_audit(audit: Audit) -> Figure:
    """The checks of an audit, a line each.

    A dot left of the dashed line holds; filled red refutes a claim, hollow red is a misfit with the
    rows given. Where nothing could be checked it says so.

    Args:
        audit: what `ppgen.audit` returned.
    """
    with panel(5.6, 0.6 + 0.24 * max(len(audit), 3)) as (made, axes):
        for place, check in enumerate(audit):
            colour, far = _COLOURS[check.status], _distance(check)
            if check.status == "not checked":
                axes.text(0.0, place, "not checked", color=MUTED, va="center", fontsize=8)
                continue
            face = "none" if check.status == "misfit" else colour
            axes.plot([0, far], [place, place], color=colour, linewidth=1.0, alpha=0.5)
            axes.plot(far, place, "o", color=colour, markerfacecolor=face, markersize=4.5)
        axes.axvline(1.0, color=RULE, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.set_xscale("symlog", linthresh=1.0)
        furthest = max(map(_distance, audit), default=1.0)
        axes.set_xlim(-0.03, max(2.0, 1.3 * furthest))
        marks = [mark for mark in _MARKS if mark <= max(2.0, furthest)]
        axes.set_xticks(marks, [f"{mark:g}" for mark in marks])
        axes.set_xticks([], minor=True)
        axes.set_yticks(range(len(audit)), [shortened(c.name, 28) for c in audit])
        axes.set_ylim(len(audit) - 0.4, -0.6)
        axes.set_xlabel("distance from the claim, as a multiple of its limit")
        refuted = len(audit.of("refuted"))
        said = f"{refuted} of {len(audit)} claims refuted" if refuted else "no claim is refuted"
        heading(made, shortened(f"{audit.model}: {said}", 90))
    return made


def _distance(check: Check) -> float:
    """How far beyond what is expected, over the limit: 0 where nothing was measured."""
    off = check.statistic - check.expected
    off = abs(off) if check.side == "both" else max(off if check.side == "above" else -off, 0.0)
    if check.status == "not checked" or math.isnan(off):
        return 0.0 if check.status in ("not checked", "holds") else _MOST
    if not check.limit > 0:
        return 0.0 if off == 0 else _MOST
    ratio = min(off / check.limit, _MOST)
    return min(ratio, 1.0) if check.status == "holds" else max(ratio, 1.0)
