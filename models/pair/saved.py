"""A fitted pair as a saved run, and back: draws, statistics and sites, and no code."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from ...artifact import Run, read_run, write_run
from ...errors import InputError
from ...inference.posterior.forward import sites_of
from ...inference.posterior.result import Evidence, Posterior
from ...inference.posterior.sites import Plate, Site, Sites
from ...plain_json import plain
from ...tree import variables
from ...verdict import Verdict
from .arguments import Call
from .engines import engine
from .judged import Judged
from .predictive import check_same
from .program import Program

FAMILY = "pair"
_STATS, _GUIDE = "stats.", "guide."
F = TypeVar("F", bound=Judged)


class Saved(Judged):
    """A fit that is saved."""

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save to a folder that `Pair.load` reads: numbers and JSON, neither code nor data.

        Raises:
            InputError: if `path` holds something that is not a ppgen run.
        """
        found, guide = self.posterior, self.program.guide
        named = variables(list(found.draws))
        manifest = {
            "family": FAMILY,
            "backend": self.program.backend,
            "model": self.program.name,
            "guide": guide if isinstance(guide, str) else None,
            "method": self.method,
            "settings": plain(asdict(self.settings)),
            "sites": [plain(site) for site in self.sites.values()],
            "call": plain(self.call.to_json()),
            "variables": named,
            "evidence": plain(found.log_evidence),
            "why": found.why,
            "gradients": int(found.gradients),
            "seconds_to_first_draw": float(found.seconds_to_first_draw),
            "seconds": self.seconds,
            "seed": self.seed,
            "verdict": self.verdict_.to_json(),
        }
        arrays = {_STATS + name: a for name, a in found.stats.items()}
        arrays |= {_GUIDE + name: a for name, a in found.guide.items()}
        draws = {named[name]: a for name, a in found.draws.items()}
        return write_run(path, manifest, arrays, posterior=draws, trace=self.trace)


def loaded(
    kind: type[F],
    path: str | os.PathLike[str],
    model: Callable[..., Any] | str,
    guide: Callable[..., Any] | str | None,
) -> F:
    """The fit that `Saved.save` wrote, as one of `kind`; see `Pair.load`."""
    run = read_run(path)
    body = run.manifest
    if body["family"] != FAMILY:
        raise InputError(
            f"{path} holds a fitted {body['family']}, and no pair; ppgen.load reads it."
        )
    program = Program(model, guide or body["guide"], body["backend"])
    _check_name(path, body.get("model"), program.name)
    sites, call = (
        Sites({one["name"]: _site(one) for one in body["sites"]}),
        Call.from_json(body["call"]),
    )
    _check(program, sites, call)
    return kind(
        program=program,
        method=body["method"],
        settings=engine(body["method"]).declared(**body["settings"]),
        sites=sites,
        posterior=_posterior(run),
        call=call,
        target=None,
        trace=run.trace,
        seconds=body["seconds"],
        seed=body["seed"],
        judged=Verdict.from_json(body["verdict"]),
    )


def _check_name(path: str | os.PathLike[str], saved: str | None, given: str | None) -> None:
    """Raise InputError if a pair that ships is given where another one was fitted."""
    if saved is not None and given is not None and saved != given:
        raise InputError(
            f"{path} holds a fit of the pair {saved!r}, and {given!r} is given. Load it with "
            f"model={saved!r}."
        )


def _check(program: Program, sites: Sites, call: Call) -> None:
    """Raise InputError if a model called with made-up data of the same shapes has other sites."""
    made = call.placeholders(program.backend)
    if made is None:
        return  # said when the model is called with data
    args, kwargs = program.call(*made)
    check_same(sites, sites_of(program.called(args, kwargs)))


def _posterior(run: Run) -> Posterior:
    body = run.manifest
    evidence = body["evidence"]
    return Posterior(
        draws={name: run.posterior[variable] for name, variable in body["variables"].items()},
        stats=_section(run.arrays, _STATS),
        log_evidence=None if evidence is None else Evidence(**evidence),
        why=body["why"],
        gradients=body["gradients"],
        seconds_to_first_draw=body["seconds_to_first_draw"],
        guide=_section(run.arrays, _GUIDE),
    )


def _section(arrays: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}


def _site(body: Mapping[str, Any]) -> Site:
    plates = tuple(Plate(**plate) for plate in body["plates"])
    shapes = {name: tuple(body[name]) for name in ("shape", "unconstrained")}
    return Site(**{**body, **shapes, "plates": plates})
