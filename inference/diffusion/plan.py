"""How many steps a sampler takes, and at which times.

A grid begins at t_max and ends at 0. Between, the times of the ratios r_t, in units of the standard
deviation of the data, are spread

    log        evenly in log r                                            dpm2m, ancestral
    sinh       evenly in arsinh(r / 0.15): as log r above, as r below     heun
    straight   evenly in u = r / (1 + r), the time of the linear path     ddim

or evenly in the process's own t (euler). `log` and `sinh` go from R down to 0.3 / steps, with R =
max(10, steps / 2), or six times the spread along the widest direction of the rows where that is
more: what is left out at both ends shrinks as fast as the errors of the steps. Of
seven grids on two mixtures with exact denoisers these leave the least over at 20 and 40
evaluations, or at most a quarter more (benchmarks/diffusion_samplers.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError, unknown
from .process import Denoise, Process
from .row_noise import RowNoise
from .samplers import SAMPLERS, Sampler, State, run

Grid = Callable[[Process, int, float, float], Tensor]
"""process, steps, sigma_data, widest -> (steps - 1,) falling times between t_max and 0."""
_WIDER = 6.0  # than the widest spread is the noise that hides it
_AT_MOST = 0.9  # of r_t at t_max
_KNEE = 0.15  # of the grid `sinh`


def _even(process: Process, steps: int, sigma_data: float, widest: float) -> Tensor:
    return torch.linspace(process.t_max, process.t_min, steps + 1, dtype=torch.float64)[1:-1]


def _straight(process: Process, steps: int, sigma_data: float, widest: float) -> Tensor:
    u_max = 1 / (1 + sigma_data / _most(process))
    u = torch.linspace(u_max, 0.0, steps + 1, dtype=torch.float64)[1:-1]
    return process.time_of(sigma_data * u / (1 - u))


def _log(process: Process, steps: int, sigma_data: float, widest: float) -> Tensor:
    high, low = (math.log(end) for end in _ends(process, steps, sigma_data, widest))
    return process.time_of(torch.linspace(high, low, steps - 1, dtype=torch.float64).exp())


def _sinh(process: Process, steps: int, sigma_data: float, widest: float) -> Tensor:
    knee = _KNEE * sigma_data
    ends = _ends(process, steps, sigma_data, widest)
    high, low = (math.asinh(end / knee) for end in ends)
    return process.time_of(knee * torch.linspace(high, low, steps - 1, dtype=torch.float64).sinh())


def _ends(process: Process, steps: int, sigma_data: float, widest: float) -> tuple[float, float]:
    high = max(max(10.0, steps / 2) * sigma_data, _WIDER * widest)
    return min(high, _AT_MOST * _most(process)), 0.3 / steps * sigma_data


def _most(process: Process) -> float:
    """r_t at t_max; may be infinite."""
    return float(process.ratio(torch.tensor(process.t_max)))


@dataclass(frozen=True)
class Pace:
    """What suits a sampler.

    Attributes:
        grid: the times it goes through.
        least: steps that it is refused below.
        few: steps below which more than 5% of the rows' distance is left over.
        steps: that it takes unless told otherwise.
    """

    grid: Grid
    least: int
    few: int
    steps: int


PACES = {
    "ancestral": Pace(_log, 3, 50, 200),
    "ddim": Pace(_straight, 2, 20, 100),
    "euler": Pace(_even, 2, 20, 100),
    "heun": Pace(_sinh, 3, 8, 18),
    "dpm2m": Pace(_log, 4, 10, 25),
}


@dataclass(frozen=True)
class Plan:
    """What a sampler does: its kind, and the times it goes through.

    Attributes:
        process: of x_t.
        method: in `SAMPLERS`.
        times: falling, from t_max to 0.
        scale: standard deviation of what it starts from.
        reason: why it takes that many steps.
        concern: what is wrong with so few; "" where nothing is.
    """

    process: Process
    method: str
    times: tuple[float, ...]
    scale: float
    reason: str
    concern: str

    @classmethod
    def of(
        cls,
        process: Process,
        method: str = "dpm2m",
        steps: int | None = None,
        sigma_data: float = 1.0,
        widest: float = 0.0,
    ) -> Plan:
        """The grid that suits a sampler.

        Args:
            steps: from t_max to 0; None takes as many as the sampler is known to need.
            sigma_data: standard deviation of the data's features.
            widest: that of the direction along which they spread widest.

        Raises:
            InputError: if there is no such sampler, or the steps are too few for its order.
        """
        if method not in SAMPLERS:
            raise unknown("sampler", method, SAMPLERS)
        pace = PACES[method]
        asked = pace.steps if steps is None else steps
        if asked < pace.least:
            raise InputError(
                f"{asked} steps are too few for the sampler {method!r}, of order "
                f"{SAMPLERS[method].order}: it takes at least {pace.least}; {pace.steps} do."
            )
        between = pace.grid(process, asked, sigma_data, widest).tolist()
        return cls(
            process,
            method,
            (process.t_max, *between, 0.0),
            process.end_scale(sigma_data),
            _reason(method, asked) if steps is None else "asked for",
            _concern(process, method, asked),
        )

    @property
    def steps(self) -> int:
        """From t_max to 0."""
        return len(self.times) - 1

    @property
    def evaluations(self) -> int:
        """Of the denoiser, for each row."""
        return SAMPLERS[self.method].evaluations * (self.steps - 1) + 1


def sample(plan: Plan, denoise: Denoise, noise: RowNoise) -> Iterator[State]:
    """The states from noise to rows, one for each of the plan's times; the last is at t = 0."""
    sampler: Sampler = SAMPLERS[plan.method](plan.process, denoise)
    yield from run(sampler, plan.scale * noise.at(0), plan.times, noise)


def draw(plan: Plan, denoise: Denoise, noise: RowNoise) -> Tensor:
    """(n, F) rows."""
    *_, last = sample(plan, denoise, noise)
    return last.x_t


def _reason(method: str, steps: int) -> str:
    start = f"{steps} steps: with exact denoisers of mixtures"
    if SAMPLERS[method].draws:
        return f"{start}, variances are then about 5% too low, and many more steps halve that"
    return f"{start}, rows then are within 1% of their distance from where many more steps end"


def _concern(process: Process, method: str, steps: int) -> str:
    if method == "euler" and process.name == "edm":
        return (
            "Euler's rule in the time of the process 'edm' needs thousands of steps; take 'heun', "
            "or 'ddim', which is Euler's rule on the linear path"
        )
    few = PACES[method].few
    if steps >= few:
        return ""
    return f"{steps} steps of {method} are few: below {few}, rows are visibly not the model's own"
