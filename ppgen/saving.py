"""How a fitted estimator becomes a saved run, and back: numbers and JSON, no code."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .artifact import Arrays, Run, write_run
from .coded import Coded
from .conditioning import Conditioning, Context
from .data import Schema
from .data.codecs import codec_from_json
from .errors import InputError
from .plain_json import plain
from .verdict import Verdict


class Saved(Coded, ABC):
    """A model whose fit is saved and loaded.

    Attributes:
        verdict_: whether the fit can be trusted, and why not.
        trace_: the training record, a dict a step.
        posterior_: draws of the parameters, name -> (chain, draw, ...), or None.
        fit_seconds_: wall-clock seconds of the fit.
        interrupted_: whether the user ended the fit before its end.
        given_: name -> the value, as text, of each column that `condition` was given.
        data_fingerprint_: a hash of the rows fitted.
        weighted_: whether rows had weights other than 1.
        weights_fingerprint_: SHA-256 of these, "" where all were 1, None where it is not known.
    """

    verdict_: Verdict
    trace_: list[dict[str, Any]]
    posterior_: dict[str, NDArray[Any]] | None
    fit_seconds_: float
    interrupted_: bool = False
    given_: Mapping[str, str] = MappingProxyType({})
    data_fingerprint_: str
    weighted_: bool = False
    weights_fingerprint_: str | None = None

    # What a family writes

    @abstractmethod
    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The fitted attributes as JSON and arrays."""

    @abstractmethod
    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        """Set the fitted attributes from what `_state` gave."""

    def _context_of(self, body: Mapping[str, Any]) -> Conditioning:
        """What `_fit_context` gave, of what its `to_json` did."""
        return Context.from_json(body)

    # What users call

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save to a folder that `ppgen.load` reads: numbers and JSON, no code."""
        check_is_fitted(self)
        state, arrays = self._state()
        params, param_arrays = _split_params(self.get_params(deep=False))
        manifest = {
            "family": self.name,
            "params": params,
            "schema": self.schema_.to_json(),
            "codec": self.codec_.to_json(),
            "container": self.container_,
            "context": None if self.context_ is None else self.context_.to_json(),
            "n_features_in": self.n_features_in_,
            "feature_names_in": [str(c) for c in getattr(self, "feature_names_in_", ())],
            "data": self.data_fingerprint_,
            "verdict": self.verdict_.to_json(),
            "seconds": self.fit_seconds_,
            "interrupted": self.interrupted_,
            "given": dict(self.given_),
            "weighted": self.weighted_,
            "weights": self.weights_fingerprint_,
            "state": state,
        }
        sections = _prefixed("state.", arrays) | _prefixed("param.", param_arrays)
        return write_run(path, manifest, sections, posterior=self.posterior_, trace=self.trace_)

    @classmethod
    def _of_run(cls, run: Run) -> Self:
        """The fitted estimator that `save` wrote.

        Raises:
            InputError: if the run sets what the class does not have.
        """
        body = run.manifest
        params = {**body["params"], **_section(run.arrays, "param.")}
        for setting in cls.settings:  # None may have been a default that is something else now
            if params.get(setting.name, ...) is None:
                params[setting.name] = setting.default
        unknown = sorted(set(params) - set(cls._get_param_names()))
        if unknown:
            raise InputError(
                f"the run sets {unknown}, which {cls.__name__} does not have; "
                "it is damaged or a newer ppgen wrote it."
            )
        fit = cls(**params)
        fit.schema_ = Schema.from_json(body["schema"])
        fit.codec_ = codec_from_json(body["codec"])
        fit.container_ = body["container"]
        fit.context_ = None if body["context"] is None else fit._context_of(body["context"])
        fit.n_features_in_ = body["n_features_in"]
        if body["feature_names_in"]:
            fit.feature_names_in_ = np.array(body["feature_names_in"], dtype=object)
        fit.data_fingerprint_ = body["data"]
        fit.verdict_ = Verdict.from_json(body["verdict"])
        fit.fit_seconds_ = body["seconds"]
        fit.interrupted_ = bool(body.get("interrupted", False))
        fit.given_ = body.get("given", {})
        fit.weighted_ = bool(body.get("weighted", False))
        fit.weights_fingerprint_ = body.get("weights")
        fit.trace_ = run.trace
        fit.posterior_ = run.posterior or None
        fit._restore(body["state"], _section(run.arrays, "state."))
        return fit

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "verdict_")


def _split_params(params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Hyper-parameters as JSON values and arrays; a live random generator is not kept."""
    plain_params: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for name, value in params.items():
        if isinstance(value, np.random.RandomState | np.random.Generator):
            plain_params[name] = None
        elif isinstance(value, np.ndarray):
            arrays[name] = value
        else:
            plain_params[name] = plain(value)
    return plain_params, arrays


def _prefixed(prefix: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    return {prefix + name: array for name, array in arrays.items()}


def _section(arrays: Arrays, prefix: str) -> dict[str, NDArray[Any]]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
