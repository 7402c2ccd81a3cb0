"""The settings of engines that fit the posterior of a pair's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import InputError
from ..settings import Settings, setting


@dataclass(kw_only=True)
class SVISettings:
    """What can be set of SVI."""

    num_steps: int = setting(1000, "steps.", least=1)
    batch_size: int = setting(256, "rows a step.", least=1)
    learning_rate: float = setting(0.02, "the highest.", above=0)
    num_draws: int = setting(500, "draws from the guide that was fitted.", least=1)


@dataclass(kw_only=True)
class ChainSettings:
    """What can be set of Markov chains."""

    num_warmup: int = setting(500, "draws a chain to adapt with.", least=1)
    num_samples: int = setting(500, "draws a chain to keep.", least=1)
    num_chains: int = setting(4, "chains.", least=1)
    target_accept: float = setting(0.8, "share of proposals to accept.", above=0, below=1)
    chain_method: Literal["sequential", "vectorized", "parallel"] = setting(
        "sequential",
        "one chain after the other within a block of draws, all at once, or each in a thread (on a "
        "device of its own where there are several).",
    )


@dataclass(kw_only=True)
class NUTSSettings(ChainSettings):
    """What can be set of NUTS."""

    max_tree_depth: int = setting(10, "doublings of a path at most.", least=1)
    adaptation: Literal["diag", "dense", "low_rank"] = setting(
        "diag",
        "metric: variances of the draws, their covariance, or scales and the few directions that "
        "draws and gradients say matter.",
    )
    max_rank: int = setting(10, 'directions of adaptation="low_rank" at most.', least=1)


def check_engine(given: Any, engines: Mapping[str, Settings]) -> None:
    """Raise InputError if an engine, its backend and its settings do not go together."""
    if given.engine == "nuts" and given.backend != "numpyro":
        raise InputError("engine 'nuts' runs on NumPyro; give backend='numpyro', or engine='svi'.")
    if given.engine == "em":
        if given.engine_settings:
            raise InputError(
                'engine_settings are given, and engine="em" has none. Leave engine_settings out, '
                'or take engine="svi" or "nuts".'
            )
        return
    engine = engines[given.engine]
    engine.check_names(f"engine {given.engine!r}", given.engine_settings or {})
    engine.check(given.engine_settings or {})
