"""The settings of translations between two domains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...data.spectrogram import Phase
from ...settings import Settings, setting
from ..nets.settings import TrainingSettings

Objective = Literal[
    "least_squares", "non_saturating", "minimax", "hinge", "wasserstein", "relativistic"
]


@dataclass(eq=False, repr=False, kw_only=True)
class TranslationSettings(TrainingSettings):
    """What can be set of any translation."""

    size: int | None = setting(
        None,
        "pixels that height and width of both domains are brought to; translated pictures come "
        "back in the size of the domain that they go to. None takes both as they are.",
        least=4,
    )
    rate: int = setting(
        8000,
        "of recordings, samples per second: others are resampled to it. Speech is understood at "
        "8000.",
        least=1,
    )
    bands: int = setting(
        40,
        "of recordings, how many mel bands their pictures have; nets see them as channels.",
        least=1,
    )
    frames: int = setting(
        32,
        "of recordings, to how many frames each is brought, whatever its length: about as many "
        "as a spoken digit has sounds to tell apart.",
        least=4,
    )
    phase: Phase = setting(
        "gain",
        "of recordings, how a translated picture becomes one: 'gain' amplifies the spectrogram of "
        "what is translated, 'input' takes its phases, 'griffin_lim' finds phases.",
    )
    width: int | None = setting(
        None,
        "channels of the generators at full size (of a U-Net after the first halving), doubled at "
        "each further halving; None is 16, of a U-Net and of recordings 32.",
        least=1,
    )
    halvings: int | None = setting(
        None,
        "of the generators; each side of a picture has to be a multiple of 2 ** halvings. None is "
        "2, or 1 for pictures that have no more; of a U-Net as many as leave 4 pixels.",
        least=1,
    )
    objective: Objective = setting(
        "least_squares", "what discriminators and generators play for; see `gan.objectives`."
    )
    r1: float = setting(
        0.0,
        "weight of the R1 penalty on the discriminators, gamma / 2 E |grad D|^2 over real pictures "
        "(on every 8th step, times 8); 0 is none.",
        least=0,
    )


@dataclass(eq=False, repr=False, kw_only=True)
class PairedSettings(TranslationSettings):
    """What can be set of a translation that is learnt from pairs."""

    l1_weight: float = setting(
        100.0, "of the absolute error against the pair, beside 1 for the discriminator.", least=0
    )
    both_ways: bool = setting(
        False,
        "whether a second pair of nets learns the way back, for `translate_back`: twice the time.",
    )
    dropout: float = setting(
        0.0, "share of the units of the inner doublings, in training.", least=0, below=1
    )


@dataclass(eq=False, repr=False, kw_only=True)
class UnpairedSettings(TranslationSettings):
    """What can be set of a translation that is learnt without pairs."""

    blocks: int = setting(4, "residual blocks of a generator, at its smallest size.", least=1)
    cycle_weight: float = setting(
        10.0, "of the absolute error after going there and back.", least=0
    )
    identity_weight: float = setting(
        0.5,
        "of the absolute change of pictures that are of the target domain already, as a share of "
        "`cycle_weight`; it plays no part where the domains differ in channels.",
        least=0,
    )
    pool: int = setting(
        50,
        "earlier translations that discriminators are shown in place of half of the new.",
        least=0,
    )


SETTINGS = {"pix2pix": Settings(PairedSettings), "cyclegan": Settings(UnpairedSettings)}
