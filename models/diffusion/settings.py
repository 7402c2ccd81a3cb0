"""The settings of diffusion models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from ...errors import InputError
from ...settings import Kind, Settings, columns, flag, matching, setting, sizes
from ..nets.settings import TrainingSettings

ProcessName = Literal["linear", "cosine", "vp", "edm"]
TargetName = Literal["edm", "flow", "velocity", "noise", "data"]
DiffusionNet = Literal["auto", "mlp", "unet"]


@dataclass(eq=False, repr=False)
class DiffusionSettings(TrainingSettings):
    """What can be set of a diffusion model."""

    _: KW_ONLY
    process: ProcessName = setting(
        "linear",
        "how rows become noise, x_t = alpha_t x + sigma_t eps, as "
        '`inference/diffusion/process.py` writes it down; "linear" is the path of flow matching.',
    )
    target: TargetName = setting(
        "edm",
        'what the net is trained to give of x_t: eps, x, a velocity or, "flow", dx_t/dt; the '
        "default is of unit variance at every level of noise.",
    )
    coupling: Literal["independent", "optimal"] = setting(
        "independent",
        'which noise goes with which row of a batch: "optimal" pairs them so that paths are short '
        "(minibatch optimal transport), among rows of the same y. The flow stays right; the score, "
        'and with it method="ancestral", does not.',
    )
    net: DiffusionNet = setting(
        "auto", '"unet" is for images, and what "auto" takes for those of 12 pixels or more.'
    )
    width: int | None = setting(
        None, "of the hidden layers of a perceptron; None goes by the rows.", least=1
    )
    depth: int | None = setting(
        None, "residual blocks of a perceptron; None goes by the rows.", least=1
    )
    frequencies: int | None = setting(
        None,
        "waves that a perceptron sees of each number, each of twice the frequency of the one "
        "before: they draw edges sharp. None is 4 for up to four numbers, 5 for many rows of them, "
        "else 0.",
        least=0,
    )
    channels: Sequence[int] | None = setting(
        None, "of a U-Net at each resolution, the finest first.", sizes("(32, 64)")
    )
    dropout: float | None = setting(
        None,
        "share of a U-Net's maps dropped in training; None is 0.1 below 5,000 images, else 0.",
        least=0,
        below=1,
    )
    noise_mean: float | None = setting(
        None,
        "mean of log(sigma_t / alpha_t) of the times trained at, in units of the rows' own scale; "
        "None goes by what rows are.",
    )
    noise_spread: float | None = setting(
        None, "standard deviation of the same: times are logit-normal.", above=0
    )
    ema: float = setting(
        0.999,
        "decay of the averaged weights, which the fit keeps, in a step; smaller at first.",
        least=0,
        below=1,
    )
    drop_context: float = setting(
        0.1,
        "share of rows of a conditional fit that are trained on without what they are conditioned "
        "on, so that `sample(guidance=...)` can tell what it adds.",
        least=0,
        below=1,
    )
    margins: Literal["auto", "ranks", "none"] = setting(
        "auto",
        'how the net sees the numbers of a table: "ranks" is by normal scores of a distribution '
        "with the values of the rows fitted, and as levels where these are few, so that samples "
        'have the margins of the rows; "none" standardises only; "auto" takes ranks where there '
        "are levels. Either has a density.",
    )
    condition_on: Sequence[Any] | None = setting(
        None,
        "columns of a table that the model is told and does not make, such as "
        '("species",): `sample(given=...)` holds some of them, and the others are those of rows '
        "fitted.",
        columns,
    )
    hold_out: bool = setting(
        True,
        "whether some rows are held out, whose loss chooses the weights that are kept. Without, "
        "all are trained on to the end: samples of small tables are then nearer to their rows, "
        "densities of other rows are lower, and a long training learns rows by heart.",
    )
    conditional: bool = setting(False, "whether `fit(X, y)` models p(x | y); else y is ignored.")
    prompts: bool = setting(
        False,
        'whether y is prompts, a text a row such as "a thin seven", that p(x | y) is modelled by '
        "their words and not as labels; `sample(y=...)` takes new ones of words that were fitted.",
        flag,
    )
    text_encoder: str | None = setting(
        None,
        "folder of a pre-trained encoder of prompts that lies on this machine, as transformers "
        "writes it; None trains a small one with the model.",
        matching(".+", "the path of a folder"),
    )


def _is_interval(value: Any) -> bool:
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return False
    return len(value) == 2 and all(isinstance(end, int | float) and end >= 0 for end in value)


@dataclass(frozen=True)
class Sampling:
    """Options of `sample`."""

    steps: int | None = setting(
        None, "from noise to rows; None is as many as the sampler is known to need.", least=1
    )
    method: Literal["auto", "ancestral", "ddim", "heun", "dpm2m", "euler"] = setting(
        "auto",
        "the sampler, as `inference/diffusion/samplers.py` writes it down; the default is "
        '"dpm2m", DPM-Solver++(2M).',
    )
    guidance: float = setting(
        1.0,
        "times that y counts: above 1 samples are more typical of it and less varied, and have no "
        "density.",
        least=0,
    )
    guidance_interval: Sequence[float] | None = setting(
        None,
        "least and greatest sigma_t / alpha_t at which rows are guided; None is at all. (0.3, 5) "
        "leaves variety.",
        Kind("two levels of noise, such as (0.3, 5)", _is_interval),
    )


SAMPLING = Settings(Sampling)

EXACT = 16  # features up to which traces are exact
PROBES = 8  # of traces of more


@dataclass(kw_only=True)
class _Scoring:
    """What `Diffusion.log_density` may be told."""

    method: Literal["auto", "ode", "bound"] = setting(
        "auto",
        '"ode": the density of the probability flow, an estimate; its errors are the standard '
        "error of probes and, in the diagnostics, of steps (ode_error) and of the noise of a "
        'thousandth at which the flow ends (smoothing). "bound": the variational bound, a few '
        'times cheaper and lower. "auto" takes the bound for rows with levels, which have no flow, '
        "and the flow elsewhere.",
    )
    probes: int | Literal["exact"] | None = setting(
        None,
        'of "ode": random directions by which divergences are estimated; "exact" takes as many '
        f"passes as there are numbers, and None does so up to {EXACT} and else takes {PROBES} "
        "probes.",
        least=2,
    )
    steps: int | None = setting(
        None,
        'of "ode": steps of one size, an even number, checked against half as many; None chooses '
        "them for each row by their errors.",
        least=1,
    )
    solver: Literal["rk4", "heun", "euler"] = setting("rk4", "of steps of one size.")
    draws: int = setting(64, 'a row, of "bound".', least=8)
    guidance: float = setting(
        1.0, "1 alone: guided samples have no density, as no rows have their denoiser.", least=0
    )
    progress: bool = setting(False, "whether to show a bar on a terminal.")


def check_scoring(given: Any) -> None:
    """Raise InputError if options do not go together."""
    if given.guidance != 1:
        raise InputError(
            f"guidance is {given.guidance:g}: guided samples have no density, since what guides "
            "them is the denoiser of no distribution. Leave guidance out: log_density is that of "
            "the model, given y where the fit is conditional."
        )
    if given.method == "bound" and (given.steps or given.probes):
        raise InputError(
            'method is "bound", which takes no steps and no probes. Leave them out, give draws, or '
            'take method="ode".'
        )
    if given.solver != "rk4" and not given.steps:
        raise InputError(
            f'solver is "{given.solver}", which is of steps of one size, and none are given: steps '
            "would be chosen by errors and solver play no part. Give steps=64 or the like, or "
            "leave solver out."
        )


SCORING = Settings(_Scoring, together=check_scoring)


@dataclass(frozen=True)
class Imputing:
    """Options of `impute`."""

    method: Literal["smc", "mmps", "repaint"] = setting(
        "smc",
        "how rows are drawn given a part of them, as `inference/diffusion/` writes it down: "
        '"smc", twisted particles, is exact as their number and that of the steps grow; "mmps", '
        'moment matching, and "repaint" are faster and not calibrated.',
    )
    particles: int | None = setting(
        None,
        "of each row, or draws of which the mean is taken; None is 256. Of numbers seen by ranks "
        '(margins) it is the mean of their normal scores: without draw, "impute" then fills gaps '
        "with values near the median rather than the mean.",
        least=2,
    )
    steps: int | None = setting(None, "from noise to rows; None is 50.", least=2)
    progress: bool = setting(False, "whether to show a bar on a terminal.")


IMPUTING = Settings(Imputing)


def check(given: Any) -> None:
    """Raise InputError if settings do not go together."""
    if given.text_encoder is not None and not given.prompts:
        raise InputError(
            "text_encoder reads prompts, and prompts is False. Give prompts=True, or leave "
            "text_encoder out."
        )
    if given.net == "unet" and (given.width or given.depth or given.frequencies):
        raise InputError(
            'net is "unet", and width, depth or frequencies is given, which a perceptron has. '
            "Leave them out, or give channels."
        )
    if given.net == "mlp" and given.channels is not None:
        raise InputError(
            'net is "mlp", and channels is given, which a U-Net has. Leave it out, or give width '
            "and depth."
        )
    told = given.conditional or given.prompts or given.condition_on is not None
    if given.drop_context != DiffusionSettings.drop_context and not told:
        raise InputError(
            f"drop_context is {given.drop_context:g}, and the fit is conditional on nothing that "
            "could be dropped. Leave it out, or give conditional=True, prompts=True or "
            "condition_on."
        )


def check_rows(given: Any, net: str, shape: tuple[int, ...]) -> None:
    """Raise InputError if settings do not suit the rows.

    Args:
        given: the settings.
        net: which one was chosen.
        shape: of images or sequences, else ().
    """
    if net == "unet" and len(shape) != 3:
        raise InputError('net="unet" is for images, and others were given. Take net="mlp".')
    if net == "mlp" and given.channels is not None:
        raise InputError(
            "channels are those of a U-Net, and the net is a perceptron. Leave channels out."
        )
    if net == "mlp" and given.dropout is not None:
        raise InputError(
            f"dropout is {given.dropout:g}, and the net is a perceptron, which has none. Leave "
            "dropout out; a smaller width learns less by heart."
        )


SETTINGS = {
    "diffusion": Settings(
        DiffusionSettings,
        together=check,
        options={"log_density": SCORING, "impute": IMPUTING, "sample": SAMPLING},
    )
}
