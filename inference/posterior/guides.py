"""Guides by name, and the choice of one where none is given.

With z in R^p the latents on the unconstrained scale and u ~ Normal(0, I),

| guide | z = |
|---|---|
| normal | m + s * u (mean-field) |
| multivariate_normal | m + L u, L lower triangular; Laplace's approximation at the start |
| low_rank | m + s * u + W v, v ~ Normal(0, I) in R^sqrt(p) |
| laplace | the mode, and the curvature there |
| delta | m: a point, the mode |
| flow | m + s * f(u), f a masked autoregressive flow of rational-quadratic splines |
| iaf | an inverse autoregressive flow of u, affine |
| bnaf | a block neural autoregressive flow of u |
| dais | differentiable annealed importance sampling from a Gaussian (NumPyro) |
| structured | as multivariate_normal within a site, linear in the sites that it depends on (Pyro) |

Left out, a guide is multivariate_normal for p up to 200 (a dense L has p^2 / 2 numbers, and a
correlated posterior is the rule), low_rank up to 2,000, normal above; and normal where a plate of
latents is subsampled, which the others cannot be. With objective "mean_field" it is normal.

References: Kucukelbir, Tran, Ranganath, Gelman and Blei, "Automatic differentiation variational
inference", 2017, https://arxiv.org/abs/1603.00788; Ong, Nott and Smith, "Gaussian variational
approximation with a factor covariance structure", 2018, https://arxiv.org/abs/1701.03208; Durkan,
Bekasov, Murray and Papamakarios, "Neural spline flows", 2019, https://arxiv.org/abs/1906.04032;
De Cao, Titov and Aziz, "Block neural autoregressive flow", 2019, https://arxiv.org/abs/1904.04676;
Geffner and Domke, "MCMC variational inference via uncorrected Hamiltonian annealing", 2021,
https://arxiv.org/abs/2107.04150.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from ...errors import InputError, did_you_mean, unknown
from .distributions import Drawn
from .modes import Mode
from .target import Target

DENSE, LOW_RANK = 200, 2000  # the largest p of each
POINTS = ("delta",)  # guides without a density
_OF_NUMBERS = ("normal", "multivariate_normal", "low_rank", "laplace", "delta", "structured")
_BOTH = ("normal", "multivariate_normal", "low_rank", "laplace", "delta", "flow", "iaf", "bnaf")
NAMES = {"numpyro": (*_BOTH, "dais"), "pyro": (*_BOTH, "structured")}
Guide = Callable[..., Any]
NO_MAXIMUM = (
    "the curvature of the log joint at the mode is not positive definite, so there is no Laplace "
    'approximation; take guide="multivariate_normal".'
)


def chosen(target: Target, objective: str) -> tuple[str, str]:
    """The guide of a model for which none is given, and why."""
    p = target.size
    if any(
        plate.subsample < plate.size for s in target.sites.latents.values() for plate in s.plates
    ):
        return "normal", "latents stand in a plate that is subsampled"
    if objective in ("mean_field", "iwae", "dreg"):
        return "normal", f'objective "{objective}" needs the sites apart'
    if p <= DENSE:
        return "multivariate_normal", f"there are {p} unconstrained numbers, up to {DENSE}"
    if p <= LOW_RANK:
        return "low_rank", f"there are {p} unconstrained numbers, up to {LOW_RANK}"
    return "normal", f"there are {p} unconstrained numbers, above {LOW_RANK}"


def check_name(name: str, target: Target, objective: str) -> None:
    """Raise InputError if there is no such guide for a model.

    Args:
        objective: of SVI.
    """
    names, p = NAMES[target.backend], target.size
    if name not in names:
        other = next((b for b, those in NAMES.items() if name in those), None)
        if other is not None:
            raise InputError(
                f"guide {name!r} is {other}'s; a {target.backend} pair has {', '.join(names)}."
            )
        raise unknown("guide", name, names)
    if name in ("flow", "iaf", "bnaf") and p < 2:
        raise InputError(
            f"guide {name!r} needs two or more latent numbers, and the model has {p}. Take "
            '"normal".'
        )
    if objective in ("mean_field", "iwae", "dreg") and name != "normal":
        raise InputError(
            f'objective "{objective}" compares guide and model site by site, and guide {name!r} '
            'draws all sites at once. Take guide="normal", a guide of your own, or '
            'objective="elbo".'
        )
    if name in POINTS and objective == "renyi":
        raise InputError(
            f'guide {name!r} is a point and has no Renyi divergence; take objective="elbo".'
        )


def learning_rate(guide: Any) -> float:
    """The highest rate where none is given: 0.02 for guides whose parameters are places and scales,
    0.005 where there are nets, or may be in a guide of the user's."""
    return 0.02 if guide in _OF_NUMBERS else 0.005


def build(name: str, target: Target, seed: int, modes: Sequence[Mode]) -> Guide:
    """The guide of that name, which starts where the log joint of the model is finite.

    Args:
        modes: of the posterior, as far as they were looked for.
    """
    made: Guide = import_module(f".guides_{target.backend}", __package__).build(
        name, target, seed, modes
    )
    return made


def check_guide(target: Target, drawn: Mapping[str, Drawn], guide: str) -> None:
    """Raise InputError unless a guide draws the model's latents, in their shapes and supports.

    Args:
        drawn: the sites of the guide, without those that are auxiliary.
    """
    latents = {*target.sites.latents}
    for name in sorted(latents - drawn.keys()):
        raise InputError(
            f"{target.sites[name].words} is a latent of the model, and {guide} does not draw it; "
            f"it draws {', '.join(sorted(drawn)) or 'nothing'}. Draw {name!r} in the guide, or "
            "leave the guide out." + did_you_mean(name, drawn)
        )
    for name in sorted(drawn.keys() - latents - {*target.sites.discrete}):
        raise InputError(
            f"{guide} draws {name!r}, which is no latent of the model; its latents are "
            f"{', '.join(sorted(latents))}. Give it infer={{'is_auxiliary': True}} if it is meant "
            "to be an auxiliary variable of the guide." + did_you_mean(name, latents)
        )
    for name in sorted(latents):
        site, got = target.sites[name], drawn[name]
        if got.shape != site.shape and not site.plates:  # a batch has a part of a plate
            raise InputError(
                f"{site.words} is drawn by {guide} in shape {got.shape}. Give its parameters the "
                "shape that the site has in the model."
            )
        if got.support == "real" != site.support and site.support and got.distribution != "Delta":
            raise InputError(
                f"{site.words} is drawn by {guide} from {got.distribution} on all of the reals. "
                "Take a distribution on the support, such as LogNormal for what is positive."
            )
