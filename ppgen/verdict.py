"""Whether a fit can be trusted: ok, warn or failed, with the reason and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from . import html

Status = Literal["ok", "warn", "failed"]
ORDER: tuple[Status, ...] = ("ok", "warn", "failed")


@dataclass(frozen=True)
class Reason:
    """One finding about a fit: how bad it is, what was found, what to do about it.

    Attributes:
        learnt: False where it says that the fit learnt nothing of the rows.
        checked: False where it says what was not looked at, which is no fault and no pass.
    """

    status: Status
    what: str
    advice: str = ""
    learnt: bool = True
    checked: bool = True

    def __str__(self) -> str:
        return f"{self.what} {self.advice}".strip()


def warning(what: str, advice: str) -> list[Reason]:
    """One reason that warns, as those give it who find several or none."""
    return [Reason("warn", what, advice)]


def nothing_learnt(what: str, advice: str) -> list[Reason]:
    """One reason that warns: the fit learnt nothing of the rows."""
    return [Reason("warn", what, advice, learnt=False)]


@dataclass(frozen=True)
class Verdict:
    """The judgement of a fit. `status` is the worst among `reasons`, "ok" where there are none."""

    reasons: tuple[Reason, ...] = ()

    @property
    def status(self) -> Status:
        return max((r.status for r in self.reasons), key=ORDER.index, default="ok")

    @property
    def ok(self) -> bool:
        """True where nothing is wrong."""
        return self.status == "ok"

    @property
    def learnt(self) -> bool:
        """False where the fit learnt nothing of the rows: whatever it reaches is no result."""
        return all(reason.learnt for reason in self.reasons)

    def __str__(self) -> str:
        told = [str(r) for r in self.reasons if r.status != "ok"]
        unchecked = [str(r) for r in self.reasons if r.status == "ok" and not r.checked]
        mark = ":" if told else ";" if unchecked else ""
        nothing = "" if self.learnt else ", nothing learnt"
        return " ".join((f"{self.status}{nothing}{mark}", *told, *unchecked))

    def _repr_html_(self) -> str:
        worst = sorted(self.reasons, key=lambda reason: -ORDER.index(reason.status))
        told = [html.marked(r.status if r.checked else "not checked", str(r)) for r in worst]
        return html.block(*(told or [html.marked("ok", "nothing was found against the fit.")]))

    def to_json(self) -> list[dict[str, Any]]:
        return [
            {"status": r.status, "what": r.what, "advice": r.advice}
            | ({} if r.learnt else {"learnt": False})
            | ({} if r.checked else {"checked": False})
            for r in self.reasons
        ]

    @classmethod
    def from_json(cls, reasons: Iterable[Mapping[str, Any]]) -> Verdict:
        return cls(
            tuple(
                Reason(
                    r["status"],
                    r["what"],
                    r.get("advice", ""),
                    r.get("learnt", True),
                    r.get("checked", True),
                )
                for r in reasons
            )
        )
