"""Samples of a generator, refined by what its discriminator has learnt.

With p the density of rows and p_G that of generated ones, samples of p_G become samples of p if
they are kept by the ratio w(x) = p(x) / p_G(x). What the best discriminator of a given generator
says of it:

    minimax, non_saturating    D(x) = log w(x)
    relativistic               D(x) = log w(x) + any constant
    least_squares              D(x) = w(x) / (1 + w(x))
    hinge                      D(x) = sign(w(x) - 1): which is greater, and not by how much
    wasserstein                no function of w(x)

(Pairs: the loss E softplus(-(D(x) - D(y))), x ~ p, y ~ p_G, is convex in D. Its derivative by D(t)
is -p(t) E_y[s(D(y) - D(t))] + p_G(t) E_x[s(D(t) - D(x))], s the sigmoid. With D = log w + c, the
first mean is the integral of p(u) / (w(t) + w(u)) du, the second w(t) times that, and p = w p_G.)

A trained discriminator is not the best one: penalties flatten it, and it knows the rows that it was
trained on. So its score is calibrated on held-out rows and as many generated ones again and again:

    log w(D) = the logarithm of a rising function of the score that fits their shares in 50 bins,

times a share from 0 to 1, by which other held-out rows are told best (cross-validation: where the
score tells nothing, samples stay as they are). This is the density ratio of the scores themselves,
D(x) of real rows to D(x) of generated ones, whatever the objective. Refined samples have the scores
that real rows have, and in relative entropy p is no farther from their distribution than from p_G;
how much nearer depends on how much of w the score knows: little for a hinge or Wasserstein
discriminator.

Each sample is a chain of independent proposals (Metropolis and Hastings; Turner et al.): from
x ~ p_G, `steps` times

    y ~ p_G,    x <- y  with probability min(1, w(y) / w(x)).

No bound of w is needed, and a constant cancels. Rows keep what they are conditioned on along their
chain, but scores of all contexts are calibrated together: where scores of one context lie higher
than those of another, log w is that of the mixture, not of each context. On the 25 Gaussians,
beside it: rejection (Azadi et al.) is as good and needs 138 rows for one where w is
large; one of 80 weighted proposals is as good; Langevin steps in the noise (Che et al.) put more
samples on modes and lose modes.

References:
    Discriminator rejection sampling (Azadi, Olsson, Darrell, Goodfellow, Odena, 2019)
    https://arxiv.org/abs/1810.06758
    Metropolis-Hastings generative adversarial networks (Turner, Hung, Frank, Saatchi, Yosinski,
    2019) https://arxiv.org/abs/1811.11357
    Your GAN is secretly an energy-based model and you should use discriminator driven latent
    sampling (Che, Zhang, Sohl-Dickstein, Larochelle, Paull, Cao, Bengio, 2020)
    https://arxiv.org/abs/2003.06060
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from ...arrays import Array, Floats

BINS = 50
LEAST = 40  # held-out scores from which on there is a calibration
_EACH = 4  # scores of real rows a bin at least, on average
_FOLDS = 5
_SHARES = np.linspace(0, 1, 6)  # of log w, from which one is chosen
_HALF = 0.5  # score added to each bin on either side: no ratio is 0 or infinite


@dataclass(frozen=True, eq=False)
class Ratio:
    """log w of a score: linear between the means of bins, constant beyond.

    Attributes:
        scores, logs: (b,) mean score and log w of each bin, both rising.
    """

    scores: Floats
    logs: Floats

    @classmethod
    def fit(
        cls,
        real: Floats,
        fake: Floats,
        weights: Floats | None = None,
        made: Floats | None = None,
    ) -> Self | None:
        """By scores of held-out and of generated rows; None of fewer than `LEAST` of either.

        Args:
            real, fake: (n,) and (m,) scores.
            weights, made: (n,) and (m,) weights of these, in any unit; None for alike.
        """
        n, m = len(real), len(fake)
        if min(n, m) < LEAST:
            return None
        w = np.ones(n) if weights is None else weights / weights.mean()
        v = np.ones(m) if made is None else made / made.mean()
        whole, losses = cls._rising(real, fake, w, v), np.zeros(len(_SHARES))
        for part in range(_FOLDS):
            kept, left = np.arange(n) % _FOLDS != part, np.arange(m) % _FOLDS != part
            told = cls._rising(real[kept], fake[left], w[kept], v[left])
            logs = told(real[~kept]), told(fake[~left])
            for i, share in enumerate(_SHARES):
                losses[i] += np.average(np.logaddexp(0, -share * logs[0]), weights=w[~kept])
                losses[i] += np.average(np.logaddexp(0, share * logs[1]), weights=v[~left])
        return cls(whole.scores, _SHARES[int(losses.argmin())] * whole.logs)

    @classmethod
    def _rising(cls, real: Floats, fake: Floats, w: Floats, v: Floats) -> Self:
        """The rising function of the score by shares in bins."""
        from sklearn.isotonic import IsotonicRegression

        n = len(real)
        scores, each = np.concatenate([real, fake]), np.concatenate([w / w.sum(), v / v.sum()])
        order = np.argsort(scores, kind="stable")
        bins = max(2, min(BINS, n // _EACH))
        ends = np.searchsorted(np.cumsum(each[order]) / 2, np.arange(1, bins) / bins)
        edges = np.unique(scores[order][np.minimum(ends, len(order) - 1)])
        at = np.searchsorted(edges, scores, side="right")
        held = np.bincount(at[:n], w, len(edges) + 1) + _HALF
        made = np.bincount(at[n:], v, len(edges) + 1) + _HALF
        held, made = held / held.sum(), made / made.sum()
        share = IsotonicRegression().fit_transform(
            np.arange(len(held)), held / (held + made), sample_weight=held + made
        )
        counts = np.bincount(at, minlength=len(held))
        there = counts > 0
        means = np.bincount(at, scores, len(held))[there] / counts[there]
        return cls(means, np.log(share / (1 - share))[there])

    def __call__(self, scores: Floats) -> Floats:
        """(n,) log w of scores."""
        return np.asarray(np.interp(scores, self.scores, self.logs))

    def arrays(self) -> dict[str, Array]:
        """What a saved run keeps."""
        return {"scores": self.scores, "logs": self.logs}

    @classmethod
    def of(cls, arrays: Mapping[str, Array]) -> Self | None:
        """The one that `arrays` gave, None of nothing."""
        return cls(arrays["scores"], arrays["logs"]) if len(arrays) else None


def refined(
    generate: Callable[[int], Floats],
    log_ratio: Callable[[Floats], Floats],
    steps: int,
    seed: int,
    pack: int = 1,
) -> Floats:
    """(n, F) rows after so many proposals each.

    Args:
        generate: of a seed, (n, F) generated rows: each time with the same contexts.
        log_ratio: log w of rows, (n / pack,).
        steps: rows generated for each one, the first included.
        seed: of all draws.
        pack: rows that are judged, and kept, together.
    """
    rng = np.random.default_rng(seed)
    rows = generate(int(rng.integers(2**31 - 1)))
    logs = log_ratio(rows)
    for _ in range(steps - 1):
        proposed = generate(int(rng.integers(2**31 - 1)))
        new = log_ratio(proposed)
        taken = np.log(rng.random(len(new))) < new - logs
        rows = np.where(np.repeat(taken, pack)[:, None], proposed, rows)
        logs = np.where(taken, new, logs)
    return rows
