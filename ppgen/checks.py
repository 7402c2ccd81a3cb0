"""Checks of arguments that every family takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .capabilities import Capabilities
from .data import Codec, Encoded
from .errors import InputError
from .verdict import Reason, warning

MODELLING_GAPS = (
    *("GaussianMixture", "Gaussian", "FactorAnalysis", "BayesianNetwork", "VAE"),
    "IndependentColumns",
)
_FEW = 10  # rows of a class below which nothing is known of it
_SHOWN = 5  # classes that are named
_MOST_TEXT = 60  # characters of a value that an error shows


def check_weights(sample_weight: ArrayLike | None, n: int) -> NDArray[np.float64] | None:
    """(n,) non-negative weights, or None where none were given."""
    if sample_weight is None:
        return None
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"sample_weight is {_short(sample_weight)}; expected numbers, one a row, ({n},)."
        ) from None
    if weights.ndim == 0:
        weights = np.full(n, float(weights))
    if weights.shape != (n,):
        raise InputError(
            f"sample_weight has shape {weights.shape}; expected one weight a row, ({n},)."
        )
    if not np.all(np.isfinite(weights)) or np.any(weights < 0) or not np.any(weights > 0):
        raise InputError(
            "sample_weight holds negative, infinite or only zero weights; "
            "give weights >= 0, some of them > 0."
        )
    return weights


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}..."


def seed_of(random_state: Any) -> int:
    """An integer seed from what scikit-learn calls `random_state`; None takes fresh entropy."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    if isinstance(random_state, int | np.integer) and random_state >= 0:
        return int(random_state)
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    raise InputError(
        f"random_state is {random_state!r}; expected None, an integer from 0, or a NumPy generator."
    )


def check_no_gaps(codec: Codec, rows: Encoded, family: str) -> None:
    """Raise InputError, naming the columns, if encoded rows have gaps."""
    lacking = [*np.isnan(rows.x).sum(axis=0), *(rows.codes == -1).sum(axis=0)]
    names = [*codec.continuous_names, *codec.discrete_names]
    where = [f"{k} of {name!r}" for name, k in zip(names, lacking, strict=True) if k]
    if where:
        shown = ", ".join(where[:_SHOWN]) + f" and of {len(where) - _SHOWN} more columns" * (
            len(where) > _SHOWN
        )
        raise InputError(
            f"{family} models no gaps, and values are missing (NaN): {shown}. Fill them with "
            "ppgen.GaussianMixture().fit(X).impute(X), or fit a family that models gaps: "
            f"{', '.join(f'ppgen.{name}' for name in MODELLING_GAPS)}."
        )


def unused_reasons(used: Collection[str], who: str, **given: Any) -> list[Reason]:
    """What of `given` (None where it was not) plays no part in a fit that looks at `used`."""
    why = {
        "validation": "rows to stop early by were given, and it does not stop early",
        "budget": "a budget was given, and it is fitted in closed form, however long that takes",
        "checkpoint_dir": "a folder to go on from was given, and it keeps no state in between",
    }
    return [
        Reason("ok", f"{name} plays no part in the fit of {who}: {why[name]}.")
        for name, value in given.items()
        if value is not None and name not in used
    ]


def few_of_class(counts: Mapping[Any, float], what: str) -> list[Reason]:
    """Whether some classes have so few rows that what is learnt of them holds for no others.

    Args:
        counts: class -> how many independent rows it has.
        what: a class is called.
    """
    few = {name: round(count) for name, count in counts.items() if 0.5 < count < _FEW}
    if not few:
        return []
    named = [f"{name!r} has {n} row" + "s" * (n != 1) for name, n in few.items()]
    more = f" and {len(named) - _SHOWN} more have few" if len(named) > _SHOWN else ""
    return warning(
        f"{what} {', '.join(named[:_SHOWN])}{more}: what is learnt of so few holds for no others.",
        f"Give at least {_FEW} rows of each, or leave {'it' if len(few) == 1 else 'them'} out.",
    )


def no_distribution(family: str, can: Capabilities) -> str:
    """What is said of a fit that is no distribution of Pyro or NumPyro, and what to do."""
    instead = (
        "Fit ppgen.NormalizingFlow or ppgen.GaussianMixture to the rows"
        + " or to many of `sample(n)`" * bool(can.samples)
        + ", and take its as_distribution"
    )
    if can.density is None:
        return f"{family} has no density, so that it is no distribution of a model. {instead}."
    known = "estimates" if can.density == "estimate" else can.density.replace("_", " ") + "s"
    return (
        f"the log densities of {family} are {known} ({can.method}), and a model that treats them "
        f"as exact has another posterior than it says. {instead}."
    )
