"""The settings of adversarial models of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from ...errors import InputError
from ...settings import Settings, columns, flag, setting, sizes
from ..nets.settings import NET, Net, TrainingSettings

Objectives = Literal[
    "relativistic", "non_saturating", "minimax", "wasserstein", "hinge", "least_squares"
]
Penalty = Literal["auto", "r1r2", "gradient", "none"]


@dataclass(eq=False, repr=False)
class GANSettings(TrainingSettings):
    """What can be set of a generator and its discriminator."""

    latent_dim: int | None = setting(
        None, "numbers of noise that a row is made of; None goes by the values of a row.", least=1
    )
    _: KW_ONLY
    objective: Objectives = setting(
        "relativistic",
        "what both players are trained by, as `models/gan/objectives.py` writes it down: the "
        'default compares pairs of rows; "minimax" is that of Goodfellow\'s algorithm 1.',
    )
    discriminator_steps: int | None = setting(
        None,
        "k, steps of the discriminator, each on rows of its own, to one of the generator; None is "
        '5 for "wasserstein" and 1 else.',
        least=1,
    )
    penalty: Penalty = setting(
        "auto",
        "on gradients of the discriminator by its rows: "
        '"r1r2" wants none at real and at generated rows, "gradient" the norm 1 between them; '
        '"auto" takes the second for "wasserstein", the first else.',
    )
    penalty_weight: float | None = setting(
        None,
        'gamma of "r1r2" or lambda of "gradient"; None goes by the values of a row, for images in '
        "proportion to the pixels.",
        above=0,
    )
    penalty_every: int | None = setting(
        None,
        "steps from one penalty to the next, which then counts so many times; None is 1 for "
        "vectors, 8 for images.",
        least=1,
    )
    net: Net = setting("auto", NET)
    hidden: Sequence[int] | None = setting(
        None,
        "of the hidden layers of both; of convolutions the one that the discriminator ends with.",
        sizes("(128, 128)"),
    )
    channels: Sequence[int] | None = setting(
        None, "of an image each time that it is halved.", sizes("(32, 64)")
    )
    pack: int = setting(
        1,
        "rows that the discriminator judges together: from 2 on it sees that rows are too alike.",
        least=1,
    )
    ema: float = setting(
        0.999,
        "decay of the averaged weights, which the fit keeps, in a step; smaller at first.",
        least=0,
        below=1,
    )
    augment_below: int = setting(
        10_000,
        "images below which real and generated ones are shifted, cut out and, in colour, lightened "
        "and darkened alike before they are judged, so that few are not learnt by heart; 0 never.",
        least=0,
    )
    margins: Literal["ranks", "none"] = setting(
        "ranks",
        'how the nets see the numbers of a table: "ranks" is by normal scores of their ranks, and '
        "as levels where they have few distinct values, so that samples have the margins of the "
        'rows fitted and stay between their least and greatest value; "none" standardises only.',
    )
    condition_on: Sequence[Any] | None = setting(
        None,
        "columns of a table that the generator is told and does not make, such as "
        '("species",): `sample(given=...)` holds some of them, and the others are those of rows '
        "fitted. What is rare among them is drawn more often in training.",
        columns,
    )
    conditional: bool = setting(False, "whether `fit(X, y)` models p(x | y); else y is ignored.")


def check(given: Any) -> None:
    """Raise InputError if settings do not go together."""
    if given.penalty == "none" and (given.penalty_weight or given.penalty_every):
        raise InputError(
            'penalty is "none", and penalty_weight or penalty_every is given. Leave them out, or '
            'take penalty="r1r2".'
        )


def check_rows(given: Any, net: str, shape: tuple[int, ...]) -> None:
    """Raise InputError if settings do not suit the rows.

    Args:
        given: the settings.
        net: which one was chosen.
        shape: of images or sequences, else ().
    """
    if given.net == "conv" and not shape:
        raise InputError(
            'net="conv" is for images and sequences; a table was given. Take net="mlp".'
        )
    if given.channels is not None and net != "conv":
        raise InputError(
            f"channels are those of convolutions, and the net is {net!r}. Leave channels out, or "
            'take net="conv" for images.'
        )
    if net == "conv" and given.hidden is not None and len(given.hidden) != 1:
        raise InputError(
            f"hidden is {given.hidden!r}; a convolutional discriminator ends with one layer, such "
            "as (256,)."
        )


@dataclass(eq=False, repr=False)
class ProgressiveSettings(GANSettings):
    """What can be set of a generator and a discriminator that grow."""

    _: KW_ONLY
    start: int | None = setting(
        None,
        "pixels on the shorter side of images that training starts from, which halving leads to; "
        "None is the fewest, but at least 8.",
        least=4,
    )
    growing: float = setting(
        0.25,
        "share of the schedule after which all is trained at full size. Before, each stage has an "
        "equal part, in whose second half the next one fades in.",
        above=0,
        most=1,
    )


def check_growing(given: ProgressiveSettings) -> None:
    """Raise InputError if settings of nets that grow do not go together."""
    check(given)
    if given.net == "mlp":
        raise InputError(
            'net is "mlp"; what grows are layers of convolutions. Leave net out, or take ppgen.GAN.'
        )


@dataclass(eq=False, repr=False, kw_only=True)
class Refining:
    """What can be asked of samples."""

    refine: bool = setting(
        False, "whether rows are refined by the discriminator (see `models/gan/refine.py`).", flag
    )
    refine_steps: int = setting(
        80, "rows that are generated for each one that is given, where they are refined.", least=1
    )

    def check(self, given: Mapping[str, Any]) -> None:
        """Raise InputError where what was given plays no part."""
        if "refine_steps" in given and not self.refine:
            raise InputError(
                "refine_steps was given, and rows are not refined; give refine=True, or leave it "
                "out."
            )


SAMPLING = Settings(Refining)


SETTINGS = {
    "gan": Settings(GANSettings, together=check, options={"sample": SAMPLING}),
    "progressive-gan": Settings(
        ProgressiveSettings, together=check_growing, options={"sample": SAMPLING}
    ),
}
