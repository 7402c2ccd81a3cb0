"""What a small convolutional net, trained on the real images, makes of images.

Distances between distributions of images are measured on features, not on pixels. The net is
trained here, in seconds, on a task that needs no labels and whose answers judge samples: to tell
real images from real ones that were

    noise     given Gaussian noise,
    blur      blurred by a Gaussian,
    mixed     laid over with a faint other one,
    cut       joined to a part of another along a straight line,

and, where there are labels, to tell these too. Where values lie on a grid, changed ones are
brought back to it by rounding at random: what tells an image is what it shows.

The features h are the means over places of the first two layers, which see texture, beside the
layer before the answers, which sees the whole. They are given as z = W (h - mean) with W the
leading principal components of the real images' h, scaled to variance 1, and cut off at 4, so that
no one fault outweighs all others.

Chosen by how far eight kinds of wrong samples lie from real ones, in scatters of the distance
between real ones: geometric means of the kernel distance of 1,000 MNIST and USPS digits are 33 and
35 for the net untrained, 325 and 70 as it is, 204 and 88 with labels, of which little is gained
(`benchmarks/image_features.py`).

Reference: Unsupervised representation learning by predicting image rotations (Gidaris, Singh,
Komodakis, 2018) https://arxiv.org/abs/1803.07728 (features from a task made up of the images)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from ..arrays import Array, Floats
from ..artifact import read_safetensors, write_safetensors
from ..errors import InputError
from ..inference.torch_state import as_found, seeded, within_cores
from ..thinning import thinned
from .spoiling import KINDS, Spoiler

_STEPS, _BATCH, _RATE = 400, 64, 2e-3
_HIDDEN = 64
_MOST = 4000  # images that features are centred and scaled by
_AXES, _ROWS_PER_AXIS, _LEAST = 64, 8, 1e-5
_CUT = 4.0
_LARGEST = 64  # pixels a side that the net sees
_AT_ONCE = 500


class Net(nn.Module):
    """Strided convolutions, a hidden layer, and the answers.

    Args:
        shape: (C, H, W).
        answers: how many there are.
    """

    def __init__(self, shape: tuple[int, int, int], answers: int) -> None:
        super().__init__()
        before, h, w = shape
        h, w = min(h, _LARGEST), min(w, _LARGEST)
        layers: list[nn.Module] = []
        for channels in _channels(min(h, w)):
            conv = nn.Conv2d(before, channels, 3, stride=2, padding=1)
            layers.append(nn.Sequential(conv, nn.SiLU()))
            before, h, w = channels, -(-h // 2), -(-w // 2)
        self.layers = nn.ModuleList(layers)
        self.hidden = nn.Linear(before * h * w, _HIDDEN)
        self.head = nn.Linear(_HIDDEN, answers)

    def read(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The hidden layer (n, 64), and the means over places of the first two layers."""
        if max(x.shape[2:]) > _LARGEST:
            height, width = (min(s, _LARGEST) for s in x.shape[2:])
            x = nn.functional.adaptive_avg_pool2d(x, (height, width))
        means = []
        for layer in self.layers:
            x = layer(x)
            means.append(x.mean((2, 3)))
        return self.hidden(x.flatten(1)), means[:2]

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = nn.functional.silu(self.read(x)[0])
        return self.head(hidden)  # type: ignore[no-any-return]

    @torch.no_grad()
    def features(self, x: Tensor) -> Floats:
        """(n, f) of images that are centred and scaled."""
        hidden, means = self.read(x)
        return torch.cat([*means, hidden], 1).double().numpy()


