"""Diffusion on one page: how rows turn into noise, what a net learns, how noise turns into rows.

Symbols, the same in all files of this folder. Time t is in [0, 1]: data at 0, noise at 1.

    x_t = alpha_t x + sigma_t eps,   eps ~ N(0, I)           forward process (`noisy`)
    r_t = sigma_t / alpha_t,  log SNR_t = -2 log r_t         how much noise there is (`ratio`)
    xhat(x_t, t) = E[x | x_t]                                what a net gives in the end (`Denoise`)
    epshat = (x_t - alpha_t xhat) / sigma_t                  the same, told as noise (`noise`)
    score = grad log p_t(x_t) = -epshat / sigma_t            Tweedie's formula (`score`)

A prime is d/dt. Both of these, run from t = 1 to 0, turn noise into rows, and have at each time the
rows' law p_t:

    dx_t = (alpha_t' xhat + sigma_t' epshat) dt              probability-flow ODE (`velocity`)
    dx_t = (velocity - g_t^2 / 2 score) dt + g_t dW_t        reverse SDE (`reverse_drift`), with
    g_t^2 = 2 sigma_t^2 (log r_t)'                           (`diffusion`)

A net's output stands for xhat by way of a target (`TARGETS`), each a combination of x and eps:

    noise     eps
    data      x
    velocity  alpha_t eps - sigma_t x
    flow      alpha_t' x + sigma_t' eps, the time derivative of x_t: flow matching
    edm       (x - c_skip x_t) / c_out: of unit variance at every t, for rows of standard deviation
              sigma_data

With log r_t ~ N(m, s^2) as times to train at (`Process.time_of`), t on the linear path is
logit-normal, and sigma_t of EDM log-normal: one rule for all processes.

Shapes: x, x_t, eps and outputs are (n, F), or (n, ...); t is (n,), or () for all rows alike.

References:
    Score-based generative modeling through stochastic differential equations (Song et al., 2021),
        https://arxiv.org/abs/2011.13456
    Variational diffusion models (Kingma et al., 2021), https://arxiv.org/abs/2107.00630
    Elucidating the design space of diffusion-based generative models (Karras et al., 2022),
        https://arxiv.org/abs/2206.00364
    Flow matching for generative modeling (Lipman et al., 2023), https://arxiv.org/abs/2210.02747
    Progressive distillation (Salimans and Ho, 2022), https://arxiv.org/abs/2202.00512: velocity
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

Denoise = Callable[[Tensor, Tensor], Tensor]
"""(x_t (n, F), t (n,)) -> E[x | x_t] (n, F), of one-hot blocks too."""


def along(values: Tensor, x: Tensor) -> Tensor:
    """Values (n,) or () of times, to multiply the rows x (n, ...) with."""
    return values.to(x.dtype).reshape(values.shape + (1,) * (x.dim() - values.dim()))


# The forward and the reverse process


class Process(ABC):
    """alpha_t and sigma_t, and what follows from them.

    Attributes:
        name: in `PROCESSES`.
        ratio_min: the least r_t that is integrated to; at less, rounding errors of float32 grow
            over what is left to do.
        t_min, t_max: ends of the times that are integrated over; r_t is `ratio_min` at t_min.
    """

    name: str
    ratio_min = 1e-3
    t_max = 1.0

    @abstractmethod
    def alpha(self, t: Tensor) -> Tensor: ...

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor: ...

    @abstractmethod
    def d_alpha(self, t: Tensor) -> Tensor:
        """alpha_t', exact."""

    @abstractmethod
    def d_sigma(self, t: Tensor) -> Tensor:
        """sigma_t', exact; infinite at t = 0 of "vp"."""

    @abstractmethod
    def time_of(self, ratio: Tensor) -> Tensor:
        """The time t at which sigma_t / alpha_t is `ratio`, from 0 to infinity; at most 1."""

    @property
    def t_min(self) -> float:
        return float(self.time_of(torch.tensor(self.ratio_min, dtype=torch.float64)))

    def ratio(self, t: Tensor) -> Tensor:
        """r_t = sigma_t / alpha_t in float64: 0 at t = 0, infinite where alpha_t is 0."""
        return self.sigma(t.double()) / self.alpha(t.double())

    def log_snr(self, t: Tensor) -> Tensor:
        """log (alpha_t^2 / sigma_t^2) in float64."""
        return -2 * self.ratio(t).log()

    def noisy(self, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """x_t."""
        return along(self.alpha(t), x) * x + along(self.sigma(t), x) * eps

    def noise(self, x_t: Tensor, data: Tensor, t: Tensor) -> Tensor:
        """epshat, at t > 0."""
        return (x_t - along(self.alpha(t), x_t) * data) / along(self.sigma(t), x_t)

    def score(self, x_t: Tensor, data: Tensor, t: Tensor) -> Tensor:
        """grad log p_t(x_t), at t > 0."""
        return -self.noise(x_t, data, t) / along(self.sigma(t), x_t)

    def velocity(self, x_t: Tensor, data: Tensor, t: Tensor) -> Tensor:
        """dx_t / dt of the probability-flow ODE, at t > 0; finite at t = 1."""
        eps = self.noise(x_t, data, t)
        return along(self.d_alpha(t), x_t) * data + along(self.d_sigma(t), x_t) * eps

    def diffusion(self, t: Tensor) -> Tensor:
        """g_t^2; infinite where alpha_t is 0."""
        return 2 * self.sigma(t) * self.wronskian(t) / self.alpha(t)

    def reverse_drift(self, x_t: Tensor, data: Tensor, t: Tensor) -> Tensor:
        """Drift of the reverse SDE, whose noise is g_t dW_t."""
        half = along(self.diffusion(t) / 2, x_t)
        return self.velocity(x_t, data, t) - half * self.score(x_t, data, t)

    def wronskian(self, t: Tensor) -> Tensor:
        """alpha_t sigma_t' - sigma_t alpha_t' = alpha_t sigma_t (log r_t)', never negative."""
        return self.alpha(t) * self.d_sigma(t) - self.sigma(t) * self.d_alpha(t)

    def bound_weight(self, t: Tensor) -> Tensor:
        """-SNR_t' / 2: what |x - xhat|^2 weighs in the variational bound, in nats, at t > 0."""
        return self.alpha(t) * self.wronskian(t) / self.sigma(t) ** 3

    def scale(self, t: Tensor, sigma_data: float) -> Tensor:
        """Standard deviation of x_t, of rows with standard deviation `sigma_data`."""
        return torch.hypot(self.alpha(t) * sigma_data, self.sigma(t))

    def end_scale(self, sigma_data: float) -> float:
        """Standard deviation of x_t at t_max: of the noise that a sampler begins with."""
        return float(self.scale(torch.tensor(self.t_max, dtype=torch.float64), sigma_data))


class Linear(Process):
    """alpha_t = 1 - t, sigma_t = t: the straight path of flow matching."""

    name = "linear"

    def alpha(self, t: Tensor) -> Tensor:
        return 1 - t

    def sigma(self, t: Tensor) -> Tensor:
        return t

    def d_alpha(self, t: Tensor) -> Tensor:
        return -torch.ones_like(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def time_of(self, ratio: Tensor) -> Tensor:
        return 1 / (1 + 1 / ratio)


class Cosine(Process):
    """alpha_t = cos(pi t / 2), sigma_t = sin(pi t / 2): variance-preserving."""

    name = "cosine"

    def alpha(self, t: Tensor) -> Tensor:
        return torch.sin(math.pi / 2 * (1 - t))  # the cosine of t, exactly 0 at t = 1

    def sigma(self, t: Tensor) -> Tensor:
        return torch.sin(math.pi / 2 * t)

    def d_alpha(self, t: Tensor) -> Tensor:
        return -math.pi / 2 * self.sigma(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return math.pi / 2 * self.alpha(t)

    def time_of(self, ratio: Tensor) -> Tensor:
        return 2 / math.pi * torch.atan(ratio)


class VP(Process):
    """Variance-preserving: alpha_t = exp(-B_t / 2), sigma_t^2 = 1 - exp(-B_t), where B_t is the
    integral up to t of beta_t = b_0 + (b_1 - b_0) t."""

    name = "vp"
    b_0, b_1 = 0.1, 20.0

    def beta(self, t: Tensor) -> Tensor:
        return self.b_0 + (self.b_1 - self.b_0) * t

    def _integral(self, t: Tensor) -> Tensor:
        return (self.b_0 + (self.b_1 - self.b_0) * t / 2) * t

    def alpha(self, t: Tensor) -> Tensor:
        return torch.exp(-self._integral(t) / 2)

    def sigma(self, t: Tensor) -> Tensor:
        return (-torch.expm1(-self._integral(t))).sqrt()

    def d_alpha(self, t: Tensor) -> Tensor:
        return -self.beta(t) / 2 * self.alpha(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return self.beta(t) / 2 * self.alpha(t) ** 2 / self.sigma(t)

    def time_of(self, ratio: Tensor) -> Tensor:
        # B_t = log(1 + r_t^2), a quadratic equation for t.
        square = ratio.square().clamp(max=math.expm1(self.b_0 / 2 + self.b_1 / 2))
        integral = torch.log1p(square)
        root = (self.b_0**2 + 2 * (self.b_1 - self.b_0) * integral).sqrt()
        return (2 * integral / (self.b_0 + root)).clamp(max=1.0)


class EDM(Process):
    """alpha_t = 1, sigma_t = 80 t^7: variance-exploding. Times evenly spaced from t_min to 1 are
    the grid of Karras et al., rho = 7, of sigma from 0.002 to 80."""

    name = "edm"
    ratio_min = 0.002
    sigma_max, rho = 80.0, 7

    def alpha(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def sigma(self, t: Tensor) -> Tensor:
        return self.sigma_max * t**self.rho

    def d_alpha(self, t: Tensor) -> Tensor:
        return torch.zeros_like(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return self.sigma_max * self.rho * t ** (self.rho - 1)

    def time_of(self, ratio: Tensor) -> Tensor:
        return (ratio / self.sigma_max).pow(1 / self.rho).clamp(max=1.0)


PROCESSES: dict[str, Process] = {p.name: p for p in (Linear(), Cosine(), VP(), EDM())}


# What a net learns


class Target(ABC):
    """What a net's output stands for at each time: a_t x + b_t eps.

    With d_t = a_t sigma_t - b_t alpha_t, xhat = (sigma_t output - b_t x_t) / d_t.

    Args:
        process: of x_t.
        sigma_data: standard deviation of the rows' features, which "edm" and `network_input` scale
            by.
    """

    def __init__(self, process: Process, sigma_data: float = 1.0) -> None:
        self.process, self.sigma_data = process, sigma_data

    @abstractmethod
    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """a_t and b_t."""

    def determinant(self, t: Tensor) -> Tensor:
        """d_t."""
        a_t, b_t = self.coefficients(t)
        return a_t * self.process.sigma(t) - b_t * self.process.alpha(t)

    def of(self, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """What the output should be, for x_t = noisy(x, eps, t)."""
        a_t, b_t = self.coefficients(t)
        return along(a_t, x) * x + along(b_t, x) * eps

    def data(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """xhat that the output stands for, at t > 0."""
        d_t = self.determinant(t)
        skip, out = -self.coefficients(t)[1] / d_t, self.process.sigma(t) / d_t
        return along(skip, x_t) * x_t + along(out, x_t) * output

    def error_scale(self, t: Tensor) -> Tensor:
        """(n,) errors of the output as multiples of the errors of xhat, at t > 0."""
        return (self.determinant(t) / self.process.sigma(t)).abs()

    def network_input(self, x_t: Tensor, t: Tensor) -> Tensor:
        """c_in x_t, of about unit variance at every t."""
        return x_t / along(self.process.scale(t, self.sigma_data), x_t)


class NoiseTarget(Target):
    """eps. It says nothing of x where alpha_t is 0: with alpha_t below 0.01, xhat shrinks to 0."""

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(t), torch.ones_like(t)

    def determinant(self, t: Tensor) -> Tensor:
        return -self.process.alpha(t).clamp(min=0.01)


class DataTarget(Target):
    """x."""

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones_like(t), torch.zeros_like(t)


class VelocityTarget(Target):
    """alpha_t eps - sigma_t x; where alpha_t^2 + sigma_t^2 is 1, d_t is -1."""

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return -self.process.sigma(t), self.process.alpha(t)


class FlowTarget(Target):
    """alpha_t' x + sigma_t' eps."""

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return self.process.d_alpha(t), self.process.d_sigma(t)


class EDMTarget(Target):
    """(x - c_skip x_t) / c_out, so that xhat = c_skip x_t + c_out output.

    With s_t^2 = alpha_t^2 sigma_data^2 + sigma_t^2: c_skip = alpha_t sigma_data^2 / s_t^2, c_out =
    sigma_t sigma_data / s_t, c_in = 1 / s_t. It is of unit variance, and of all such combinations
    the one whose errors are scaled least on the way to xhat.
    """

    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor]:
        # c_skip and c_out put in; no quotient of zeros is left.
        alpha_t, sigma_t = self.process.alpha(t), self.process.sigma(t)
        s_t = self.process.scale(t, self.sigma_data)
        return sigma_t / (self.sigma_data * s_t), -alpha_t * self.sigma_data / s_t


TARGETS: dict[str, type[Target]] = {
    "noise": NoiseTarget,
    "data": DataTarget,
    "velocity": VelocityTarget,
    "flow": FlowTarget,
    "edm": EDMTarget,
}
