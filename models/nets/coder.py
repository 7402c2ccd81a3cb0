"""Nets that write a row as a code and read it again, on torch: an encoder f, a decoder g, and how
rows enter and leave them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ...arrays import Array, Floats
from ...inference.torch_learner import TorchLearner
from ...inference.torch_state import seeded
from ...plain_json import PlainFields
from .batches import Batches, blockwise, floats
from .conv import ConvDecoder, ConvEncoder
from .held_out import Subset
from .mlp import mlp
from .reconstruction import Reconstruction
from .state import take
from .values import Values

Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Architecture(PlainFields):
    """What the nets are made of.

    Attributes:
        net: "mlp", "linear" or "conv".
        latent: size of the code.
        hidden: sizes of hidden layers from the data to the code, which the decoder mirrors; of
            "conv" the one between pictures and codes.
        channels: of each halving of an image.
        activation: one of `mlp.ACTIVATIONS`.
        dropout: of the encoder.
        classes: how many the encoder tells apart.
        double: whether rows are encoded and decoded in double precision once the nets are trained.
    """

    net: str
    latent: int
    hidden: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    activation: str = "silu"
    dropout: float = 0.0
    classes: int = 0
    double: bool = False

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """What `to_json` wrote, now or when `net` was called `kind`."""
        return super().from_json({"net" if k == "kind" else k: v for k, v in body.items()})


class Coder(nn.Module):
    """Encoder and decoder of features (n, F). Inputs are centred, and scaled by one number for all.

    Args:
        outputs: numbers that the encoder gives of a row; None is those of the code.
    """

    centre: Tensor
    gain: Tensor

    def __init__(self, a: Architecture, values: Values, outputs: int | None = None) -> None:
        super().__init__()
        size, act = values.features, a.activation
        outputs = outputs or a.latent
        self.encoder: nn.Module
        self.decoder: nn.Module
        if a.net == "conv":
            c, h, w = values.shape
            how: dict[str, Any] = {"hidden": a.hidden[0], "activation": act}
            self.encoder = ConvEncoder((c, h, w), a.channels, outputs, dropout=a.dropout, **how)
            self.decoder = ConvDecoder(a.latent, a.channels, (c, h, w), **how)
        else:
            self.encoder = mlp(size, a.hidden, outputs, activation=act, dropout=a.dropout)
            self.decoder = mlp(a.latent, a.hidden[::-1], size, activation=act)
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("gain", torch.ones(()))

    def encode(self, y: Tensor) -> Tensor:
        """(n, outputs) what the encoder gives of features (n, F)."""
        return self.encoder((y - self.centre) * self.gain)  # type: ignore[no-any-return]

    def decode(self, z: Tensor) -> Tensor:
        """(n, F) decoder outputs of codes."""
        return self.decoder(z)  # type: ignore[no-any-return]

    @torch.no_grad()
    def begin(self, start: Tensor, y: Tensor) -> None:
        """Centre on features y, and let the decoder's outputs lie about `start` (F,)."""
        self.centre.copy_(y.mean(0))
        spread = (y - self.centre).square().mean().sqrt()
        self.gain.copy_(1 / spread.clamp(min=1e-3))
        last: Any = self.decoder if isinstance(self.decoder, ConvDecoder) else self.decoder[-1]  # type: ignore[index]
        last.bias.copy_(start)


Nets = TypeVar("Nets", bound=Coder)


class TorchCoder(Generic[Nets]):
    """A coder's nets on a device, single precision while they are trained.

    Args:
        seed: of the weights; torch's own random state stays as it is.

    Attributes:
        made: the class of the nets.
        constant: the error of the best constant row, once `begin` has seen some.
    """

    made: type[Nets]
    constant: float = 1.0

    def __init__(
        self,
        architecture: Architecture,
        reconstruction: Reconstruction,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.architecture, self.reconstruction = architecture, reconstruction
        self.device = torch.device(device)
        with seeded(seed):
            nets: Nets = self.made(architecture, reconstruction.values)
        self.nets = nets.to(self.device).eval()
        if architecture.net == "conv":
            self.nets.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def begin(self, some: Array, modelled: Array | None = None) -> None:
        """Start from stored rows: their centre, and the best constant row.

        Args:
            some: (m, D) rows.
            modelled: those of them that are decoded; None is all.
        """
        y = self.features(some)
        decoded = y if modelled is None else self.features(modelled)
        start = self.reconstruction.start(decoded)
        self.nets.begin(start, y)
        errors = self.reconstruction.errors(start.expand_as(decoded), decoded)
        self.constant = max(float(errors.mean()), 1e-12)

    def batches(self, rows: Subset) -> Batches:
        """Rows to be taken a batch at a time."""
        return Batches(rows.x, None, rows.weights, self.device, rows.numbers)

    def entering(self, x: Tensor, change: Change | None = None) -> Tensor:
        """(n, F) features of stored rows of a batch, changed before anything else."""
        if change is not None:
            x = change(x.view(-1, *self.reconstruction.values.shape)).reshape(len(x), -1)
        return self.reconstruction.features(x)

    def keep(self, learner: TorchLearner) -> None:
        """Take the averaged weights of a trained learner."""
        learner.keep_average()
        self.nets.eval()
        if self.architecture.double:
            self.nets.double()

    def decode(self, z: Floats) -> Floats:
        """(n, D) stored values expected of codes: of a level, the likeliest."""

        def expected(at: slice) -> Tensor:
            return self.reconstruction.expected(self.nets.decode(self._tensor(z[at])))

        return self.stored(blockwise(expected, len(z)))

    def stored(self, features: Floats) -> Floats:
        """(n, D) stored values of features (n, F)."""
        values = self.reconstruction.values
        return np.asarray(values.leave(values.gathered(features)))

    def features(self, x: Array) -> Tensor:
        """(n, F) features of stored rows."""
        return self.reconstruction.features(self._tensor(x))

    def _tensor(self, x: Array) -> Tensor:
        return floats(x, self.nets.centre.dtype).to(self.device)

    def arrays(self) -> dict[str, Array]:
        """The weights."""
        return {k: v.detach().cpu().contiguous().numpy() for k, v in self.nets.state_dict().items()}

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Take weights that `arrays` gave."""
        if self.architecture.double:
            self.nets.double()
        take(self.nets, arrays)


def augmented(augment: Any, values: Values) -> Change | None:
    """What changes batches of stored images (n, C, H, W), drawn by torch's own random state.

    Args:
        augment: a `ppgen.data.augment.Augment`, a mapping of its attributes, or None.
        values: of the images; if they are not shifted, they reach up to the scale.
    """
    from ...data.augment import Augment

    if augment is None:
        return None
    made = Augment(**augment) if isinstance(augment, Mapping) else augment
    if made.high is None and not values.shift:
        made = replace(made, high=values.scale)

    def change(images: Tensor) -> Tensor:
        seed = int(torch.randint(2**62, ()))
        return made(images, torch.Generator(images.device).manual_seed(seed))

    return change
