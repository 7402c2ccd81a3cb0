"""From noise to rows: what each sampler does in a step.

Symbols as in `process`. A step goes from x_t to x_s, s < t, with xhat and epshat at t; let
q = r_s / r_t, and h = log(1 / q), h_before that of the step before.

    ancestral   x_s = alpha_s xhat + sigma_s (q epshat + sqrt(1 - q^2) eps)       DDPM
    ddim        x_s = alpha_s xhat + sigma_s epshat
    euler       x_s = x_t + (s - t) dx_t/dt                                       flow matching
    heun        y_v = y_u + (v - u) (dy_u/du + dy_v/dv) / 2
    dpm2m       x_s = alpha_s (1 - q) D + sigma_s / sigma_t x_t                   DPM-Solver++(2M)
                D = xhat + h / (2 h_before) (xhat - xhat before)

An ancestral step draws from the law of x_s given x_t and x, a Gaussian, with xhat for x; the others
solve the probability-flow ODE. Heun's rule is that of the straight path which every process is a
rescaling of: y_u = x_t / (alpha_t + sigma_t) at u = sigma_t / (alpha_t + sigma_t), whose
derivative dy_u/du is epshat - xhat; there its errors are several times less than in EDM's x_t /
alpha_t and r_t. (Euler's rule on that path is ddim.) Every step to s = 0 gives xhat.

References:
    Denoising diffusion probabilistic models (Ho, Jain and Abbeel, 2020),
        https://arxiv.org/abs/2006.11239
    Denoising diffusion implicit models (Song, Meng and Ermon, 2021),
        https://arxiv.org/abs/2010.02502
    Elucidating the design space of diffusion-based generative models (Karras et al., 2022),
        https://arxiv.org/abs/2206.00364: Heun
    DPM-Solver++ (Lu et al., 2022), https://arxiv.org/abs/2211.01095
    Flow matching for generative modeling (Lipman et al., 2023), https://arxiv.org/abs/2210.02747
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .process import Denoise, Process
from .row_noise import RowNoise


@dataclass(frozen=True)
class State:
    """Where a sampler is.

    Attributes:
        x_t: (n, F), at time t.
        data: (n, F) xhat at the time before t; None at first.
        before: that time.
        evaluations: of the denoiser up to now.
    """

    x_t: Tensor
    t: float
    data: Tensor | None = None
    before: float = math.nan
    evaluations: int = 0


class Place(NamedTuple):
    """alpha_t, sigma_t and r_t at one time."""

    alpha: float
    sigma: float
    ratio: float


class Sampler(ABC):
    """Steps of one kind, with a denoiser.

    Attributes:
        name: in `SAMPLERS`.
        order: of the error that remains, in the size of the steps.
        evaluations: of the denoiser a step; the last step takes one.
        draws: whether a step draws noise.
    """

    name: str
    order: int
    evaluations = 1
    draws = False

    def __init__(self, process: Process, denoise: Denoise) -> None:
        self.process, self.denoise = process, denoise

    @abstractmethod
    def step(self, state: State, s: float, data: Tensor, eps: Tensor) -> Tensor:
        """x_s, s > 0, from the state at t, xhat there, and noise if it `draws`."""

    def place(self, t: float) -> Place:
        time = torch.tensor(t, dtype=torch.float64)
        values = self.process.alpha(time), self.process.sigma(time), self.process.ratio(time)
        return Place(*map(float, values))

    def data(self, x_t: Tensor, t: float) -> Tensor:
        """xhat."""
        time = torch.tensor(t, dtype=x_t.dtype, device=x_t.device)
        return self.denoise(x_t, time.expand(len(x_t)))  # one number, which nets embed once


class Ancestral(Sampler):
    name, order, draws = "ancestral", 1, True

    def step(self, state: State, s: float, data: Tensor, eps: Tensor) -> Tensor:
        alpha_t, sigma_t, r_t = self.place(state.t)
        alpha_s, sigma_s, r_s = self.place(s)
        q, eps_hat = r_s / r_t, (state.x_t - alpha_t * data) / sigma_t
        return alpha_s * data + sigma_s * (q * eps_hat + math.sqrt(1 - q**2) * eps)


class DDIM(Sampler):
    name, order = "ddim", 1

    def step(self, state: State, s: float, data: Tensor, eps: Tensor) -> Tensor:
        alpha_t, sigma_t, _ = self.place(state.t)
        alpha_s, sigma_s, _ = self.place(s)
        eps_hat = (state.x_t - alpha_t * data) / sigma_t
        return alpha_s * data + sigma_s * eps_hat


class Euler(Sampler):
    name, order = "euler", 1

    def step(self, state: State, s: float, data: Tensor, eps: Tensor) -> Tensor:
        t = torch.tensor(state.t, dtype=torch.float64, device=state.x_t.device)
        return state.x_t + (s - state.t) * self.process.velocity(state.x_t, data, t)


class Heun(Sampler):
    name, order, evaluations = "heun", 2, 2

    def step(self, state: State, s: float, data: Tensor, eps: Tensor) -> Tensor:
        alpha_t, sigma_t, _ = self.place(state.t)
        alpha_s, sigma_s, _ = self.place(s)
        u, v = sigma_t / (alpha_t + sigma_t), sigma_s / (alpha_s + sigma_s)
        y_u = state.x_t / (alpha_t + sigma_t)
        slope_u = (y_u - data) / u
        y_v = y_u + (v - u) * slope_u
        slope_v = (y_v - self.data((alpha_s + sigma_s) * y_v, s)) / v
        return (alpha_s + sigma_s) * (y_u + (v - u) * (slope_u + slope_v) / 2)


class DPM2M(Sampler):
    name, order = "dpm2m", 2

    def step(self, state: State, s: float, data: Tensor, eps: Tensor) -> Tensor:
        _, sigma_t, r_t = self.place(state.t)
        alpha_s, sigma_s, r_s = self.place(s)
        q, straight = r_s / r_t, data
        if state.data is not None:
            h, h_before = math.log(r_t / r_s), math.log(self.place(state.before).ratio / r_t)
            straight = data + h / (2 * h_before) * (data - state.data)
        return alpha_s * (1 - q) * straight + sigma_s / sigma_t * state.x_t


SAMPLERS: dict[str, type[Sampler]] = {
    kind.name: kind for kind in (Ancestral, DDIM, Euler, Heun, DPM2M)
}


def run(sampler: Sampler, x_1: Tensor, times: Sequence[float], noise: RowNoise) -> Iterator[State]:
    """The states at each of the falling times, from x_1 (n, F) at the first of them.

    Args:
        noise: of the steps that draw it, numbered from 1.
    """
    state = State(x_1, times[0])
    yield state
    for i, s in enumerate(times[1:], 1):
        with torch.no_grad():
            data = sampler.data(state.x_t, state.t)
            if s > 0:
                eps = noise.at(i) if sampler.draws else torch.empty(0)
                x_s, taken = sampler.step(state, s, data, eps), sampler.evaluations
            else:
                x_s, taken = data, 1
        state = State(x_s, s, data, state.t, state.evaluations + taken)
        yield state
