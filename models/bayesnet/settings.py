"""The settings of a Bayesian network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

import numpy as np

from ...errors import InputError
from ...settings import Kind, Settings, mapping, seed, setting
from ..engine_settings import NUTSSettings, SVISettings, check_engine


def _are_edges(value: Any) -> bool:
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        return False
    return all(
        isinstance(edge, Sequence) and not isinstance(edge, str) and len(edge) == 2
        for edge in value
    )


EDGES = Kind('a list of edges (parent, child), such as [("rain", "grass")]', _are_edges)

TIERS = Kind(
    'groups of columns, such as [["age"], ["dose", "weight"]]',
    lambda value: (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and not any(isinstance(each, str) for each in value)
        and all(isinstance(each, Sequence) for each in value)
    ),
)


def _are_conditionals(value: Any) -> bool:
    each = value.values() if isinstance(value, Mapping) else [value]
    return all(isinstance(kind, str) and kind in ("linear", "flow") for kind in each)


CONDITIONALS = Kind(
    '"linear", "flow", or one of these for each of some columns, such as {"x": "flow"}',
    _are_conditionals,
)
NAMES = Kind(
    "a list of columns or None, one a row",
    lambda value: isinstance(value, Sequence) and not isinstance(value, str),
)
WIDE = 80  # columns, above which a search over orders may take minutes: where most are related
SEARCH = (
    "structure",
    "criterion",
    "level",
    "max_parents",
    "required",
    "forbidden",
    "tiers",
    "restarts",
)


@dataclass(kw_only=True)
class _Conjugate:
    num_draws: int = setting(500, "draws from the posterior.", least=1)


ENGINE_SETTINGS = {
    "conjugate": Settings(_Conjugate),
    "svi": Settings(SVISettings),
    "nuts": Settings(NUTSSettings),
}


@dataclass(eq=False, repr=False)
class NetworkSettings:
    """What can be set of a Bayesian network."""

    edges: Sequence[Any] | None = setting(
        None, "the structure, over the columns by name or label; None learns it.", EDGES
    )
    _: KW_ONLY
    hidden: Mapping[str, int] | None = setting(
        None, 'nodes that are no columns, and how many states each has, such as {"H": 3}.', mapping
    )
    structure: Literal["boss", "hill-climbing", "exact", "pc"] | None = setting(
        None,
        "how a structure is looked for: over orders of columns, over graphs, among all of few "
        f'columns, or by tests of independence. None is "boss" of at most {WIDE} columns, '
        '"hill-climbing" of more, which takes seconds where the other may take minutes, and '
        "finds a lower score.",
    )
    level: float = setting(
        0.01, 'level of the tests of "pc": lower leaves fewer edges.', above=0, below=1
    )
    criterion: Literal["bic", "bdeu", "bge", "mixed"] = setting(
        "bic",
        "what it has the most of; bdeu is for discrete columns, bge for continuous, mixed for all.",
    )
    max_parents: int | None = setting(
        None,
        "most parents of a node that is learnt; None is a tenth of the rows, 3 at least.",
        least=0,
    )
    required: Sequence[Any] = setting((), "edges that a structure that is learnt must have.", EDGES)
    forbidden: Sequence[Any] = setting((), "edges that it must not have.", EDGES)
    tiers: Sequence[Any] = setting(
        (),
        "groups of columns, first to last: no edge leads from a later group to an earlier.",
        TIERS,
    )
    interventions: Sequence[Any] | None = setting(
        None,
        "of each row that is fitted the column that was set from outside, several as a tuple, or "
        "None: such a value says nothing of the column given its parents.",
        NAMES,
    )
    restarts: int | None = setting(
        None,
        "further searches, of which the best structure is taken; None is ten of at most 20 "
        "columns, whose searches are short and end apart, and none of more.",
        least=0,
    )
    prior: Literal["bdeu", "laplace", "none"] = setting(
        "bdeu",
        "of the parameters, whose posterior mean is taken: rows spread evenly over a table, one in "
        "each cell, or none, which gives the maximum of the likelihood.",
    )
    equivalent_sample_size: float = setting(
        1.0,
        'rows that the prior "bdeu" is worth: spread evenly over a table, and for each number of a '
        "regression.",
        above=0,
    )
    reg_covar: float = setting(
        1e-12,
        "least variance given the parents, as a share of a column's own; it matters only where "
        "columns are functions of each other.",
        least=0,
    )
    conditionals: str | Mapping[str, str] = setting(
        "linear",
        "of continuous columns: linear Gaussian, or a flow, which is any density given any parents "
        "(a spline whose parameters a net gives). Columns that a dict leaves out are linear.",
        CONDITIONALS,
    )
    tol: float = setting(
        1e-5, "gain a row, in nats, that ends EM (rows with gaps, hidden nodes).", least=0
    )
    max_iter: int = setting(200, "most iterations of EM.", least=1)
    n_init: int = setting(4, "starts of EM where nodes are hidden.", least=1)
    engine: Literal["em", "conjugate", "svi", "nuts"] = setting(
        "em",
        'the others draw from the posterior of the parameters: "conjugate" from its closed form, '
        "where nothing is missing.",
    )
    backend: Literal["numpyro", "pyro"] = setting("numpyro", 'of engine "svi".')
    engine_settings: Mapping[str, Any] | None = setting(
        None,
        'of the engine, such as {"num_samples": 1000}; see `docs/settings.md`.',
        mapping,
        ENGINE_SETTINGS,
    )
    random_state: Any = setting(None, "seed.", seed)


def check(given: Any) -> None:
    """Raise InputError if settings do not go together."""
    check_engine(given, ENGINE_SETTINGS)
    if given.conditionals != "linear" and given.engine != "em":
        raise InputError(
            f"conditionals are {given.conditionals!r}, and engine={given.engine!r} is for linear "
            "Gaussians. Take engine='em', or conditionals='linear'."
        )
    if given.interventions is not None and given.engine in ("svi", "nuts"):
        raise InputError(
            f"interventions are given, and engine={given.engine!r} does not allow for them. Take "
            "engine='em' or 'conjugate', or fit rows without interventions."
        )
    if given.edges is None:
        if given.hidden:
            raise InputError(
                "hidden nodes are given, and edges=None learns a structure, which finds none. Give "
                "edges that name them."
            )
        return
    defaults = {setting.name: setting.default for setting in SETTINGS["bayesnet"]}
    for name in SEARCH:
        value = getattr(given, name)
        if value is not defaults[name] and np.any(value != defaults[name]):
            raise InputError(
                f"{name} is of structures that are learnt, and edges are given. Leave {name} out."
            )


SETTINGS = {"bayesnet": Settings(NetworkSettings, together=check)}
