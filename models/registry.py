"""The one closed table of models. A saved run names a row of it, never code."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from ..artifact import read_run
from ..errors import InputError, did_you_mean

if TYPE_CHECKING:
    from ..estimator import Estimator


class Entry(NamedTuple):
    """Where a model stands: its module below `ppgen.models`, its class, its family, and what it is
    in a line."""

    module: str
    class_name: str
    family: str
    summary: str


MODELS: dict[str, Entry] = {
    "gaussian": Entry("baseline", "Gaussian", "baseline", "one Gaussian with a full covariance"),
    "independent": Entry(
        "baseline", "IndependentColumns", "baseline", "columns independent of each other"
    ),
    "kde": Entry("baseline", "KernelDensity", "baseline", "kernel density estimate"),
    "gmm": Entry("gmm", "GaussianMixture", "gmm", "Gaussian mixture, mixed columns and gaps"),
    "flow": Entry(
        "flow", "NormalizingFlow", "flow", "normalizing flow: RealNVP, MAF, neural splines"
    ),
    "autoencoder": Entry(
        "autoencoder",
        "Autoencoder",
        "autoencoder",
        "autoencoder: linear, perceptron, convolutional, denoising",
    ),
    "vae": Entry("vae", "VAE", "vae", "variational autoencoder, of tables and images"),
    "debias": Entry("debias", "DebiasingVAE", "debias", "classifier that draws rare rows often"),
}


def names() -> tuple[str, ...]:
    """The names of all models."""
    return tuple(MODELS)


def expand(name: str) -> tuple[str, ...]:
    """The models a name stands for: itself, or the members of a family such as `baseline`.

    Raises:
        InputError: if there is no such model or family.
    """
    if name in MODELS:
        return (name,)
    members = tuple(model for model, entry in MODELS.items() if entry.family == name)
    if not members:
        known = dict.fromkeys((*MODELS, *(entry.family for entry in MODELS.values())))
        raise InputError(
            f"there is no model {name!r}; there are {', '.join(known)}." + did_you_mean(name, known)
        )
    return members


def get(name: str) -> type[Estimator]:
    """The class of a model.

    Raises:
        InputError: if there is no such model.
    """
    if name not in MODELS:
        raise InputError(
            f"there is no model {name!r}; there are {', '.join(MODELS)}."
            + did_you_mean(name, MODELS)
        )
    entry = MODELS[name]
    module = import_module(f".{entry.module}", __package__)
    found: type[Estimator] = getattr(module, entry.class_name)
    return found


def load(path: str | os.PathLike[str]) -> Estimator:
    """The fitted estimator that `save` wrote.

    Raises:
        InputError: if there is no run at `path`, or it is damaged or foreign.
    """
    from ..saving import load_fit

    run = read_run(path)
    return load_fit(get(str(run.manifest["family"])), run)
