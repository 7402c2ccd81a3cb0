"""Settings that the neural families share, and what of them does not suit some rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING, Any, Literal

from ...errors import InputError
from ...settings import Kind, flag, matching, number, seed, setting, sizes

if TYPE_CHECKING:
    from ...data.augment import Augment
else:
    Augment = Any  # which loads torch

CHANGES = ("shift", "flip", "brightness", "contrast", "rotate", "noise", "low", "high")
Activation = Literal["relu", "silu", "gelu", "tanh", "elu"]
Net = Literal["auto", "mlp", "conv"]
NET = '"conv" is for images, and what "auto" takes for those of 12 pixels or more.'


def _changes(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return is_dataclass(value)
    numeric = all(v is None or (number() | flag).accepts(v) for v in value.values())
    return numeric and set(value) <= set(CHANGES)


@dataclass(eq=False, repr=False, kw_only=True)
class TrainingSettings:
    """What can be set of whatever is trained by steps."""

    batch_size: int | None = setting(None, "rows a step; fewer where memory is short.", least=1)
    learning_rate: float | None = setting(
        None, "the highest; it falls to 0 as a cosine over `max_epochs` or the budget.", above=0
    )
    max_epochs: int | None = setting(None, "passes over the rows at most.", least=1)
    device: str = setting(
        "auto",
        'what computes: "auto" is a GPU that torch can use, otherwise the processor.',
        matching(r"auto|cpu|cuda(:\d+)?", '"auto", "cpu", "cuda" or "cuda:0" and the like'),
    )
    devices: int = setting(
        1,
        "how many train together, a process each, started by torchrun; several need "
        "`ppgen[fabric]`.",
        least=1,
    )
    random_state: Any = setting(
        None, "seed of initial weights, held-out rows, batches and draws.", seed
    )


@dataclass(eq=False, repr=False, kw_only=True)
class NetSettings(TrainingSettings):
    """What can be set of nets between rows, which may be images, and codes."""

    hidden: Sequence[int] | None = setting(
        None,
        'of the hidden layers; of "conv" the one between pictures and codes.',
        sizes("(64, 64)", empty=True),
    )
    channels: Sequence[int] | None = setting(
        None, "of an image each time that it is halved.", sizes("(16, 32)")
    )
    augment: Augment | Mapping[str, Any] | None = setting(
        None,
        f'of images in training, such as {{"shift": 2}}: {", ".join(CHANGES)}; see `Augment`.',
        Kind("a dict or an Augment", _changes),
    )


def check_nets(given: Any, asked: str, net: str, shape: tuple[int, ...]) -> None:
    """Raise InputError if settings of nets do not suit the rows.

    Args:
        given: the settings, as attributes.
        asked: the setting that chooses the net, such as 'net="auto"'.
        net: which one was chosen.
        shape: (C, H, W) of images, else ().
    """
    chooser = asked.partition("=")[0]
    if asked.endswith('"conv"') and not shape:
        raise InputError(
            f"{asked} is for images, (n, height, width) or (n, channels, height, width); a table "
            f'was given. Take {chooser}="mlp".'
        )
    if given.channels is not None and net != "conv":
        raise InputError(
            f"channels are those of convolutions, and the net is {net!r}. Leave channels out, or "
            f'take {chooser}="conv" for images.'
        )
    if net == "conv" and given.hidden is not None and len(given.hidden) != 1:
        raise InputError(
            f"hidden is {given.hidden!r}; a convolutional net has one layer between pictures and "
            f'codes, such as (256,). Its depth is that of channels. Or take {chooser}="mlp".'
        )
    if given.augment is not None and not shape:
        raise InputError("augment changes images; a table was given. Leave augment out.")


def check_latent(latent: int, values: int, way_out: str = "") -> None:
    """Raise InputError if a code is larger than its row of so many values."""
    if latent > values:
        raise InputError(
            f"latent_dim is {latent}, and a row has {values} values: a code larger than the row "
            f"compresses nothing. Take at most {values}{way_out}."
        )
