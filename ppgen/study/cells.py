"""What a study is made of: cells of (data, model and settings, seed).

A cell is named by a hash of what defines it, so that the same cell is the same folder in any run,
on any machine. Library versions are recorded with its result but are no part of its name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..capabilities import Capabilities
from ..data import Dataset, split
from ..errors import InputError, did_you_mean
from ..estimator import Estimator
from ..models import registry
from ..plain_json import PlainFields
from ..progress import duration

FORMAT = 3
_FEW = 200

Models = Sequence[str] | Mapping[str, Estimator] | str
Settings = Mapping[str, Mapping[str, Any]]
Parts = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True)
class Cell(PlainFields):
    """One fit of a study.

    Attributes:
        data: the data set's name in this study.
        fingerprint: of its content, schema and groups.
        label: the model's name in this study.
        model: its name in the registry.
        settings: hyper-parameters that differ from their defaults.
        seed: of the split and of the model.
        budget: seconds the fit may take, or None.
        split: hash of the split that the source of the data defines, or "" where the seed makes
            one.
    """

    data: str
    fingerprint: str
    label: str
    model: str
    settings: Mapping[str, Any]
    seed: int
    budget: float | None
    split: str = ""

    @property
    def key(self) -> str:
        """Name of the cell's folder; names of data sets and models are no part of it."""
        named = {k: v for k, v in self.to_json().items() if k not in ("data", "label")}
        text = json.dumps({"format": FORMAT, **named}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def __str__(self) -> str:
        return f"{self.label} on {self.data}, seed {self.seed}"


def plan(
    data: Mapping[str, Dataset],
    models: Models,
    seeds: int | Sequence[int],
    budget: str | float | None,
    settings: Settings | None,
) -> list[Cell]:
    """The cells of a study, a data set and a seed at a time, the models in order within.

    Raises:
        InputError: for an unknown model, an unknown setting, or no cells at all.
    """
    chosen, numbers = _models(models, settings or {}), _seeds(seeds)
    seconds = duration(budget)
    cells = []
    for name, rows in data.items():
        mark, split_mark = rows.fingerprint(), _split(rows)
        for seed in numbers:
            for label, (model, own) in chosen.items():
                cells.append(Cell(name, mark, label, model, own, seed, seconds, split_mark))
    return cells


def not_applicable(capabilities: Capabilities, data: Dataset, n_train: int) -> str | None:
    """Why a family cannot model these data, by what it declares; None where it can."""
    schema = data.schema
    if capabilities.supervised:
        return "it needs labels, and a study fits rows alone"
    if capabilities.translates:
        return "it translates between two domains, and a study fits rows of one"
    if schema.image_shape is not None and not capabilities.images:
        return "it models tables, and these are images"
    if schema.columns and not capabilities.tables:
        return "it models images, and these are a table"
    if schema.sequence:
        return "it models tables, and these are sequences"
    gaps = [column.name for column in schema.columns if column.missing]
    if gaps and not capabilities.missing:
        more = ", ..." if len(gaps) > 3 else ""
        return f"it cannot model missing values ({', '.join(gaps[:3])}{more})"
    if n_train < capabilities.min_rows:
        return f"it needs {capabilities.min_rows} rows, and {n_train} are left to fit"
    return None


def parts(data: Dataset, seed: int = 0) -> Parts:
    """Rows fitted to, for early stopping, held out: as the source has them, or of a seed.

    Raises:
        InputError: if there are too few rows to split.
    """
    if data.parts is None:
        return split(data, seed=seed)
    train, valid, test = (np.arange(len(data))[rows] for rows in data.parts)
    return train, valid, test


def unseen(rows: Parts) -> NDArray[np.intp]:
    """Rows to judge a fit by: those held out; with those of early stopping, which choose when to
    stop and little else, where these are few."""
    _, valid, test = rows
    return np.sort(np.concatenate([valid, test])) if len(test) < _FEW else test


def _models(models: Models, settings: Settings) -> dict[str, tuple[str, dict[str, Any]]]:
    if isinstance(models, Mapping):
        chosen = {str(label): _of_estimator(label, e) for label, e in models.items()}
    else:
        asked = [models] if isinstance(models, str | Estimator) else list(models)
        for item in asked:
            if not isinstance(item, str):
                raise InputError(
                    f"models holds a {type(item).__name__}; expected names, or a mapping of names "
                    'of your choice to estimators, such as {"two": GaussianMixture(2)}.'
                )
        names = dict.fromkeys(name for item in asked for name in registry.expand(item))
        chosen = {name: (name, {}) for name in names}
    if not chosen:
        raise InputError(f"no models were given; there are {', '.join(registry.names())}.")
    for label, own in settings.items():
        if label not in chosen:
            raise InputError(
                f"settings are given for {label!r}, which is not in this study; its models are "
                f"{', '.join(chosen)}.{did_you_mean(label, chosen)}"
            )
        model, before = chosen[label]
        chosen[label] = (model, _checked(label, model, {**before, **own}))
    return chosen


def _of_estimator(label: str, estimator: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(estimator, Estimator):
        raise InputError(
            f"models[{label!r}] is a {type(estimator).__name__}; expected an estimator such as "
            "ppgen.GaussianMixture(n_components=4)."
        )
    plain = type(estimator)().get_params()
    own = estimator.get_params()
    differs = {k: v for k, v in own.items() if k != "random_state" and repr(v) != repr(plain[k])}
    return estimator.name, _checked(label, estimator.name, differs)


def _checked(label: str, model: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    declared = registry.get(model).settings
    declared.check_names(label, settings)
    for name, value in settings.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise InputError(
                f"the setting {label}.{name} is {value!r}; a study keeps numbers, texts and lists "
                "of them, so that it can be started again. Give it as one of these."
            ) from None
    declared.check(settings)
    # Through JSON once, so that a tuple and a list name the same cell.
    return dict(json.loads(json.dumps(settings)))


def _split(data: Dataset) -> str:
    if data.parts is None:
        return ""
    digest = hashlib.sha256()
    for rows in parts(data):
        digest.update(np.ascontiguousarray(rows).data)
    return digest.hexdigest()[:20]


def _seeds(seeds: int | Iterable[int]) -> list[int]:
    numbers = [int(s) for s in (seeds if isinstance(seeds, Iterable) else range(seeds))]
    if not numbers or len(set(numbers)) < len(numbers) or min(numbers) < 0:
        raise InputError(
            f"seeds is {seeds!r}; expected a positive number of seeds, or a list of different "
            "numbers from 0 up."
        )
    return numbers
