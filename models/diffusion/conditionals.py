"""Rows by a trained net, given what is observed of them (see `inference.diffusion.observation`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...arrays import Array, Floats, Mask
from ...data import Encoded
from ...errors import InputError
from ...inference.diffusion.mmps import mmps
from ...inference.diffusion.observation import (
    GaussianObservation,
    Known,
    LogLikelihood,
    Observation,
)
from ...inference.diffusion.repaint import repaint
from ...inference.diffusion.reverse_steps import RowDraws
from ...inference.diffusion.twisted import picked, twisted
from ...inference.torch_state import within_cores
from ...progress import rows_bar
from ..nets.batches import shrinking, slices
from ..nets.features import features
from .trained import TrainedDiffusion

T = TypeVar("T")
PARTICLES, STEPS = 256, 50
_AT_ONCE = 1 << 18  # features of the states that are made at a time


@dataclass(frozen=True)
class Asked:
    """How rows are drawn given something.

    Attributes:
        method: "smc", "mmps" or "repaint".
        states: K, particles of a row or draws of it.
        steps: from noise to data.
        progress: whether a bar is shown.
    """

    method: str
    states: int
    steps: int
    progress: bool = False

    @classmethod
    def of(
        cls,
        method: str = "smc",
        particles: int | None = None,
        steps: int | None = None,
        progress: bool = False,
    ) -> Self:
        """What options of the estimator ask for."""
        return cls(method, particles or PARTICLES, steps or STEPS, progress)


@dataclass(frozen=True)
class Answers:
    """What is drawn of n rows.

    Attributes:
        mean: (n, F) of the features.
        drawn: (n, m, F) draws.
        ess, least_ess: (n,) effective numbers of particles, at the end and at the least; K where
            states are drawn with equal weights.
    """

    mean: Floats
    drawn: Floats
    ess: Floats
    least_ess: Floats


@dataclass(frozen=True)
class Parts:
    """What is known of n rows, as the net sees them.

    Attributes:
        values: (n, F) features, 0 where they are not known.
        known: (n, F) whether they are.
        told: (n, k) values told of the row, or None.
    """

    values: Floats
    known: Mask
    told: Floats | None

    @classmethod
    def of(cls, nets: TrainedDiffusion, data: Encoded) -> Self:
        """Those of encoded rows with gaps; a level that the fit never saw is a gap."""
        codes = np.where(data.codes == -2, -1, data.codes)
        view, values = nets.view, nets.view.values
        stored = view.stored(Encoded(data.x, codes, data.log_det))
        seen = features(values, values.enter(torch.as_tensor(np.asarray(stored, np.float64))))
        known = ~np.isnan(stored)[:, values.owner]
        told = view.told_of(Encoded(data.x, codes, data.log_det))
        return cls(np.where(known, seen.numpy(), 0.0), known, told)


def known_parts(nets: TrainedDiffusion, parts: Parts) -> Callable[[slice], Known]:
    """The observation of some rows of these."""
    blocks = nets.view.values.indicators

    def observe(rows: slice) -> Known:
        mask = torch.as_tensor(parts.known[rows], device=nets.device)
        return Known(mask, nets.tensor(parts.values[rows]), blocks=blocks)

    return observe


def answered(
    nets: TrainedDiffusion,
    observe: Callable[[slice], Observation],
    rows: NDArray[Any],
    context: Floats | None,
    asked: Asked,
    *,
    seed: int,
    draws: int = 1,
) -> Answers:
    """Rows given what is observed of them.

    Args:
        observe: gives the observation of some rows.
        rows: (n,) whole numbers that tell rows apart; what is drawn depends on these and the seed.
        context: (n, c) what each row is conditioned on besides.
        draws: of each row, at most K.

    Raises:
        InputError: if the method does not take what is observed.
    """
    if nets.noise.coupled:
        raise InputError(
            'the fit has coupling="optimal", which gives a flow and not E[x | x_t], by which rows '
            'are drawn given a part of them. Fit with coupling="independent".'
        )
    size = nets.view.values.features
    numbers = np.asarray(rows).astype(np.uint64).view(np.int64)

    def some(part: slice) -> Answers:
        told = None if context is None else np.repeat(context[part], asked.states, axis=0)
        like = torch.zeros(size, device=nets.device)
        noise = RowDraws(seed, numbers[part], asked.states, like)
        return _states(nets, observe(part), told, noise, asked, draws)

    def every(at_once: int) -> list[Answers]:
        found = []
        with rows_bar(asked.method, len(numbers), show=asked.progress) as done:
            for part in slices(len(numbers), at_once):
                found.append(some(part))
                done(len(found[-1].mean))
        return found

    with within_cores():
        found, _ = shrinking(every, max(1, _AT_ONCE // (size * asked.states)), "the net")
    mean, drawn, ess, least = (
        np.concatenate([getattr(one, name) for one in found])
        for name in ("mean", "drawn", "ess", "least_ess")
    )
    return Answers(mean, drawn, ess, least)


def _states(
    nets: TrainedDiffusion,
    observed: Observation,
    context: Floats | None,
    noise: RowDraws,
    asked: Asked,
    draws: int,
) -> Answers:
    denoise, process, steps = nets.denoiser(context), nets.process, asked.steps
    if asked.method == "smc":
        particles = _last(twisted(denoise, process, observed, noise, steps=steps))
        chosen = particles.drawn(draws, noise.uniform(3 * steps + 3))
        drawn = observed.filled(picked(particles.x, chosen))
        mean = particles.mean(observed.filled(particles.x))
        return Answers(*map(_array, (mean, drawn, particles.ess, particles.least_ess)))
    if asked.method == "repaint":
        if not isinstance(observed, Known):
            raise InputError(
                'method is "repaint", which takes known parts of rows and nothing else. Take '
                '"mmps" or "smc".'
            )
        states = repaint(denoise, process, observed, noise, steps=steps)
    else:
        assert isinstance(observed, GaussianObservation | LogLikelihood)
        law = nets.gauge.law
        states = mmps(denoise, process, observed, noise, law=law, steps=steps)
    x = _last(states)
    even = torch.full((len(x),), float(asked.states))
    return Answers(*map(_array, (x.mean(1), x[:, :draws], even, even)))


def _last(states: Iterable[T]) -> T:
    (state,) = deque(states, maxlen=1)
    return state


def _array(x: Tensor) -> Array:
    return np.asarray(x.double().cpu().numpy())