@dataclass(frozen=True)
class ImageFeatures:
    """A trained net, and how its features are centred and scaled.

    Attributes:
        shape: (C, H, W).
        centre, gain: of pixels, which the net sees as (x - centre) / gain.
        mean, axes: (f,) and (f, k): z = (h - mean) axes.
    """

    shape: tuple[int, int, int]
    centre: float
    gain: float
    net: Net
    mean: Floats
    axes: Floats

    @classmethod
    def train(
        cls, images: Array, labels: Any = None, *, seed: int = 0, steps: int = _STEPS
    ) -> Self:
        """A net of these images.

        Args:
            images: (n, C, H, W) real images, at least 8.
            labels: (n,) what they show, if known.
            seed: of initial weights, batches and changes.
            steps: of 64 images each.

        Raises:
            InputError: if the images have another form, or are fewer than 8.
        """
        x = np.asarray(images)
        if x.ndim != 4 or len(x) < 8:
            raise InputError(
                f"images of shape {x.shape} were given; expected (n, channels, height, width), at "
                "least 8 of them."
            )
        y = None if labels is None else np.unique(np.asarray(labels), return_inverse=True)[1]
        spoiler = Spoiler.of(x)
        n_labels = 0 if y is None else int(y.max()) + 1
        with seeded(seed):
            net = Net((x.shape[1], x.shape[2], x.shape[3]), len(KINDS) + n_labels)
        _fit(net, x, y, spoiler, seed, steps)
        some = x[thinned(len(x), _MOST, np.random.default_rng([seed, 0x1F]))]
        h = _features(net, some, spoiler.centre, spoiler.gain)
        mean = h.mean(axis=0)
        shape = (x.shape[1], x.shape[2], x.shape[3])
        return cls(shape, spoiler.centre, spoiler.gain, net, mean, _axes(h - mean))

    def features(self, images: Array) -> Floats:
        """(n, k) features of (n, C, H, W) images.

        Raises:
            InputError: if they have another shape than those trained on.
        """
        x = np.asarray(images)
        if x.shape[1:] != self.shape:
            raise InputError(
                f"images of shape {x.shape[1:]} were given; the net was trained on {self.shape}. "
                "Train one on images of this shape."
            )
        h = _features(self.net, x, self.centre, self.gain)
        return np.asarray(np.clip((h - self.mean) @ self.axes, -_CUT, _CUT))

    def save(self, file: Path) -> None:
        """Write it as arrays, whole or not at all."""
        weights = {f"net/{k}": v.numpy() for k, v in self.net.state_dict().items()}
        numbers = {"shape": np.array(self.shape), "scale": np.array([self.centre, self.gain])}
        write_safetensors(file, {**weights, **numbers, "mean": self.mean, "axes": self.axes})

    @classmethod
    def load(cls, file: Path) -> Self:
        """What `save` wrote.

        Raises:
            InputError: if the file is no such net.
        """
        arrays = read_safetensors(file)
        try:
            c, h, w = (int(s) for s in arrays["shape"])
            centre, gain = (float(s) for s in arrays["scale"])
            weights: Mapping[str, Tensor] = {
                k.removeprefix("net/"): torch.from_numpy(np.array(v))
                for k, v in arrays.items()
                if k.startswith("net/")
            }
            with seeded(0):
                net = Net((c, h, w), len(weights["head.bias"]))
            net.load_state_dict(weights)
            return cls((c, h, w), centre, gain, net, arrays["mean"], arrays["axes"])
        except (KeyError, ValueError, RuntimeError) as error:
            raise InputError(f"{file} holds no features of images ({error}).") from None


def _channels(side: int) -> list[int]:
    """Channels of each halving, down to about 4 x 4."""
    halvings = max(2, round(np.log2(max(side, 1) / 4)))
    return [min(16 * 2**i, 64) for i in range(halvings)]


def _fit(
    net: Net, images: Array, labels: Array | None, spoiler: Spoiler, seed: int, steps: int
) -> None:
    draws = torch.Generator().manual_seed(seed)
    cross = nn.functional.cross_entropy
    with as_found(), within_cores():
        optimiser = torch.optim.Adam(net.parameters(), lr=_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(steps):
            rows = torch.randint(len(images), (_BATCH,), generator=draws).numpy()
            x, kind = spoiler.spoilt(spoiler.scaled(images[rows]), draws)
            answers = net(x)
            loss = cross(answers[:, : len(KINDS)], kind)
            if labels is not None:
                loss = loss + cross(answers[:, len(KINDS) :], torch.from_numpy(labels[rows]))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()


def _features(net: Net, images: Array, centre: float, gain: float) -> Floats:
    parts = []
    with within_cores():
        for i in range(0, len(images), _AT_ONCE):
            x = np.asarray(images[i : i + _AT_ONCE], np.float32)
            parts.append(
                net.features(torch.from_numpy((x - np.float32(centre)) / np.float32(gain)))
            )
    return np.concatenate(parts)


def _axes(h: Floats) -> Floats:
    """(f, k) leading principal components of centred rows, scaled to variance 1; each column of h
    counts alike, and there are rows enough for each component."""
    sd = h.std(axis=0)
    sd = np.where(sd > 1e-8 * max(sd.max(), 1e-300), sd, np.inf)  # a dead unit says nothing
    values, vectors = np.linalg.eigh((h / sd).T @ (h / sd) / len(h))
    values, vectors = values[::-1], vectors[:, ::-1]
    k = max(1, min(_AXES, len(h) // _ROWS_PER_AXIS, int((values > _LEAST * values[0]).sum())))
    return np.asarray(vectors[:, :k] / np.sqrt(values[:k]) / sd[:, None])
