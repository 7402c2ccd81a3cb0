"""Settings that the neural families share, and what of them does not suit some rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from ...errors import InputError
from ...settings import Kind, Setting, choice, flag, integer, matching, number, seed, sizes

CHANGES = ("shift", "flip", "brightness", "contrast", "rotate", "noise", "low", "high")
NETS = ("auto", "mlp", "conv")
ACTIVATIONS = ("relu", "silu", "gelu", "tanh", "elu")


def _changes(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return is_dataclass(value)
    numeric = all(v is None or (number() | flag).accepts(v) for v in value.values())
    return numeric and set(value) <= set(CHANGES)


NET = Setting(
    "net",
    choice(*NETS),
    "auto",
    '"conv" is for images, and what "auto" takes for those of 12 pixels or more.',
)
HIDDEN = Setting(
    "hidden",
    sizes("(64, 64)", empty=True),
    None,
    'of the hidden layers; of "conv" the one between pictures and codes.',
)
CHANNELS = Setting("channels", sizes("(16, 32)"), None, "of an image each time that it is halved.")
ACTIVATION = Setting("activation", choice(*ACTIVATIONS), "silu", "of the hidden layers.")
AUGMENT = Setting(
    "augment",
    Kind("a dict or an Augment", _changes),
    None,
    f'of images in training, such as {{"shift": 2}}: {", ".join(CHANGES)}; see `ppgen.Augment`.',
)
WEIGHT_DECAY = Setting("weight_decay", number(least=0), 0.0, "of AdamW.")
BATCH_SIZE = Setting("batch_size", integer(1), None, "rows a step; fewer where memory is short.")
LEARNING_RATE = Setting(
    "learning_rate",
    number(above=0),
    None,
    "the highest; it falls to 0 as a cosine over `max_epochs` or the budget.",
)
MAX_EPOCHS = Setting("max_epochs", integer(1), None, "passes over the rows at most.")
DEVICE = Setting(
    "device",
    matching(r"cpu|cuda(:\d+)?", '"cpu", "cuda" or "cuda:0" and the like'),
    None,
    "what computes; None is the processor.",
)
RANDOM_STATE = Setting(
    "random_state", seed, None, "seed of initial weights, held-out rows, batches and draws."
)


def check_nets(given: Any, asked: str, net: str, shape: tuple[int, ...]) -> None:
    """Raise InputError if settings of nets do not suit the rows.

    Args:
        given: the settings, as attributes.
        asked: the setting that chooses the net, such as 'net="auto"'.
        net: which one was chosen.
        shape: (C, H, W) of images, else ().
    """
    setting = asked.partition("=")[0]
    if asked.endswith('"conv"') and not shape:
        raise InputError(
            f"{asked} is for images, (n, height, width) or (n, channels, height, width); a table "
            f'was given. Take {setting}="mlp".'
        )
    if given.channels is not None and net != "conv":
        raise InputError(
            f"channels are those of convolutions, and the net is {net!r}. Leave channels out, or "
            f'take {setting}="conv" for images.'
        )
    if net == "conv" and given.hidden is not None and len(given.hidden) != 1:
        raise InputError(
            f"hidden is {given.hidden!r}; a convolutional net has one layer between pictures and "
            f'codes, such as (256,). Its depth is that of channels. Or take {setting}="mlp".'
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
