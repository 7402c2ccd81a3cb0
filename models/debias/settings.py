"""The settings of a debiasing classifier."""

from __future__ import annotations

from typing import Any

from ...settings import Setting, Settings, anything, choice, flag, integer, number
from ..nets import settings as nets
from ..nets.settings import check_latent, check_nets


def check_rows(given: Any, net: str, shape: tuple[int, ...], values: int) -> None:
    """Raise InputError if settings do not suit rows of so many values, for which `net` was chosen.

    Args:
        shape: (C, H, W) of images, else ().
    """
    check_nets(given, f'net="{given.net}"', net, shape)
    if given.latent_dim is not None:
        check_latent(given.latent_dim, values)


SETTINGS = {
    "debias": Settings(
        Setting("latent_dim", integer(1), None, "numbers of a code."),
        nets.NET,
        nets.HIDDEN,
        nets.CHANNELS,
        nets.ACTIVATION,
        Setting("dropout", number(least=0, below=1), 0.0, "share of the encoder's units."),
        Setting(
            "alpha",
            number(above=0),
            0.1,
            "a latent makes a row at most (1 + alpha) / alpha times as likely as another: a small "
            "one draws rare rows often, a large one draws all alike, as does resample=False.",
        ),
        Setting(
            "combine",
            choice("product", "max"),
            "product",
            'how latents are combined: "product", as in the paper, or "max".',
        ),
        Setting("bins", integer(2), 50, "of each latent's histogram."),
        Setting("smoothing", number(least=0), 1.0, "of the histograms, in bins."),
        Setting(
            "modelled",
            anything,
            None,
            "the label whose rows are reconstructed and resampled, the others drawn as they are; "
            "None is all classes, each by its own histograms.",
        ),
        Setting(
            "class_shares",
            choice("data", "equal"),
            "data",
            'of the draws: "data" as in the rows, or "equal".',
        ),
        Setting(
            "resample",
            flag,
            True,
            "False draws each row once an epoch: plain training of the same nets.",
        ),
        Setting(
            "reconstruction_weight",
            number(least=0),
            1.0,
            "of the reconstruction's error, as a share of the error of the best constant row; that "
            "of the classification is 1, a nat. At 1 the two begin about alike.",
        ),
        Setting(
            "kl_weight",
            number(least=0),
            None,
            "of a nat of the divergence from the prior; with a smaller one the latents say more of "
            "each row. None is `reconstruction_weight` / D for D values: the bound on log p(x) "
            "with Gaussian noise of half the variance of the data.",
        ),
        nets.WEIGHT_DECAY,
        nets.AUGMENT,
        nets.BATCH_SIZE,
        nets.LEARNING_RATE,
        nets.MAX_EPOCHS,
        nets.DEVICE,
        nets.RANDOM_STATE,
    )
}
