"""The log density of rows under the probability flow of a denoiser.

The probability flow is

    dx_t/dt = alpha_t' xhat + sigma_t' epshat = (sigma_t' / sigma_t) x_t - k_t xhat,
    k_t = (alpha_t sigma_t' - alpha_t' sigma_t) / sigma_t,

and log p_t(x_t) falls along it by its divergence. In the coordinates z of the Gaussian fit G (see
`gaussian_frame`), where only what is not Gaussian moves,

    dz/dt = -k_t B^T (xhat - xhat_G) / s_t
    d log p(z)/dt = k_t tr (J - J_G)
    log p(x) = log N(z_1; 0, I) - sum log s_0 + F log alpha_0 + int k_t tr (J_G - J) dt

from t_min, index 0, to t_max, index 1. For a Gaussian the right sides are 0, and any steps do. The
end z_1 ~ N(0, I) is exact where alpha_1 is 0, as on the linear path; elsewhere it is what is left
there of any rows with this mean and covariance.

What is integrated to is p at t_min, of rows with noise of r = sigma_0 / alpha_0, a thousandth of
a deviation. To first order in r^2 the log of this is that of the density without noise plus

    smoothing = (r^2 / 2) (trace of the Hessian + squared norm of the gradient of log p),

which is reported. Steps have errors as well, measured by an embedded method or by steps of double
size, and so do probes; neither is hidden in the other. A step's error (e_z, e_l) of z and of the
integral makes log p(x) wrong by e_l + g^T e_z to first order, g being the gradient of log p_t by z,

    g = -z - (dz/dt) alpha_t s_t^2 / (sigma_t^2 k_t),

of which |e_l| + sqrt(sum (g e_z)^2) is reckoned with.

References: Chen et al., "Neural ordinary differential equations", 2018,
https://arxiv.org/abs/1806.07366; Song et al., "Score-based generative modeling through stochastic
differential equations", 2021, https://arxiv.org/abs/2011.13456.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...errors import InputError
from ...settings import choice
from .gaussian_frame import GaussianFrame
from .process import Process
from .runge_kutta import METHODS, Solution, adaptive, fixed
from .trace import Told, products, units

FEWEST = 4  # steps of one size
_ROUNDED = 1e-5  # of |z|^2 / 2


@dataclass(frozen=True)
class Steps:
    """How the flow is integrated.

    Attributes:
        count: steps of one size, an even number; None chooses them, for each row, by their errors.
        method: of steps of one size, in `METHODS`.
        tolerance: nats that a chosen step may be wrong by, besides a hundred-thousandth of the log
            density where a row is far out.
    """

    count: int | None = None
    method: str = "rk4"
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        choice(*METHODS).check("method", self.method)
        if self.count is not None and (self.count < FEWEST or self.count % 2):
            raise InputError(
                f"{self.count} steps cannot be checked against half as many; give an even number "
                f"from {FEWEST} up, such as 64, or None, which chooses steps by their errors."
            )


@dataclass(frozen=True)
class FlowDensity:
    """Log densities of n rows under a flow, in nats.

    Attributes:
        values: (n,).
        stderr: (n,) standard error of what probes estimate; None where the trace is exact.
        ode_error: (n,) how wrong the steps may have made each.
        smoothing: (n,) what noise at t_min adds to it, to first order; less than 0 at modes.
        evaluations: (n,) of the denoiser, with its products.
    """

    values: Tensor
    stderr: Tensor | None
    ode_error: Tensor
    smoothing: Tensor
    evaluations: Tensor


def log_density(
    denoise: Told,
    process: Process,
    x: Tensor,
    frame: GaussianFrame,
    *,
    steps: Steps | None = None,
    probes: Tensor | None = None,
    context: Tensor | None = None,
) -> FlowDensity:
    """The log density of rows x (n, F).

    Args:
        denoise: of the rows' law.
        process: of x_t.
        frame: a Gaussian close to the rows, such as that of their mean and covariance.
        steps: None is Dormand and Prince's, chosen by their errors.
        probes: (P, n, F) of 1 and -1, each row's own; None takes the trace exactly, by F products
            for each evaluation.
        context: (n, c) what rows are conditioned on; the denoiser then takes it too.
    """
    flow = _Flow(denoise, process, frame, x, probes, context)
    steps = steps or Steps()
    start, end = process.t_min, process.t_max
    if steps.count is None:
        # Nets in single precision round by this share of how far out a row is.
        bear = steps.tolerance + _ROUNDED * flow.start[:, : x.shape[1]].square().sum(1) / 2
        found = adaptive(flow.slope, flow.start, start, end, bear, flow.nats)
        values = flow.totals(found)
        error, evaluations = found.error, found.evaluations
    else:
        method = METHODS[steps.method]
        whole, half = (
            fixed(flow.slope, flow.start, start, end, count, method)
            for count in (steps.count, steps.count // 2)
        )
        values = flow.totals(whole)
        error = (values.mean(1) - flow.totals(half).mean(1)).abs()
        evaluations = whole.evaluations + half.evaluations
    n_probes = values.shape[1]
    stderr = None
    if probes is not None:
        stderr = values.std(1) / math.sqrt(n_probes) if n_probes > 1 else values[:, 0] * math.nan
    return FlowDensity(values.mean(1), stderr, error, flow.smoothing, evaluations)


@dataclass
class _Flow:
    """The flow of rows x (n, F) in the Gaussian's coordinates: y = (z, a column a probe)."""

    denoise: Told
    process: Process
    frame: GaussianFrame
    x: Tensor
    probes: Tensor | None
    context: Tensor | None
    start: Tensor = field(init=False)
    smoothing: Tensor = field(init=False)

    def __post_init__(self) -> None:
        n, self.size = self.x.shape
        columns = 1 if self.probes is None else len(self.probes)
        t = self.x.new_full((n,), self.process.t_min)
        x_t = self.process.alpha(t)[:, None] * self.x
        z = self.frame.enter(self.process, x_t, t)
        self.start = torch.cat([z, z.new_zeros(n, columns)], 1)
        self.smoothing = self._smoothing(t)

    def _apart(self, t: Tensor, z: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x_t and xhat - xhat_G along the axes (n, F), and tr (J - J_G), (n, columns)."""
        process, frame = self.process, self.frame
        x_t = frame.leave(process, z, t)
        v = units(len(t), self.size, z) if self.probes is None else self.probes[:, rows]
        context = None if self.context is None else self.context[rows]
        data, vj = products(self.denoise, x_t, t, v, context)
        gain = frame.gain(process, t)
        apart = frame.rotated(data - frame.mean) - gain * frame.scale(process, t) * z
        if self.probes is None:
            trace = torch.einsum("fnf->n", vj) - gain.sum(1)
            return x_t, apart, trace[:, None]
        found = (vj * v).sum(2) - (frame.products(process, t, v) * v).sum(2)
        return x_t, apart, found.T

    def slope(self, t: Tensor, y: Tensor, rows: Tensor) -> Tensor:
        """dy/dt (n, K) of these rows."""
        z = y[:, : self.size]
        _, apart, trace = self._apart(t, z, rows)
        k_t = (self.process.wronskian(t) / self.process.sigma(t))[:, None]
        return torch.cat([-k_t * apart / self.frame.scale(self.process, t), -k_t * trace], 1)

    def nats(self, error: Tensor, t: Tensor, y: Tensor, slope: Tensor) -> Tensor:
        """(n,) what the error of a step from y (n, K) does to the log density."""
        size, process = self.size, self.process
        steep = process.alpha(t) / (process.sigma(t) * process.wronskian(t))
        moved = slope[:, :size] * self.frame.scale(process, t).square() * steep[:, None]
        shift = error[:, :size] * (y[:, :size] + moved)
        return error[:, size:].mean(1).abs() + shift.square().sum(1).sqrt()

    def totals(self, end: Solution) -> Tensor:
        """(n, columns) log densities of the rows whose y has come to its end."""
        z = end.y[:, : self.size]
        t = self.x.new_full((len(z),), self.process.t_min)
        volume = self.process.alpha(t)[:, None].log() - self.frame.scale(self.process, t).log()
        log_z = -0.5 * (z.square() + math.log(2 * math.pi))
        return (log_z + volume).sum(1, keepdim=True) + end.y[:, self.size :]

    def _smoothing(self, t: Tensor) -> Tensor:
        """(n,) r^2 / 2 (tr H + |g|^2), g = alpha_0 (alpha_0 xhat - x_t) / sigma_0^2 and H being the
        gradient and the Hessian of the log density of x = x_t / alpha_0."""
        rows = torch.arange(len(t), device=t.device)
        alpha_t, sigma_t = self.process.alpha(t), self.process.sigma(t)
        x_t, apart, trace = self._apart(t, self.start[:, : self.size], rows)
        gain, scale = self.frame.gain(self.process, t), self.frame.scale(self.process, t)
        data = self.frame.mean + self.frame.back(apart + gain * scale * self.start[:, : self.size])
        noise = (x_t - alpha_t[:, None] * data) / sigma_t[:, None]
        # r^2 tr H = alpha tr J - F, the Gaussian's part without the difference.
        curvature = alpha_t * trace.mean(1) - (sigma_t[:, None] / scale).square().sum(1)
        return (curvature + noise.square().sum(1)) / 2
