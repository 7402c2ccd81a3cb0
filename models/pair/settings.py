"""The settings of each engine of a pair: a dataclass of its own, in the order of `engines`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...settings import setting
from ..engine_settings import ChainSettings, NUTSSettings


@dataclass(kw_only=True)
class Longer(ChainSettings):
    """Chains of a user's own pair, whose posterior is not known to be an easy one."""

    num_warmup: int = setting(1000, "draws a chain to adapt with.", least=1)
    num_samples: int = setting(1000, "draws a chain to keep.", least=1)


@dataclass(kw_only=True)
class NUTS(Longer, NUTSSettings):
    """What can be set of NUTS."""


@dataclass(kw_only=True)
class HMC(Longer):
    """What can be set of HMC."""

    path_length: float = setting(
        1.5, "time of a path; pi / 2 is a quarter turn of a standard normal.", above=0
    )
    adaptation: Literal["diag", "dense"] = setting("diag", "metric, as of NUTS.")


@dataclass(kw_only=True)
class ChEES:
    """What can be set of ChEES-HMC."""

    num_warmup: int = setting(500, "transitions to adapt with, of all chains at once.", least=20)
    num_samples: int = setting(250, "draws a chain to keep.", least=1)
    num_chains: int = setting(32, "chains, which the path length is adapted by.", least=4)
    target_accept: float = setting(0.65, "share of proposals to accept.", above=0, below=1)
    max_steps: int = setting(1000, "leapfrog steps of a path at most.", least=1)


@dataclass(kw_only=True)
class Laplace:
    """What can be set of Laplace's approximation."""

    num_starts: int = setting(8, "searches for a mode, from different places.", least=1)
    num_draws: int = setting(2000, "draws from the Gaussian at the mode.", least=100)


@dataclass(kw_only=True)
class Pathfinder:
    """What can be set of multi-path Pathfinder."""

    num_paths: int = setting(8, "paths, from different places.", least=1)
    num_draws: int = setting(1000, "draws.", least=1)
    num_proposals: int = setting(8000, "draws of all Gaussians, weighed for these.", least=25)
    max_steps: int = setting(200, "steps of a path at most.", least=1)
    history: int = setting(50, "steps that the curvature is estimated from at most.", least=1)
    elbo_draws: int = setting(25, "draws that tell the ELBO of each Gaussian.", least=2)


@dataclass(kw_only=True)
class SMC:
    """What can be set of tempered sequential Monte Carlo."""

    num_particles: int = setting(256, "particles of a run.", least=25)
    num_runs: int = setting(8, "independent runs, by which the standard error is told.", least=2)
    num_moves: int = setting(10, "Hamiltonian moves of each particle at a temperature.", least=1)
    target_ess: float = setting(
        0.5, "share of particles that are to stay effective from one temperature to the next.",
        above=0, below=1,
    )  # fmt: skip
    target_accept: float = setting(0.8, "share of moves to accept.", above=0, below=1)
    start: Literal["prior", "laplace"] | None = setting(
        None, "where paths start; the prior if it is proper, else a Gaussian at the mode."
    )


@dataclass(kw_only=True)
class Importance:
    """What can be set of importance sampling."""

    proposal: Literal["prior", "laplace", "guide"] | None = setting(
        None, "what draws come from; the pair's guide if it has one, else a t at the mode."
    )
    num_proposals: int = setting(10000, "draws that are weighed.", least=25)
    num_draws: int = setting(1000, "of these, drawn anew by their weights.", least=1)
    df: float = setting(5.0, "degrees of freedom of the t at the mode.", above=2)


@dataclass(kw_only=True)
class SVI:
    """What can be set of stochastic variational inference."""

    num_steps: int = setting(10_000, "steps at most.", least=1)
    learning_rate: float | None = setting(
        None, "the highest, of Adam; None is 0.02, and 0.005 where a guide may have nets.", above=0
    )
    batch_size: int | None = setting(None, "rows a step; None is all rows.", least=1)
    objective: Literal["elbo", "mean_field", "renyi", "iwae", "dreg"] = setting(
        "elbo",
        "what is raised; discrete sites are summed out, and iwae and dreg are for latents local to "
        "rows.",
    )
    num_particles: int | None = setting(
        None, "draws of the guide a step; None is 1, and 10 of renyi, iwae and dreg.", least=1
    )
    alpha: float = setting(0.5, "order of the Renyi divergence, below 1.", least=0, below=1)
    early_stopping: bool = setting(
        True, "end soon after the losses have reached a plateau: twice as many steps on."
    )
    ema: float = setting(0.99, "decay of the averaged weights in a step.", least=0, below=1)
    b2: float = setting(0.99, "decay of Adam's squared gradients in a step.", above=0, below=1)
    clip: float = setting(5.0, "largest norm of the gradient of the loss a row.", above=0)
    num_draws: int = setting(1000, "draws from the guide that was fitted.", least=1)


@dataclass(kw_only=True)
class Nested:
    """What can be set of nested sampling."""

    num_live: int = setting(500, "live points.", least=25)
    num_draws: int = setting(1000, "draws from all points by their weights.", least=1)
    moves: float = setting(
        3.0, "slice moves of each new point, in units of the number of dimensions.", above=0
    )
    replaced: float = setting(0.1, "share of the points replaced at once.", above=0, most=0.5)
    remaining: float = setting(
        0.01, "share of the evidence in the live points below which it ends.", above=0, below=1
    )


@dataclass(kw_only=True)
class AIS:
    """What can be set of annealed importance sampling."""

    num_temperatures: int = setting(500, "temperatures between start and posterior.", least=1)
    num_chains: int = setting(128, "chains.", least=25)
    num_leapfrog: int = setting(5, "leapfrog steps of a transition.", least=1)
    num_draws: int = setting(1000, "draws of all chains, at the least.", least=1)
    num_simulated: int = setting(
        3, "simulated data sets on which the evidence is bounded from both sides.", least=0
    )
    start: Literal["prior", "laplace"] | None = setting(
        None, "where paths start; the prior if it is proper, else a Gaussian at the mode (NumPyro)."
    )


@dataclass(kw_only=True)
class DADVI:
    """What can be set of deterministic ADVI."""

    num_fixed: int = setting(60, "draws that are fixed, in pairs.", least=4)
    max_steps: int = setting(500, "steps of the optimiser at most, of each kind.", least=1)
    num_draws: int = setting(2000, "draws from the Gaussian of linear response.", least=25)
