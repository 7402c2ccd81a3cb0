"""How a fitted estimator becomes a saved run, and back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .artifact import Arrays, Run, write_run
from .conditioning import Context
from .data import Codec, ImageCodec, Schema
from .errors import InputError
from .plain_json import plain
from .verdict import Verdict

if TYPE_CHECKING:
    from .estimator import Estimator

E = TypeVar("E", bound="Estimator")


def save_fit(estimator: Estimator, path: str | os.PathLike[str]) -> Path:
    """Write a fitted estimator as a run folder: numbers and JSON, no code."""
    state, arrays = estimator._state()
    params, param_arrays = _split_params(estimator.get_params(deep=False))
    context = estimator.context_
    manifest = {
        "family": estimator.name,
        "params": params,
        "schema": estimator.schema_.to_json(),
        "codec": estimator.codec_.to_json(),
        "container": estimator.container_,
        "context": None if context is None else context.to_json(),
        "n_features_in": estimator.n_features_in_,
        "feature_names_in": [str(c) for c in getattr(estimator, "feature_names_in_", ())],
        "data": estimator.data_fingerprint_,
        "verdict": estimator.verdict_.to_json(),
        "seconds": estimator.fit_seconds_,
        "weighted": getattr(estimator, "weighted_", False),
        "weights": getattr(estimator, "weights_fingerprint_", None),
        "state": state,
    }
    sections = _prefixed("state.", arrays) | _prefixed("param.", param_arrays)
    return write_run(
        path, manifest, sections, posterior=estimator.posterior_, trace=estimator.trace_
    )


def load_fit(cls: type[E], run: Run) -> E:
    """The fitted estimator that `save_fit` wrote.

    Raises:
        InputError: if the run sets what the class does not have.
    """
    body = run.manifest
    params = {**body["params"], **_section(run.arrays, "param.")}
    unknown = sorted(set(params) - set(cls._get_param_names()))
    if unknown:
        raise InputError(
            f"the run sets {unknown}, which {cls.__name__} does not have; "
            "it is damaged or a newer ppgen wrote it."
        )
    fit = cls(**params)
    fit.schema_ = Schema.from_json(body["schema"])
    codec = body["codec"]
    fit.codec_ = ImageCodec.from_json(codec) if "images" in codec else Codec.from_json(codec)
    fit.container_ = body["container"]
    fit.context_ = None if body["context"] is None else Context.from_json(body["context"])
    fit.n_features_in_ = body["n_features_in"]
    if body["feature_names_in"]:
        fit.feature_names_in_ = np.array(body["feature_names_in"], dtype=object)
    fit.data_fingerprint_ = body["data"]
    fit.verdict_ = Verdict.from_json(body["verdict"])
    fit.fit_seconds_ = body["seconds"]
    fit.weighted_ = bool(body.get("weighted", False))
    fit.weights_fingerprint_ = body.get("weights")
    fit.trace_ = run.trace
    fit.posterior_ = run.posterior or None
    fit._restore(body["state"], _section(run.arrays, "state."))
    return fit


def _split_params(params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Hyper-parameters as JSON values and arrays; a live random generator is not kept."""
    found: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for name, value in params.items():
        if isinstance(value, np.random.RandomState | np.random.Generator):
            found[name] = None
        elif isinstance(value, np.ndarray):
            arrays[name] = value
        else:
            found[name] = plain(value)
    return found, arrays


def _prefixed(prefix: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    return {prefix + name: array for name, array in arrays.items()}


def _section(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
