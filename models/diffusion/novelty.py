"""A look at the samples of a trained diffusion model, beside all rows trained on and held out.

Distances are taken among features, the indicators of a column scaled so that they count as a
column does. What samples cost is bounded: of a budget, by a share of it; else by a share of what
the training computed, a step of B rows being about 3 B evaluations of the net.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ...arrays import Floats
from ...neighbours import Memorised
from ..nets.features import features, gains
from ..nets.held_out import Subset
from ..nets.memory import FEW, Narrow, contexts, repeated
from ..nets.trainer import Trainer, Training
from .sampling import sampled, sampling_plan
from .trained import TrainedDiffusion

_SAMPLES = 500  # that are looked at, at most
_SHARE = 0.05  # of a budget, or of a training, that samples take at most
_SCALED = 2000  # rows that indicators are scaled by


def affordable(nets: TrainedDiffusion, trainer: Trainer) -> tuple[int, float]:
    """How many samples can be looked at after a training, and the seconds that they take: 0 of an
    endless budget, and of one that is too short."""
    evaluations = _evaluations(nets)
    found, seconds = trainer.looking(once(nets), _SAMPLES * evaluations, _SHARE)
    n = found // evaluations
    return (n, seconds) if n >= FEW else (0, 0.0)


def once(nets: TrainedDiffusion) -> Callable[[Subset], None]:
    """Evaluates the net at each of some rows once."""

    @torch.no_grad()
    def evaluated(rows: Subset) -> None:
        x, context = rows.values()
        t = nets.process.time_of(nets.tensor(np.array(nets.noise.sigma_data)))
        made = nets.denoiser(context)(nets.features(nets.tensor(x)), t.expand(len(x)))
        made.cpu()

    return evaluated


def of_training(nets: TrainedDiffusion, training: Training) -> int:
    """How many samples take no more than a share of a training."""
    trained = 3 * training.outcome.steps * training.batch_size
    return int(_SHARE * trained / _evaluations(nets))


def drawn(nets: TrainedDiffusion, seen: Subset, unseen: Subset, n: int, seed: int) -> Floats | None:
    """(n, F) features of samples, with contexts of rows; None where there are too few rows, or
    samples, to look at.

    Args:
        seen, unseen: all rows trained on and all that were held out.
        n: samples.
        seed: of the samples.
    """
    if min(n, len(seen), len(unseen)) < FEW:
        return None
    rng = np.random.default_rng([seed, 0x4E])
    return sampled(nets, n, contexts(seen, unseen, n, rng), seed)


def repeats(
    nets: TrainedDiffusion, made: Floats | None, seen: Subset, unseen: Subset, seed: int
) -> Memorised | None:
    """How far samples, as `drawn` gives them, repeat training rows; None where there are none."""
    if made is None:
        return None
    rng, values = np.random.default_rng([seed, 0x4E]), nets.view.values
    some = seen.thinned(_SCALED, rng).values()[0]
    gain = gains(values, nets.features(nets.tensor(some))).double().cpu().numpy()
    narrow = Narrow(values.features, seed)

    def space(rows: Subset) -> Floats:
        x = nets.features(nets.tensor(rows.values()[0]))
        return np.asarray(x.double().cpu().numpy() * gain)

    levels = values.gathered(nets.view.finished(made))
    fake = features(values, nets.tensor(levels)).double().cpu().numpy() * gain
    real = [narrow.rows(rows, space) for rows in (seen, unseen)]
    return repeated(narrow(fake), real[0], real[1], (seen.units(), unseen.units()))


def _evaluations(nets: TrainedDiffusion) -> int:
    return len(sampling_plan(nets).times) - 1
