"""The settings of an autoencoder."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from ...errors import InputError
from ...settings import Settings, setting
from ..nets.settings import Activation, NetSettings, check_latent, check_nets


@dataclass(eq=False, repr=False)
class AutoencoderSettings(NetSettings):
    """What can be set of an autoencoder."""

    latent_dim: int | None = setting(
        None,
        "numbers of a code; at most as many as a row has, unless there is `noise`.",
        least=1,
    )
    _: KW_ONLY
    kind: Literal["auto", "mlp", "linear", "conv"] = setting(
        "auto",
        '"conv" is for images, and what "auto" takes for those of 12 pixels or more; "linear", '
        "with squared errors and without what else moves the optimum, such as noise, is solved "
        "and not trained: its codes are those of PCA (of standardised columns).",
    )
    activation: Activation = setting("silu", "of the hidden layers.")
    noise: Literal["gaussian", "masking", "salt_and_pepper"] | None = setting(
        None, "what rows are corrupted with before they are encoded; the clean ones are decoded."
    )
    noise_level: float = setting(
        0.3,
        "standard deviation of Gaussian noise, in the units compared; else a share of values.",
        above=0,
    )
    loss: Literal["auto", "squared", "cross_entropy"] = setting(
        "auto",
        '"cross_entropy" is for values between 0 and 1 and discrete columns; "auto" takes it for '
        "binary images and discrete columns, and squares for the rest.",
    )
    weight_decay: float = setting(0.0, "of AdamW.", least=0)
    contamination: float = setting(
        0.01, "share of the rows fitted that `predict` calls outliers.", above=0, most=0.5
    )


def check(given: Any) -> None:
    """Raise InputError if settings do not go together."""
    if given.kind == "linear" and given.hidden is not None:
        raise InputError('hidden is given, and kind="linear" has no such layer. Leave hidden out.')
    if given.noise not in (None, "gaussian") and given.noise_level >= 1:
        raise InputError(
            f"noise_level is {given.noise_level!r}; expected the share of values that "
            f"{given.noise!r} noise changes, a number > 0 and < 1."
        )


def check_rows(given: Any, net: str, shape: tuple[int, ...], values: int) -> None:
    """Raise InputError if settings do not suit rows of so many values; see `check_nets`."""
    check_nets(given, f'kind="{given.kind}"', net, shape)
    if given.latent_dim is not None and given.noise is None:
        way_out = ', or denoise (noise="masking"), where larger codes make sense'
        check_latent(given.latent_dim, values, way_out)


SETTINGS = {"autoencoder": Settings(AutoencoderSettings, together=check)}
