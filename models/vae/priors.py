"""p(z) and q(z | x): the two ends of the latent space.

Priors over z in R^k:

- "normal": Normal(0, I);
- "flow": f(z) ~ Normal(0, I) for an invertible net f (see `models.flow.pyro`);
- "mixture": sum_j w_j Normal(m_j, diag s_j^2), all learnt;
- "vamp": sum_j w_j q(z | u_j), the posteriors of learnt pseudo-inputs u_j (of a flow posterior,
  its Gaussian base).

Posteriors: "normal", Normal(m(x), diag s(x)^2), and "flow", of which that is the base.

References: Tomczak and Welling, "VAE with a VampPrior", 2018, https://arxiv.org/abs/1705.07120;
Rezende and Mohamed, "Variational inference with normalizing flows", 2015,
https://arxiv.org/abs/1505.05770; Chen et al., "Variational lossy autoencoder" (flow priors), 2017,
https://arxiv.org/abs/1611.02731.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pyro.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    Normal,
    TransformedDistribution,
)
from torch import Tensor, nn

from ...errors import InputError
from ..flow.architecture import Architecture as FlowArchitecture
from ..flow.pyro import build

_WIDEST = 3.0  # of log s, in the posterior and the mixture: nothing learns from wider


class Diagonal(Independent):
    """Independent normals over the last axis."""

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        # A plate expands whatever it holds, a fixed prior to the same size at each step.
        shape = tuple(batch_shape)
        if self.batch_shape == shape:
            return self
        if _instance is not None:
            return super().expand(batch_shape, _instance)  # type: ignore[no-untyped-call]
        if self.__dict__.get("_expanded", ((), None))[0] != shape:
            self._expanded = shape, super().expand(batch_shape)  # type: ignore[no-untyped-call]
        return self._expanded[1]


def normal(m: Tensor, log_s: Tensor) -> Any:
    """Normal(m, diag s^2) over the last axis."""
    return Diagonal(Normal(m, torch.exp(log_s), validate_args=False), 1, validate_args=False)


def base_of(q: Any) -> tuple[Any, list[Any]]:
    """What a distribution of latents is made of, elementwise (of posteriors here a Normal), and the
    transforms that come after it."""
    transforms: list[Any] = []
    if isinstance(q, torch.distributions.TransformedDistribution):
        q, transforms = q.base_dist, q.transforms
    return (q.base_dist if isinstance(q, torch.distributions.Independent) else q), transforms


def carried(q: Any, noise: Tensor) -> Tensor:
    """Values of a distribution of latents from standard normal draws.

    Raises:
        InputError: if it is made of one that has no inverse distribution function.
    """
    base, transforms = base_of(q)
    if isinstance(base, torch.distributions.Normal):
        z: Tensor = base.loc + base.scale * noise
    else:
        try:
            z = base.icdf(torch.special.ndtr(noise))
        except NotImplementedError:
            raise InputError(
                f"the guide draws from {type(base).__name__}, and scores draw by inverse "
                "distribution functions, which it lacks; take one that has `icdf`."
            ) from None
    for transform in transforms:
        z = transform(z)
    return z


def split(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log standard deviation of what an encoder gives, (*, 2 k)."""
    m, log_s = raw.chunk(2, -1)
    return m, log_s.clamp(-10.0, _WIDEST)


class NormalPrior(nn.Module):
    """Normal(0, I)."""

    zero: Tensor

    def __init__(self, k: int) -> None:
        super().__init__()
        self.register_buffer("zero", torch.zeros(k), persistent=False)
        self._made: Any = (None, None)

    def forward(self) -> Any:
        if self._made[0] is not self.zero:  # which is another once the prior is moved
            self._made = self.zero, normal(self.zero, self.zero)
        return self._made[1]


def _coupling(k: int, context: int, layers: int, hidden: int) -> FlowArchitecture:
    """Affine coupling, cheap both ways."""
    return FlowArchitecture("realnvp", k, context, layers, (hidden, hidden), lu=False)


class FlowPrior(nn.Module):
    """An affine coupling flow in front of Normal(0, I)."""

    def __init__(self, k: int, layers: int, hidden: int, seed: int) -> None:
        super().__init__()
        self.flow = build(_coupling(k, 0, layers, hidden), seed)

    def forward(self) -> Any:
        # Its own base would refuse NaN, which is what annealing may propose far out.
        made = self.flow()
        zero = torch.zeros_like(made.base.mean)
        return TransformedDistribution(
            normal(zero, zero), [made.transform.inv], validate_args=False
        )


class MixturePrior(nn.Module):
    """A mixture of diagonal Gaussians that is learnt."""

    def __init__(self, k: int, components: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.randn(components, k))
        self.log_scale = nn.Parameter(torch.zeros(components, k))
        self.logits = nn.Parameter(torch.zeros(components))

    def forward(self) -> Any:
        return _mixture(self.logits, self.mean, self.log_scale.clamp(-10.0, _WIDEST))


class VampPrior(nn.Module):
    """The mixture of the posteriors of pseudo-inputs, or of their Gaussian parts where flows
    follow.

    Args:
        encode: pseudo-inputs (components, F) -> (components, 2 k) means and log scales.
        inputs: (components, F) where they start: rows of the data.
    """

    def __init__(self, encode: Callable[[Tensor], Tensor], inputs: Tensor) -> None:
        super().__init__()
        self.inputs = nn.Parameter(inputs.clone())
        self.logits = nn.Parameter(torch.zeros(len(inputs)))
        self._encode = (encode,)  # in a tuple: the encoder is no part of the prior

    def forward(self) -> Any:
        return _mixture(self.logits, *split(self._encode[0](self.inputs)))


def _mixture(logits: Tensor, m: Tensor, log_s: Tensor) -> Any:
    return MixtureSameFamily(
        Categorical(logits=logits, validate_args=False), normal(m, log_s), validate_args=False
    )


class NormalPosterior(nn.Module):
    """Normal(m, diag s^2) of encoder outputs (n, 2 k)."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.n_inputs = 2 * k

    def forward(self, raw: Tensor) -> Any:
        return normal(*split(raw))


class FlowPosterior(nn.Module):
    """z = T(z_0; h), z_0 ~ Normal(m, diag s^2), of encoder outputs (m, log s, h)."""

    def __init__(self, k: int, layers: int, hidden: int, seed: int) -> None:
        super().__init__()
        self.k, self.n_inputs = k, 3 * k
        self.flow = build(_coupling(k, k, layers, hidden), seed)

    def forward(self, raw: Tensor) -> Any:
        m, log_s = split(raw[..., : 2 * self.k])
        transform = self.flow(raw[..., 2 * self.k :]).transform
        return TransformedDistribution(normal(m, log_s), [transform.inv], validate_args=False)
