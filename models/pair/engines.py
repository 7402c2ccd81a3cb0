"""The engines of a pair, by method: a closed table, of which nothing is loaded before it is used.

An engine is a module of `inference.posterior` with

    run(target, settings, fit) -> Posterior            or, where `guided`,
    run(target, guide, settings, fit) -> Posterior

for a `Target`, an instance of its dataclass of settings, an `EngineFit`, and the user's guide: a
callable, the name of an autoguide, or None.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ...errors import InputError, did_you_mean
from ...settings import Settings
from . import settings


@dataclass(frozen=True)
class Engine:
    """One method of a pair.

    Attributes:
        method: its name.
        about: what it is, in a line.
        declared: the dataclass of its settings.
        modules: backend -> module of `inference.posterior`.
        guided: whether it takes a guide.
        whole: whether it needs the log density of all the data.
        chains: whether it runs Markov chains, which are to agree.
        approximate: whether its draws are of an approximation, and no more is claimed.
        resumes: whether it keeps a state from which it goes on after a stop.
    """

    method: str
    about: str
    declared: type
    modules: dict[str, str]
    guided: bool = False
    whole: bool = True
    chains: bool = False
    approximate: bool = False
    resumes: bool = False

    @property
    def settings(self) -> Settings:
        """What can be set of it."""
        return Settings(self.declared)

    def runner(self, backend: str) -> Any:
        """Its `run`.

        Raises:
            InputError: if it does not run on the backend.
        """
        if backend not in self.modules:
            able = [e.method for e in ENGINES.values() if backend in e.modules]
            raise InputError(
                f"method {self.method!r} does not run on {backend} pairs. Write the pair in "
                f"{' or '.join(self.modules)}, or take one of {', '.join(able)}."
            )
        name = f"{__package__.rsplit('.', 2)[0]}.inference.posterior.{self.modules[backend]}"
        return import_module(name).run


_BOTH = ("numpyro", "pyro")
_TABLE = (
    Engine(
        "nuts", "the No-U-Turn sampler", settings.NUTS,
        {"numpyro": "nuts", "pyro": "nuts_pyro"}, chains=True,
    ),
    Engine(
        "hmc", "HMC along paths of a fixed time", settings.HMC,
        {"numpyro": "fixed_length", "pyro": "hmc_pyro"}, chains=True,
    ),
    Engine(
        "chees", "HMC of many chains at once, their path length adapted by ChEES", settings.ChEES,
        {"numpyro": "chees"}, chains=True,
    ),
    Engine(
        "laplace", "a Gaussian at the mode", settings.Laplace, dict.fromkeys(_BOTH, "laplace"),
        approximate=True,
    ),
    Engine(
        "pathfinder", "Gaussians along quasi-Newton paths, weighed",
        settings.Pathfinder, {"numpyro": "pathfinder"}, approximate=True,
    ),
    Engine(
        "smc", "particles tempered from the prior to the posterior, with evidence",
        settings.SMC, {"numpyro": "smc"},
    ),
    Engine(
        "nested", "nested slice sampling: evidence, and draws",
        settings.Nested, {"numpyro": "nested"},
    ),
    Engine(
        "ais", "annealing from the prior, with a lower bound of the evidence and its gap",
        settings.AIS, {"numpyro": "annealed_numpyro", "pyro": "annealed_pyro"},
    ),
    Engine(
        "importance", "draws from the prior, a t at the mode or a guide, weighed",
        settings.Importance, dict.fromkeys(_BOTH, "weighted"), guided=True,
    ),
    Engine(
        "svi", "a guide fitted by stochastic gradients", settings.SVI,
        dict.fromkeys(_BOTH, "svi"), guided=True, whole=False, approximate=True, resumes=True,
    ),
    Engine(
        "dadvi", "mean-field by fixed draws, covariances by linear response",
        settings.DADVI, {"numpyro": "dadvi"}, approximate=True,
    ),
)  # fmt: skip

ENGINES = {engine.method: engine for engine in _TABLE}


def engine(method: str) -> Engine:
    """The engine of a method; InputError if there is none."""
    if not isinstance(method, str) or method not in ENGINES:
        near = did_you_mean(str(method), ENGINES)
        raise InputError(f"method is {method!r}; expected one of {', '.join(ENGINES)}.{near}")
    return ENGINES[method]
