"""A diffusion model as a part of other models: a prior over rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...arrays import Floats
from ...errors import InputError
from ...sampler import Sampler
from ...settings import integer
from .settings import IMPUTING

if TYPE_CHECKING:
    from .trained import TrainedDiffusion


class Component(Sampler):
    """A diffusion model that is a prior."""

    nets_: TrainedDiffusion

    def posterior_sample(
        self,
        measured: Any,
        n: int = 1,
        *,
        y: Any = None,
        method: Literal["mmps", "smc"] = "mmps",
        particles: int | None = None,
        steps: int | None = None,
        random_state: Any = None,
    ) -> Floats:
        """Draws from p(x | what was measured), the model being the prior of x.

        Args:
            measured: (A, y, sigma) of y = A x + sigma eps, where A is a matrix (m, D) or a linear
                function of rows (n, D) of torch; or a log likelihood of rows (n, D), (n,) numbers
                of torch, twice differentiable. x are the values of a row in the units of the data:
                columns in order, or pixels channel by channel.
            n: how many.
            y: for a conditional fit, what to condition on besides: one row.
            method: "mmps" matches moments: exact for normal rows and linear A, elsewhere not
                calibrated. "smc" is exact as particles and steps grow, and needs many where much
                was measured.
            particles: of "smc", at least n; None is 256.
            steps: from noise to rows; None is 50.
            random_state: seed; None takes the estimator's own.

        Returns:
            (n, D) rows, not rounded.

        Raises:
            InputError: if what was measured cannot be read, or rows are no linear function of what
                the net sees.
        """
        from .conditionals import PARTICLES, Asked
        from .linear_units import LinearUnits
        from .posterior import observation, posterior

        check_is_fitted(self)
        integer(1).check("n", n)
        if method not in ("mmps", "smc"):
            raise InputError(f'method is {method!r}; expected "mmps" or "smc".')
        IMPUTING.check({"particles": particles, "steps": steps})
        states = max(particles or PARTICLES, n) if method == "smc" else n
        units = LinearUnits.of(self.codec_, self.nets_)
        observed = observation(measured, units, self.nets_)
        asked = Asked.of(method, states, steps)
        found = posterior(
            self.nets_, observed, self._one_context(y), asked, n, self._seed(random_state)
        )
        return np.asarray(units.offset + units.slope * found.drawn[0])

    def as_distribution(
        self, backend: Literal["numpyro", "pyro"], y: Any = None, *, steps: int | None = None
    ) -> Any:
        """The rows as a distribution of NumPyro or Pyro, for a site of a model: values (..., D) in
        the units of the data, columns in order or pixels channel by channel.

        Its log density has no gradient. `TransformReparam` of the backend puts noise in the place
        of the site, and gradients pass through the flow from noise to rows; see
        `models/diffusion/pyro_site.py`. The net computes in single precision; NumPyro calls back to
        torch for it.

        Args:
            backend: "numpyro" or "pyro".
            y: for a conditional fit, what to condition on: one row.
            steps: of the flow from noise to rows; None is 18.

        Raises:
            InputError: if rows are not seen by the net in linear units, or no y is given to a
                conditional fit.
        """
        from .linear_units import LinearUnits

        context = self._given_to_distribution(backend, y)
        if context is not None and len(context) > 1:
            raise InputError(f"y has {len(context)} rows; give one row.")
        units = LinearUnits.of(self.codec_, self.nets_)
        if backend == "pyro":
            from .pyro_site import distribution
        else:
            from .numpyro_site import distribution
        return distribution(self.nets_, units, context, steps)

    def _one_context(self, y: Any) -> Floats | None:
        self._refuse_unused(y)
        if self.context_ is None:
            return None
        if y is None:
            raise InputError("this fit is conditional on y, and no y was given; give one row.")
        return self.context_.encode(y, 1)
