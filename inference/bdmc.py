"""Bidirectional Monte Carlo: log p(x) from below and from above, for simulated rows.

Annealed importance sampling from g to f has E[w] = p(x). Along the same path from the other end,
b_T = 1 down to b_0 = 0, from an exact draw z* ~ p(z | x) and by the reversed transitions, the
increments summed in the order of the path give log w with E[1/w] = 1/p(x), so that in expectation

    log mean w  <=  log p(x)  <=  -log mean 1/w.

For rows simulated from the model, z* ~ p(z) and x ~ p(x | z*), the latents z* of a row are such a
draw, and the gap between both sides bounds the error of either. It says something about real rows
as far as these are like simulated ones.

Reference: Grosse, Ancha and Roy, "Measuring the reliability of MCMC inference with bidirectional
Monte Carlo", 2016, https://arxiv.org/abs/1606.02275.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..arrays import Array
from ..errors import InputError
from .ais import AIS, Annealing, Progress, ais, counter, run
from .hmc import LogProb, Start, Walk


@dataclass(frozen=True, eq=False)
class BDMC:
    """Both bounds of log p(x) for simulated rows, each (rows,), in nats.

    Standard errors are over chains. Where the chains of a row share one z*, the standard error of
    `upper` does not include its variation with z*; the spread over rows does.
    """

    forward: AIS
    reverse: AIS
    lower: Array
    lower_stderr: Array
    upper: Array
    upper_stderr: Array

    @property
    def gap(self) -> Array:
        """upper - lower: averaged over simulated rows, at least the error of either bound."""
        return self.upper - self.lower

    @property
    def gap_stderr(self) -> Array:
        """Standard error of `gap` over chains."""
        return np.hypot(self.lower_stderr, self.upper_stderr)


def bdmc(
    log_joint: LogProb,
    start: Start,
    z_star: Tensor,
    settings: Annealing,
    *,
    generator: torch.Generator,
    progress: Progress | None = None,
) -> BDMC:
    """Bound log p(x) from both sides, for rows simulated from the model.

    Args:
        z_star: (rows, k) latents that the rows were simulated from, z* ~ p(z) and x ~ p(x | z*);
            or (chains, rows, k), an exact draw from p(z | x) for each chain. `start` may depend on
            x, not on z*.
        log_joint, start, settings, generator, progress: as for `ais`. `progress` counts the forward
            run, then the reverse one, which uses the forward run's step sizes.

    Raises:
        InputError: as `ais`, or if `z_star` has another shape.
    """
    spare = torch.Generator(generator.device)  # so that `generator` is left as it is
    shape = start.sample(1, spare).shape[1:]
    if z_star.shape not in (shape, (settings.chains, *shape)):
        raise InputError(
            f"z_star has shape {tuple(z_star.shape)}; expected (rows, k), here {tuple(shape)}, or "
            f"(chains, rows, k), here {(settings.chains, *shape)}."
        )
    forward = ais(log_joint, start, settings, generator=generator, progress=progress)
    path = settings.schedule.tolist()[::-1]
    walk = Walk(log_joint, start, generator, settings.n_leapfrog)
    z = z_star.detach().to(forward.z).expand_as(forward.z)
    with torch.no_grad():
        sizes = forward.step_size.flip(0)
        back = run(walk, z, path, sizes, counter(progress, len(path) - 2))
    # From 1 to 0 the increments have the other sign: these weights estimate 1 / p(x).
    low, high = forward.weights, back.weights
    reverse = AIS(-back.log_weights, back.acceptance.flip(0), back.z, forward.step_size)
    return BDMC(forward, reverse, low.log_mean, low.stderr, -high.log_mean, high.stderr)
