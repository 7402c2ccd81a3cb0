"""The posterior of a fitted pair over its discrete latent sites."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...checks import seed_of
from ...errors import InputError
from ...inference.discrete_posterior import DiscretePosterior, discrete_posterior
from .pointwise import Likelihoods


class Discrete(Likelihoods):
    """What the data say of discrete sites, which the fit sums out."""

    def infer_discrete(
        self,
        *data: Any,
        most_probable: bool = False,
        by_draw: bool = False,
        random_state: Any = 0,
        **named: Any,
    ) -> DiscretePosterior:
        """The posterior over the discrete sites: exact probabilities given each draw, their mean,
        and joint draws.

        Args:
            data, named: what the model is called with; nothing stands for the data fitted.
            most_probable: in place of joint draws the states most probable together.
            by_draw: keep the probabilities given each draw.
            random_state: seed of the joint draws.

        Returns:
            Probabilities (*entries, K) of each site's states, and (chain, draw, *entries) numbers
            of its drawn states.

        Raises:
            InputError: if the model has no discrete site, there are no data, or it takes more
                memory than there is.
        """
        target = self.target_of(data, named)
        if not target.sites.discrete:
            raise InputError(
                f"the model has no discrete latent site; it has {', '.join(target.sites)}."
            )
        rng = np.random.default_rng(seed_of(random_state))
        model, draws = self._enumerated(target), self._flat_draws()
        found = discrete_posterior(model, draws, rng, most_probable, by_draw)
        return replace(
            found,
            by_draw={s: p.reshape(*self.shape, *p.shape[1:]) for s, p in found.by_draw.items()},
            draws={s: x.reshape(*self.shape, *x.shape[1:]) for s, x in found.draws.items()},
        )
