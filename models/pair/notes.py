"""What is to be said of the data and the priors that a pair was fitted with."""

from __future__ import annotations

from ...inference.posterior.result import Evidence
from ...inference.posterior.sites import positional
from ...inference.posterior.target import Target
from ...verdict import Reason
from .arguments import numbers


def notes(target: Target) -> list[Reason]:
    """Data in single precision, which stay what they are."""
    names = positional(target.model, len(target.args))
    given = dict(zip(names, target.args, strict=True)) | target.kwargs
    single = [
        name
        for name, value in given.items()
        if (array := numbers(value)) is not None and array.dtype == "float32"
    ]
    if not single:
        return []
    what = (
        f"{', '.join(single)} {'is' if len(single) == 1 else 'are'} in single precision and were "
        "not changed; the rest is computed in double precision."
    )
    advice = "Where differences of 1e-7 matter, give the data in float64."
    return [Reason("ok", what, advice)]


def of_evidence(target: Target, evidence: Evidence | None) -> list[Reason]:
    """That a log evidence under an improper prior is none."""
    flat = [name for name, site in target.sites.latents.items() if site.improper]
    if evidence is None or not flat:
        return []
    what = (
        f"the prior of {', '.join(flat)} is improper: the log evidence holds but for a constant, "
        "and is not to be compared with that of other models."
    )
    return [Reason("ok", what, "Give proper priors where models are compared.")]
