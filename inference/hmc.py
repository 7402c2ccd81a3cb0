"""Hamiltonian Monte Carlo on the path between two densities, batched over chains and rows.

For a start g(z) and a log joint f(z) = log p(x, z), a transition at b leaves pi_b invariant, with

    log pi_b(z) = (1 - b) g(z) + b f(z).

It draws a momentum v ~ N(0, I), takes L leapfrog steps of size e, z' = z + e v,
v' = v + e grad log pi_b(z'), and accepts (z', v') with probability
min(1, pi_b(z') N(v') / (pi_b(z) N(v))). The step size of each transition is multiplied by a uniform
draw from (0.7, 1.3), so that no orbit closes on itself. The transition is reversible.

Reference: Neal, "MCMC using Hamiltonian dynamics", 2011, https://arxiv.org/abs/1206.1901.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import InputError

LogProb = Callable[[Tensor], Tensor]  # z (chains, rows, k) -> (chains, rows)


@dataclass(frozen=True)
class Start:
    """The density g that chains start from.

    Attributes:
        log_prob: g(z), normalised; z (chains, rows, k) -> (chains, rows).
        sample: (chains, generator) -> z (chains, rows, k).
        scale: typical size of each latent, broadcast to (rows, k); steps are proportional to it. It
            may depend on x, not on anything drawn in the run.
    """

    log_prob: LogProb
    sample: Callable[[int, torch.Generator], Tensor]
    scale: Tensor | float = 1.0


class Point(NamedTuple):
    """States z with f(z), g(z) (chains, rows) and the gradients of both."""

    z: Tensor
    f: Tensor
    g: Tensor
    df: Tensor
    dg: Tensor

    def log_prob(self, b: float) -> Tensor:
        return (1 - b) * self.g + b * self.f

    def gradient(self, b: float) -> Tensor:
        return (1 - b) * self.dg + b * self.df


class Walk:
    """Hamiltonian Monte Carlo on the path."""

    def __init__(
        self, log_joint: LogProb, start: Start, generator: torch.Generator, n_leapfrog: int
    ) -> None:
        self.f, self.g, self.scale = log_joint, start.log_prob, start.scale
        self.generator, self.n_leapfrog = generator, n_leapfrog

    def at(self, z: Tensor) -> Point:
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            f, g = self.f(z), self.g(z)
            for name, value in (("log_joint", f), ("start.log_prob", g)):
                if value.shape != z.shape[:-1]:
                    raise InputError(
                        f"{name} gave shape {tuple(value.shape)} for z of shape {tuple(z.shape)}; "
                        f"expected {tuple(z.shape[:-1])}."
                    )
            (df,), (dg,) = (torch.autograd.grad(value.sum(), z) for value in (f, g))
        return Point(z.detach(), f.detach(), g.detach(), df, dg)

    def step(self, old: Point, b: float, size: Tensor) -> tuple[Point, Tensor, Tensor]:
        """One transition that leaves pi_b invariant, with step sizes `size` (rows,).

        Returns:
            The new states, which proposals (chains, rows) were accepted, and with what probability.
        """
        uniform = torch.rand(
            (2, *old.f.shape), generator=self.generator, device=size.device, dtype=size.dtype
        )
        e = (size * (0.7 + 0.6 * uniform[0]))[..., None] * self.scale
        momentum = normal(old.z, self.generator)
        new, v = old, momentum + 0.5 * e * old.gradient(b)
        for i in range(1, self.n_leapfrog + 1):
            new = self.at(new.z + e * v)
            v = v + (e if i < self.n_leapfrog else 0.5 * e) * new.gradient(b)
        log_ratio = new.log_prob(b) - old.log_prob(b)
        log_ratio = log_ratio - 0.5 * (v.square() - momentum.square()).sum(-1)
        accepted = _accept(log_ratio, uniform[1])
        chosen = (
            torch.where(accepted if o.ndim == accepted.ndim else accepted[..., None], n, o)
            for n, o in zip(new, old, strict=True)
        )
        return Point(*chosen), accepted, log_ratio.exp().clamp(max=1).nan_to_num(0.0)


def _accept(log_ratio: Tensor, uniform: Tensor) -> Tensor:
    """The Metropolis step; a ratio of NaN is rejected."""
    return uniform.log() < log_ratio


def normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal draws of the shape, type and device of `like`."""
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)
