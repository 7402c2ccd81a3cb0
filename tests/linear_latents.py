"""Stub models with a latent space that is known: principal components, and given factors."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ppgen.capabilities import Capabilities
from ppgen.data import as_dataset, rebuild
from ppgen.models.latent import Decoder, LatentEstimator
from ppgen.verdict import Verdict


class Stub(LatentEstimator):
    """A fitted model that answers by `encode` and `decode` of its own."""

    name: ClassVar[str] = "stub"
    capabilities: ClassVar[Capabilities] = Capabilities(density=None, latents=True)
    verdict_ = Verdict()
    context_ = None

    def _never(self, *given):
        raise AssertionError("a stub answers by encode and decode alone")

    _fit = _state = _restore = _codes = _rows = _never


class Linear(Stub):
    """Rows = z @ axes + mean, by principal components; codes have unit variance."""

    def __init__(self, X, k=2):
        data = as_dataset(X)
        self.schema_, self.container_ = data.schema, data.like
        flat = data.matrix()
        self.mean = flat.mean(axis=0)
        _, sizes, axes = np.linalg.svd(flat - self.mean, full_matrices=False)
        self.axes = axes[:k] * (sizes[:k] / np.sqrt(len(flat)))[:, None]
        self.calls = []

    def encode(self, X, y=None):
        self.calls.append(("encode", y))
        flat = as_dataset(X, self.schema_).matrix()
        return (flat - self.mean) @ np.linalg.pinv(self.axes)

    def decode(self, Z, y=None):
        self.calls.append(("decode", y))
        flat = np.asarray(Z) @ self.axes + self.mean
        if self.schema_.image_shape is not None:
            return flat.reshape(len(flat), *self.schema_.image_shape)
        columns = dict(zip(self.schema_.names, flat.T, strict=True))
        return rebuild(columns, self.schema_, self.container_)


class WithPrior(Linear):
    """The same with a standard normal prior, which is that of its rows if they are normal."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        density=None, latents=True, prior=True, samples=True
    )

    def sample_latents(self, n, random_state=None):
        return np.random.default_rng(random_state).normal(size=(n, len(self.axes)))

    def sample(self, n=1, given=None, y=None, random_state=None):
        return self.decode(self.sample_latents(n, random_state))


class Generator(Decoder):
    """Rows = noise @ axes + mean: decodes, and gives rows no codes."""

    name: ClassVar[str] = "generator"
    capabilities: ClassVar[Capabilities] = Capabilities(density=None, decodes=True)
    verdict_ = Verdict()
    context_ = None

    def __init__(self, X, k=2):
        self._like = WithPrior(X, k)
        self.schema_, self.axes, self.mean = self._like.schema_, self._like.axes, self._like.mean

    def sample_latents(self, n, random_state=None):
        return self._like.sample_latents(n, random_state)

    def decode(self, Z, y=None):
        return self._like.decode(Z, y)

    def _never(self, *given):
        raise AssertionError("a stub answers by decode alone")

    _fit = _state = _restore = _rows = _never


class Factor(Stub):
    """Images whose first pixels are the factors; `mix` turns factors into codes."""

    def __init__(self, images, mix):
        self.schema_ = as_dataset(images).schema
        self.mix = np.asarray(mix, float)

    def encode(self, X, y=None):
        images = as_dataset(X, self.schema_).images
        return images.reshape(len(images), -1)[:, : self.mix.shape[0]] @ self.mix

    def decode(self, Z, y=None):
        factors = np.asarray(Z) @ np.linalg.pinv(self.mix)
        flat = np.zeros((len(factors), int(np.prod(self.schema_.image_shape))))
        flat[:, : factors.shape[1]] = factors
        return flat.reshape(len(flat), *self.schema_.image_shape)


def render(factors):
    """(n, 1, 2, 3) images that hold up to six factors as they are."""
    images = np.zeros((len(factors), 6))
    images[:, : factors.shape[1]] = factors
    return images.reshape(-1, 1, 2, 3)
