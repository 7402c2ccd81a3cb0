"""Log densities of encoded rows under a trained diffusion model: in blocks, in double precision but
for the net, each row with random numbers of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...arrays import Array, Floats
from ...data import Encoded
from ...errors import InputError
from ...family_density import Density, joined
from ...inference.diffusion.bound import bound
from ...inference.diffusion.likelihood import Steps, log_density
from ...inference.diffusion.row_noise import row_noise
from ...inference.diffusion.trace import signs
from ...inference.torch_state import within_cores
from ...progress import rows_bar
from ...rows import Rows
from ..nets.batches import slices
from ..nets.features import features
from .gauge import in_single
from .settings import EXACT, PROBES
from .trained import TrainedDiffusion

_TOLERANCE = 1e-4  # nats a step, times the root of the number of features
_WRONG = (0.05, 1e-3)  # nats by which steps may be wrong: at all, and for each feature
_FAR = 1e-4  # the same as a share of log densities far out
_SCATTERED = (1.0, 0.1)  # the same of standard errors of bounds
_AT_ONCE, _MOST = 1 << 19, 2048  # numbers of a block of rows, with what is drawn for them; rows
_CELLS = 11  # a seed


@dataclass(frozen=True)
class Asked:
    """How rows are scored.

    Attributes:
        method: "ode" or "bound".
        probes: of traces; None takes these exactly.
        steps: of the flow.
        draws: of the bound.
        wrong: nats by which steps may be wrong before it is said.
        scattered: standard errors of bounds, in nats, above which it is said.
        progress: whether a bar is shown.
    """

    method: str
    probes: int | None
    steps: Steps
    draws: int
    wrong: float
    scattered: float
    progress: bool

    @classmethod
    def of(
        cls,
        nets: TrainedDiffusion,
        *,
        method: str = "auto",
        probes: int | str | None = None,
        steps: int | None = None,
        solver: str = "rk4",
        draws: int = 64,
        progress: bool = False,
        **_: Any,
    ) -> Self:
        """What the options of `log_density` ask of a net.

        Raises:
            InputError: if it has no such density.
        """
        values = nets.view.values
        if method == "auto":
            method = "bound" if values.levels else "ode"
        if method == "ode" and values.levels:
            raise InputError(
                'method is "ode", and rows have levels, which no flow leads to. Take '
                'method="bound", or leave it out.'
            )
        if method == "bound" and nets.noise.coupled:
            raise InputError(
                'the fit has coupling="optimal", which gives a flow and no score, so that no bound '
                'holds. Take method="ode" for numbers, or fit with coupling="independent".'
            )
        if probes is None:
            probes = "exact" if values.features <= EXACT else PROBES
        size = values.features
        return cls(
            method,
            None if probes == "exact" else int(probes),
            Steps(steps, solver, _TOLERANCE * math.sqrt(size)),
            draws,
            max(_WRONG[0], _WRONG[1] * size),
            max(_SCATTERED[0], _SCATTERED[1] * size),
            progress,
        )

    def words(self, worst: float) -> str:
        """How a density of the flow came about."""
        trace = "exact trace" if self.probes is None else f"{self.probes} probes"
        count = self.steps.count
        steps = "chosen steps" if count is None else f"{count} {self.steps.method} steps"
        said = f"probability flow, {trace}, {steps}"
        return said if worst <= self.wrong else f"{said} that are too few"

    def advice(self, density: Density) -> str:
        """What to do about rows whose numbers cannot be trusted; "" where there are none."""
        error = density.diagnostics.get("ode_error")
        if error is None:
            return self._advice_on_draws(density)
        bad = int((error > self.wrong + _FAR * np.abs(density.values)).sum())
        if not bad:
            return ""
        raised = "Leave steps out" if self.steps.count else 'Take method="bound" for these'
        return (
            f"steps may be wrong by more than {self.wrong:.2g} nats for {bad} of {len(error)} "
            f"rows, by {np.nanmedian(error):.2g} in the middle: their densities are not to be "
            f"trusted. {raised}, or give more steps."
        )

    def _advice_on_draws(self, density: Density) -> str:
        """The same of bounds, whose draws may leave them anywhere; "" where they do not."""
        if density.stderr is None or not len(density.stderr):
            return ""
        spread = float(np.median(density.stderr))
        if not spread > self.scattered:
            return ""
        return (
            f"bounds are means of few draws, with a standard error of {spread:.2g} nats in the "
            "middle, so that they tell little, and may come out above what they bound. Give more "
            "draws, or train the net for longer."
        )


@within_cores()
def by_flow(nets: TrainedDiffusion, rows: Rows, asked: Asked) -> Density:
    """The densities of rows under the probability flow, without `rows.data.log_det`."""
    frame, size = nets.gauge.frame, nets.view.values.features
    stored, log_det = _stored(nets, rows.data)
    columns = size if asked.probes is None else asked.probes
    parts = []
    name = "densities by the flow"
    with rows_bar(name, len(rows), show=asked.progress) as done:
        for x, context, numbers in blocks(nets, stored, rows, size * columns):
            probes = None if asked.probes is None else signs(numbers, asked.probes, size, x)
            found = log_density(
                in_single(nets.denoise, nets.device),
                nets.process,
                x,
                frame,
                steps=asked.steps,
                probes=probes,
                context=context,
            )
            stderr = None if found.stderr is None else as_array(found.stderr)
            parts.append(
                Density(
                    as_array(found.values) + nets.view.values.log_det,
                    stderr,
                    {
                        "ode_error": as_array(found.ode_error),
                        "smoothing": as_array(found.smoothing),
                        "evaluations": as_array(found.evaluations),
                    },
                )
            )
            done(len(x))
    whole = joined(parts)
    whole = replace(whole, values=whole.values + log_det)
    worst = float(np.median(whole.diagnostics["ode_error"])) if len(rows) else 0.0
    filled = nets.view.values.filled
    return replace(
        whole,
        kind="lower_bound" if filled else "estimate",
        method=asked.words(worst),
        filled=("pixels",) if filled else (),
    )


@torch.no_grad()
@within_cores()
def by_bound(
    nets: TrainedDiffusion, rows: Rows, places: Sequence[Encoded], asked: Asked
) -> Density:
    """The variational bounds of rows, the mean over places of their cells, with `log_det`."""
    frame, values = nets.gauge.frame, nets.view.values
    each = max(8, -(-asked.draws // len(places)))
    scale, levels = nets.process.end_scale(nets.noise.sigma_data), values.indicators
    found, log_det = [], []
    with rows_bar("bounds", len(rows) * len(places), show=asked.progress) as done:
        for number, place in enumerate(places):
            stored, added = _stored(nets, place)
            log_det.append(place.log_det + added)
            parts = []
            for x, context, drawn in blocks(nets, stored, rows, values.features * 8):
                one = bound(
                    in_single(nets.denoise, nets.device),
                    nets.process,
                    x,
                    frame,
                    drawn ^ number,
                    levels=levels,
                    end_scale=scale,
                    draws=each,
                    times=nets.gauge.times,
                    context=context,
                )
                terms = (one.prior, one.diffusion, one.reconstruction, one.stderr)
                parts.append(np.stack([as_array(term) for term in terms]))
                done(len(x))
            found.append(np.concatenate(parts, 1))
    prior, diffusion, reconstruction, stderr = np.stack(found).transpose(1, 0, 2)
    # A mean of bounds is a bound; the mean of their densities would be one only without noise.
    total = (prior + diffusion + reconstruction + np.stack(log_det)).mean(0) + values.log_det
    error = np.sqrt(np.square(stderr).sum(0)) / len(places)
    if len(places) > 1:
        error = np.hypot(error, np.std(log_det, 0, ddof=1) / math.sqrt(len(places)))
    return Density(
        total,
        error,
        {
            "prior": prior.mean(0),
            "diffusion": diffusion.mean(0),
            "reconstruction": reconstruction.mean(0),
            "evaluations": np.full(len(rows), float(each * len(places))),
        },
        kind="lower_bound",
        method=f"variational bound, {each * len(places)} draws",
        gap=("variational",),
        filled=("pixels",) if values.filled else (),
    )


def _stored(nets: TrainedDiffusion, data: Encoded) -> tuple[Array, Floats]:
    """(n, D) values of encoded rows whose densities the net has, and (n,) what is added to these
    for the density of the encoded rows.

    Raises:
        InputError: of a fit that is told some columns, and has no density of these.
    """
    if told := nets.view.told_names:
        raise InputError(
            f"the fit is told {', '.join(told)} (condition_on) and models the others given these, "
            "so that rows have no density under it. Fit without condition_on."
        )
    return nets.view.stored(data), nets.view.log_det(data)


def blocks(
    nets: TrainedDiffusion, stored: Array, rows: Rows, size: int
) -> Iterator[tuple[Tensor, Tensor | None, NDArray[np.int64]]]:
    """Features (m, F) of stored rows (n, D) in double precision, their context, and a number of
    each that is a function of the row; `size` numbers are held for each."""
    values, n = nets.view.values, len(rows)
    seeds = rows.seeds if rows.seeds is not None else np.arange(n, dtype=np.uint64)
    block = int(min(_MOST, max(16, _AT_ONCE // max(size, 1))))
    for some in slices(n, block):
        numbers = seeds[some].view(np.int64)
        y = torch.as_tensor(np.asarray(stored[some], np.float64))
        u = None
        if values.filled:
            u = torch.special.ndtr(row_noise(_CELLS, numbers, 0, y.shape[1]).double())
        x = features(values, values.enter(y, u))
        context = None if rows.context is None else nets.tensor(rows.context[some])
        yield x, context, numbers


def as_array(x: Tensor) -> Floats:
    return np.asarray(x.double().cpu().numpy())
