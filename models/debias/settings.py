"""The settings of a debiasing classifier."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from ...settings import Settings, anything, setting
from ..nets.settings import NET, Activation, Net, NetSettings, check_latent, check_nets


@dataclass(eq=False, repr=False)
class DebiasingSettings(NetSettings):
    """What can be set of a debiasing classifier."""

    latent_dim: int | None = setting(None, "numbers of a code.", least=1)
    _: KW_ONLY
    net: Net = setting("auto", NET)
    activation: Activation = setting("silu", "of the hidden layers.")
    dropout: float = setting(0.0, "share of the encoder's units.", least=0, below=1)
    alpha: float = setting(
        0.1,
        "a latent makes a row at most (1 + alpha) / alpha times as likely as another: a small one "
        "draws rare rows often, a large one draws all alike, as does resample=False.",
        above=0,
    )
    combine: Literal["product", "max"] = setting(
        "product", 'how latents are combined: "product", as in the paper, or "max".'
    )
    bins: int = setting(50, "of each latent's histogram.", least=2)
    smoothing: float = setting(1.0, "of the histograms, in bins.", least=0)
    modelled: Any = setting(
        None,
        "the label whose rows are reconstructed and resampled, the others drawn as they are; None "
        "is all classes, each by its own histograms.",
        anything,
    )
    class_shares: Literal["data", "equal"] = setting(
        "data", 'of the draws: "data" as in the rows, or "equal".'
    )
    resample: bool = setting(
        True, "False draws each row once an epoch: plain training of the same nets."
    )
    reconstruction_weight: float = setting(
        1.0,
        "of the reconstruction's error, as a share of the error of the best constant row; that of "
        "the classification is 1, a nat. At 1 the two begin about alike.",
        least=0,
    )
    kl_weight: float | None = setting(
        None,
        "of a nat of the divergence from the prior; with a smaller one the latents say more of "
        "each row. None is `reconstruction_weight` / D for D values: the bound on log p(x) with "
        "Gaussian noise of half the variance of the data.",
        least=0,
    )
    weight_decay: float = setting(0.0, "of AdamW.", least=0)


def check_rows(given: Any, net: str, shape: tuple[int, ...], values: int) -> None:
    """Raise InputError if settings do not suit rows of so many values; see `check_nets`."""
    check_nets(given, f'net="{given.net}"', net, shape)
    if given.latent_dim is not None:
        check_latent(given.latent_dim, values)


SETTINGS = {"debias": Settings(DebiasingSettings)}
