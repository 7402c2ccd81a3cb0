"""A look at a trained GAN: what its samples are, and what its discriminator says of them.

Copies are looked for among all rows trained on (see `nets.memory`).
"""

from __future__ import annotations

import numpy as np

from ...arrays import Floats
from ...fitting import Fit
from ...verdict import Reason
from ..nets.held_out import Subset
from ..nets.memory import Narrow, contexts, repeated
from ..nets.timing import took
from . import verdicts
from .held_out_score import HeldOutScore
from .refine import Ratio
from .trained import TrainedGAN

_SETS = 5  # of generated rows, that scores are calibrated by
_SCORES = 10  # that take as long as all that is done with samples
_TRIED, _TRIED_VALUES = 500, 1 << 21  # rows trained on that are timed, and values of wide ones
_SHARE, _FEWEST, _MADE = 0.02, 16, 4  # of a budget that a score takes; rows that it has; rows timed


def affordable(nets: TrainedGAN, seen: Subset, most: int, budget: float | None) -> int:
    """How many rows are scored in an evaluation: as many as take little of a budget."""
    if budget is None:
        return most
    n = -(-_MADE // nets.architecture.pack) * nets.architecture.pack
    context = seen.thinned(n, np.random.default_rng(0)).values()[1]
    context = None if context is None else np.resize(context, (n, context.shape[1]))

    def once() -> None:
        nets.discriminate(nets.generate(n, context, 0), context)

    return int(min(most, max(_FEWEST * nets.architecture.pack, _SHARE * budget * n / took(once))))


def seconds(nets: TrainedGAN, score: HeldOutScore, seen: Subset, seed: int) -> float:
    """About how long `calibrate` and `of_samples` will take, by samples of untrained nets that are
    judged and scored, and by features of some of the rows trained on."""
    tried = max(_FEWEST, min(_TRIED, _TRIED_VALUES // nets.view.values.features))
    pack, some = nets.architecture.pack, seen.thinned(tried, np.random.default_rng(seed))
    contexts = None if score.contexts is None else score.contexts.cpu().numpy()
    n = score.n_samples // pack * pack

    def of_score() -> None:
        made = nets.generate(score.n_samples, contexts, seed)
        nets.discriminate(made[:n], None if contexts is None else contexts[:n])
        score(nets.tensor(made))

    def of_rows() -> None:
        score.space(nets.tensor(nets.features(some.values()[0])))

    # Once each, as `affordable` has run the nets before.
    return _SCORES * took(of_score, 1) + took(of_rows, 1) / len(some) * len(seen)


def of_samples(
    nets: TrainedGAN, score: HeldOutScore, seen: Subset, unseen: Subset, fit: Fit, steps: int
) -> list[Reason]:
    """What is said of generated rows.

    Args:
        score: by held-out rows.
        seen, unseen: all rows trained on and all that were held out.
        steps: of the training.
    """
    rng = fit.rng()
    narrow = Narrow(nets.view.values.features, fit.seed)

    def space(rows: Subset) -> Floats:
        return score.space(nets.tensor(nets.features(rows.values()[0])))

    def made(context: Floats | None) -> Floats:
        rows = nets.view.finished(nets.generate(score.n_samples, context, fit.seed))
        return score.space(nets.tensor(rows))

    few = [space(rows.thinned(verdicts.MOST, rng)) for rows in (seen, unseen)]
    fake = made(None if score.contexts is None else score.contexts.cpu().numpy())
    reasons = verdicts.lost_modes(fake, few[0], few[1], rng, steps)
    told = contexts(seen, unseen, score.n_samples, rng)
    fake = narrow(fake if told is None else made(told))
    real = [narrow.rows(rows, space) for rows in (seen, unseen)]
    found = repeated(fake, real[0], real[1], (seen.units(), unseen.units()))
    return [*reasons, *verdicts.memory(found)]


def calibrate(nets: TrainedGAN, unseen: Subset, score: HeldOutScore, seed: int) -> None:
    """Take what the discriminator's score says of held-out and of generated rows, the latter with
    the contexts of the former, and with their weights."""
    pack, rng = nets.architecture.pack, np.random.default_rng([seed, 0x0D])
    x, context = unseen.values()
    order = rng.permutation(len(x))[: len(x) // pack * pack]
    c = None if context is None else context[order]
    real = nets.discriminate(nets.shown(nets.features(x[order])), c)
    n = score.n_samples // pack * pack
    c = None if score.contexts is None else score.contexts[:n].cpu().numpy()
    fake = [
        nets.discriminate(nets.view.finished(nets.generate(n, c, int(again))), c)
        for again in rng.integers(2**31 - 1, size=_SETS)
    ]
    weights, made = None, None
    if pack == 1 and unseen.shares is not None:
        weights = unseen.shares[order]
    if pack == 1 and score.weights is not None:
        made = np.tile(score.weights[:n].double().cpu().numpy(), _SETS)
    nets.ratio = Ratio.fit(real, np.concatenate(fake), weights, made)
