"""The one closed table of models. A saved run names a row of it, never code."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import InputError, unknown

if TYPE_CHECKING:
    from ..estimator import Estimator
    from ..settings import Settings


class Entry(NamedTuple):
    """A model: its family, which is the folder below `ppgen.models` that it stands in, its class,
    what it is, and what it is written as."""

    family: str
    class_name: str
    summary: str
    written_as: str = ""


MODELS: dict[str, Entry] = {
    "gaussian": Entry("baseline", "Gaussian", "one Gaussian", "closed form, EM"),
    "independent": Entry(
        "baseline", "IndependentColumns", "columns independent of each other", "SciPy"
    ),
    "kde": Entry("baseline", "KernelDensity", "kernels with a leave-one-out bandwidth", "SciPy"),
    "gmm": Entry(
        "gmm",
        "GaussianMixture",
        "Gaussian mixture over mixed columns; BIC or ICL choose its size; fills gaps, conditions",
        "EM in JAX; Pyro and NumPyro pair with SVI, NUTS",
    ),
    "bayesnet": Entry(
        "bayesnet",
        "BayesianNetwork",
        "tables and conditional linear Gaussians over a graph, given or learnt; exact answers, "
        "fills gaps, conditions",
        "closed form, EM; Pyro and NumPyro pair with SVI, NUTS",
    ),
    "factor": Entry(
        "factor",
        "FactorAnalysis",
        "factor analysis, probabilistic PCA; BIC chooses the number of factors; fills gaps, "
        "conditions",
        "closed form, EM; Pyro and NumPyro pair with SVI, NUTS",
    ),
    "flow": Entry(
        "flow",
        "NormalizingFlow",
        "RealNVP, MAF, neural splines (coupling, autoregressive); conditional on y",
        "Pyro pair over zuko, NumPyro pair over FlowJAX",
    ),
    "gan": Entry(
        "gan",
        "GAN",
        "generator against discriminator: relativistic with R1 and R2, minimax, Wasserstein, "
        "hinge; vectors, tables, images, sequences; conditional on y",
        "torch",
    ),
    "progressive-gan": Entry(
        "gan",
        "ProgressiveGAN",
        "a GAN of images that are learnt from coarse to fine, by layers that fade in",
        "torch",
    ),
    "diffusion": Entry(
        "diffusion",
        "Diffusion",
        "a net that reverses noise: variance-preserving, EDM, flow matching with optimal "
        "transport; vectors, tables, images; conditional on y",
        "torch",
    ),
    "autoencoder": Entry(
        "autoencoder",
        "Autoencoder",
        "MLP, linear (solved: PCA), convolutional, denoising; reconstruction errors score outliers",
        "torch",
    ),
    "vae": Entry(
        "vae",
        "VAE",
        "MLP or residual convolutional; beta, IWAE, DReG; bounds by ELBO, IWAE, AIS; flow, mixture "
        "and VampPrior; two layers; conditional on y",
        "Pyro pair, NumPyro pair (tables)",
    ),
    "debias": Entry(
        "debias",
        "DebiasingVAE",
        "a classifier whose latents find rare rows and draw them more often",
        "torch",
    ),
    "pix2pix": Entry(
        "translation",
        "PairedTranslation",
        "pictures of one kind to pictures of another, learnt from pairs: U-Net, patch "
        "discriminator, absolute error",
        "torch",
    ),
    "cyclegan": Entry(
        "translation",
        "CycleGAN",
        "pictures of one kind to pictures of another and back, learnt without pairs: cycle and "
        "identity losses, image pool",
        "torch",
    ),
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
        raise unknown("model", name, known)
    return members


def get(name: str) -> type[Estimator]:
    """The class of a model.

    Raises:
        InputError: if there is no such model.
    """
    entry = _entry(name)
    module = import_module(f".{entry.family}", __package__)
    model: type[Estimator] = getattr(module, entry.class_name)
    return model


def settings(name: str) -> Settings:
    """What can be set of a model, known without importing it.

    Raises:
        InputError: if there is no such model.
    """
    module = import_module(f".{_entry(name).family}.settings", __package__)
    declared: Settings = module.SETTINGS[name]
    return declared


def _entry(name: str) -> Entry:
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    return MODELS[name]


def load(path: str | os.PathLike[str]) -> Estimator:
    """The fitted estimator that `save` wrote.

    Raises:
        InputError: if there is no run at `path`, or it is damaged or foreign.
    """
    from ..artifact import read_run

    run = read_run(path)
    if run.manifest["family"] == "pair":
        raise InputError(
            f"{path} holds a fitted pair, and no model's code; give it again: "
            "ppgen.Pair.load(path, model)."
        )
    return get(str(run.manifest["family"]))._of_run(run)


def described() -> list[dict[str, str]]:
    """What each model is and can do, as `ppgen models` lists it and the README's table shows."""
    rows = []
    for name, entry in MODELS.items():
        can = get(name).capabilities
        row: dict[str, Any] = {
            "model": name,
            "family": entry.family,
            "class": entry.class_name,
            "density": can.density or "none",
            "discrete": can.discrete,
            "missing": can.missing,
            "weights": can.weights,
            "given y": can.conditional,
            "given columns": "named" if can.told and not can.holds else can.conditions or can.holds,
            "fills gaps": can.fills_gaps,
            "images": can.images,
            "latents": can.latents,
            "samples": can.samples,
            "engines": " ".join(can.engines),
            "backends": " ".join(can.backends),
            "written as": entry.written_as,
            "what": entry.summary,
        }
        yes = {what: "yes" if v else "no" for what, v in row.items() if isinstance(v, bool)}
        rows.append({**row, **yes})
    return rows
