"""Annealed importance sampling: log p(x) from chains that walk from a start to the posterior.

For a row x, f(z) = log p(x, z) and a normalised start g(z) that can be sampled, on the path

    log pi_b(z) = (1 - b) g(z) + b f(z),        0 = b_0 < b_1 < ... < b_T = 1,

a chain starts at z_0 ~ pi_0, and z_t comes from z_{t-1} by a transition that leaves pi_{b_t}
invariant. Then

    log w = sum_{t=1}^T (b_t - b_{t-1}) (f(z_{t-1}) - g(z_{t-1}))    has    E[w] = p(x),

so that log mean w over chains is a lower bound of log p(x) in expectation. `inference.bdmc` bounds
its error.

Step sizes are tuned in a pilot run with draws of its own, whose states are discarded, and are fixed
afterwards: they depend on nothing that the run itself draws, so E[w] = p(x) holds exactly.

References: Neal, "Annealed importance sampling", 2001, https://arxiv.org/abs/physics/9803008; Wu,
Burda, Salakhutdinov and Grosse, "On the quantitative analysis of decoder-based generative models",
2017, https://arxiv.org/abs/1611.04273.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from ..errors import InputError
from ..settings import integer, number
from . import temperatures
from .hmc import LogProb, Start, Walk
from .importance import Weights, summarise

Progress = Callable[[int, int], None]  # (transitions done, transitions in all)
Count = Callable[[], None]  # called after each transition
Ended = Callable[[], bool]  # whether chains are to end where they are
_PILOT_CHAINS, _WARM, _GAIN, _SMOOTH = 4, 40, 0.25, 8  # 40 transitions at b_1; half a window


@dataclass(frozen=True, eq=False)
class Annealing:
    """How to anneal.

    Attributes:
        schedule: (T + 1,) b_0 ... b_T, rising from 0 to 1, as `linear` or `sigmoidal` gives it.
        chains: chains for each row.
        n_leapfrog: leapfrog steps in a transition; each takes one gradient of f.
        step_size: where the pilot begins; or `AIS.step_size`, (T - 1, rows), of another run.
        target_accept: share of proposals that the pilot aims to accept; None runs no pilot and
            uses `step_size` as given.
    """

    schedule: Tensor = field(default_factory=lambda: sigmoidal(500))
    chains: int = 16
    n_leapfrog: int = 10
    step_size: float | Tensor = 0.1
    target_accept: float | None = 0.65

    def __post_init__(self) -> None:
        for name in ("chains", "n_leapfrog"):
            integer(1).check(name, getattr(self, name))
        b = self.schedule
        if b.ndim != 1 or len(b) < 2 or b[0] != 0 or b[-1] != 1 or not bool((b.diff() > 0).all()):
            raise InputError(
                f"schedule is {b}; expected numbers that rise from 0 to 1: take linear(n) or "
                "sigmoidal(n)."
            )
        if not bool(torch.as_tensor(self.step_size > 0).all()):
            raise InputError(f"step_size is {self.step_size}; expected positive numbers.")
        if self.target_accept is not None:
            number(above=0, below=1).check("target_accept", self.target_accept)


@dataclass(frozen=True, eq=False)
class AIS:
    """The result of a run.

    Attributes:
        log_weights: (chains, rows) log w in nats, float64.
        acceptance: (T - 1, rows) share of proposals accepted at b_1 ... b_{T-1}.
        z: (chains, rows, k) last states; of a forward run, draws from p(z | x) if weighted by w.
        step_size: (T - 1, rows) at b_1 ... b_{T-1}.
        reached: the temperature of the last states; below 1 they are weighed for the rest.
    """

    log_weights: Tensor
    acceptance: Tensor
    z: Tensor
    step_size: Tensor
    reached: float = 1.0

    @property
    def weights(self) -> Weights:
        """Summary of a forward run: the lower bound of log p(x) and its standard error."""
        return summarise(self.log_weights.T.cpu().numpy())


def linear(n: int) -> Tensor:
    """As `temperatures.linear`."""
    return torch.from_numpy(temperatures.linear(n))


def sigmoidal(n: int, delta: float = 4.0) -> Tensor:
    """As `temperatures.sigmoidal`."""
    return torch.from_numpy(temperatures.sigmoidal(n, delta))


def ais(
    log_joint: LogProb,
    start: Start,
    settings: Annealing,
    *,
    generator: torch.Generator,
    progress: Progress | None = None,
    ended: Ended = lambda: False,
) -> AIS:
    """Estimate log p(x) of a block of rows, all chains side by side.

    Args:
        log_joint: f: z (chains, rows, k) -> (chains, rows), in nats, one value for each row; its
            gradient is taken with respect to z only. The pilot calls it with another number of
            chains. Where it gives -inf or NaN the proposal is rejected; it must not raise.
        start: g.
        settings: how to anneal.
        generator: source of all draws; on the rows' device.
        progress: called with (done, total) after each transition, including the pilot's.
        ended: asked before each transition; where it says so, the path goes to b = 1 at once.

    Raises:
        InputError: if f or g give another shape than (chains, rows).
    """
    b, walk = settings.schedule.tolist(), Walk(log_joint, start, generator, settings.n_leapfrog)
    target, inner = settings.target_accept, len(settings.schedule) - 2
    warm = min(_WARM, 5 * inner)
    count = counter(progress, inner if target is None else warm + 2 * inner)
    with torch.no_grad():
        step_size = settings.step_size
        if target is not None and inner:
            z = start.sample(_PILOT_CHAINS, generator)
            begin = _sizes(step_size, inner, z)[0]
            trace = _pilot(walk, z, [b[1]] * warm + b[1:-1], begin, target, count, ended)
            step_size = _smooth(trace[warm:])
        z = start.sample(settings.chains, generator)
        return run(walk, z, b, _sizes(step_size, inner, z), count, ended)


def run(
    walk: Walk,
    z: Tensor,
    path: Sequence[float],
    sizes: Tensor,
    count: Count,
    ended: Ended = lambda: False,
) -> AIS:
    """Walk along `path`, in either direction: each increment of log w is added before its
    transition, and no transition follows the last."""
    point = walk.at(z)
    log_w = torch.zeros_like(point.f, dtype=torch.float64)
    acceptance = torch.zeros_like(sizes)
    for t, (before, b) in enumerate(pairwise(path)):
        if ended():
            log_w += (path[-1] - before) * (point.f.double() - point.g.double())
            return AIS(log_w, acceptance, point.z, sizes, before)
        log_w += (b - before) * (point.f.double() - point.g.double())
        if t < len(sizes):
            point, accepted, _ = walk.step(point, b, sizes[t])
            acceptance[t] = accepted.to(sizes.dtype).mean(0)
            count()
    return AIS(log_w, acceptance, point.z, sizes)


def _pilot(
    walk: Walk,
    z: Tensor,
    path: Sequence[float],
    begin: Tensor,
    target: float,
    count: Count,
    ended: Ended,
) -> Tensor:
    """Step sizes (len(path), rows), adapted from `begin` (rows,) until the share `target` of
    proposals is accepted."""
    point, log_size, trace = walk.at(z), begin.log(), []
    least, most = log_size - 10, log_size + 10
    for b in path:
        if not ended():
            point, _, probability = walk.step(point, b, log_size.exp())
            log_size = (log_size + _GAIN * (probability.mean(0) - target)).clamp(least, most)
        trace.append(log_size)
        count()
    return torch.stack(trace).exp()


def _smooth(sizes: Tensor) -> Tensor:
    """Geometric means over neighbours on the path, (T - 1, rows)."""
    half = min(_SMOOTH, len(sizes) - 1)
    padded = torch.nn.functional.pad(sizes.log().T[None], (half, half), mode="replicate")
    return torch.nn.functional.avg_pool1d(padded, 2 * half + 1, stride=1)[0].T.exp()


def _sizes(step_size: float | Tensor, inner: int, z: Tensor) -> Tensor:
    """A step size (inner, rows) for each transition."""
    sizes = torch.as_tensor(step_size, dtype=z.dtype, device=z.device)
    if sizes.ndim not in (0, 2) or (sizes.ndim == 2 and sizes.shape != (inner, z.shape[1])):
        raise InputError(
            f"step_size has shape {tuple(sizes.shape)}; expected a number, or "
            f"(transitions, rows) = {(inner, z.shape[1])}."
        )
    return sizes.expand(inner, z.shape[1])


def counter(progress: Progress | None, total: int) -> Count:
    """A function whose calls give `progress` (1, total), (2, total), ..."""
    done = iter(range(1, total + 1))
    return lambda: None if progress is None else progress(next(done), total)
