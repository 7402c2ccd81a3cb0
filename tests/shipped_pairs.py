"""The pairs that ship, called in both backends at the same values of their sites."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
import torch
from numpyro import handlers
from pyro import poutine

from ppgen.models import shipped

Call = tuple[tuple[Any, ...], dict[str, Any]]


class Ran(NamedTuple):
    """A model that was run once.

    Attributes:
        values: of its sites, deterministic ones too.
        plates: names of the plates of each.
        scales: by which the log density of each is counted.
        log_joint: of what is drawn and observed.
    """

    values: dict[str, Any]
    plates: dict[str, list[str]]
    scales: dict[str, float]
    log_joint: float


def pyro_run(name: str, call: Call, values: dict[str, Any] | None = None, seed: int = 0) -> Ran:
    """Drawn from the prior, or at the values given, y among the arguments."""
    args, kwargs = tensors(call)
    values = tensors(values or {})
    if "y" in values:
        kwargs = kwargs | {"y": values.pop("y")}
    model = poutine.condition(shipped.model(name, "pyro"), values)
    dtype = torch.get_default_dtype()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.set_default_dtype(torch.float64)  # as where a pair is fitted
        try:
            trace = poutine.trace(model).get_trace(*args, **kwargs)
        finally:
            torch.set_default_dtype(dtype)
    assert trace.nodes["_RETURN"]["value"] is trace.nodes["y"]["value"]
    sites = {
        k: s
        for k, s in trace.nodes.items()
        if s["type"] == "sample" and type(s["fn"]).__name__ != "_Subsample"
    }
    return Ran(
        {k: s["value"].detach().numpy() for k, s in sites.items()},
        {k: [p.name for p in s["cond_indep_stack"]] for k, s in sites.items()},
        {k: float(s["scale"]) for k, s in sites.items()},
        float(trace.log_prob_sum()),
    )


def numpyro_run(name: str, call: Call, values: dict[str, Any]) -> Ran:
    """At the values given, y among the arguments."""
    args, kwargs = call
    plates: dict[str, list[str]] = {}
    scales: dict[str, float] = {}

    def run(values: dict[str, Any]) -> tuple[Any, Any]:
        values = dict(values)
        y = values.pop("y")
        seeded = handlers.seed(shipped.model(name, "numpyro"), jax.random.key(0))
        trace = handlers.trace(handlers.condition(seeded, values)).get_trace(*args, **kwargs, y=y)
        sites = {k: s for k, s in trace.items() if s["type"] in ("sample", "deterministic")}
        plates.update({k: [p.name for p in s["cond_indep_stack"]] for k, s in sites.items()})
        scales.update({k: float(s.get("scale") or 1) for k, s in sites.items()})
        drawn = [(k, s) for k, s in sites.items() if s["type"] == "sample"]
        log_joint = sum(scales[k] * s["fn"].log_prob(s["value"]).sum() for k, s in drawn)
        return {k: s["value"] for k, s in sites.items()}, log_joint

    with jax.enable_x64(True):
        found, log_joint = jax.jit(run)(values)
    return Ran({k: np.asarray(v) for k, v in found.items()}, plates, scales, float(log_joint))


def tensors(values: Any) -> Any:
    if isinstance(values, dict):
        return {k: tensors(v) for k, v in values.items()}
    if isinstance(values, tuple):
        return tuple(tensors(v) for v in values)
    return torch.tensor(values) if isinstance(values, np.ndarray | np.number) else values
