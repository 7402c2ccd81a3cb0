"""Rows on their way to noise and back, to be looked at: what `Diffusion` shows of its process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...arrays import Array, Floats
from ...coded import made_rows
from ...data import Codec, Dataset, Encoded, as_dataset
from ...sampler import Sampler
from ...settings import integer

if TYPE_CHECKING:
    import torch

    from ...inference.diffusion.plan import Plan
    from ...inference.diffusion.process import Denoise
    from ...inference.diffusion.quality import Quality
    from ...inference.diffusion.row_noise import RowNoise
    from ..nets.views import View
    from .trained import TrainedDiffusion

SHARES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)
"""Of noise, sigma_t / (alpha_t + sigma_t), that rows are shown with."""
STEPS = (4, 6, 10, 25)
_METHODS, _COUNTS = ("dpm2m", "heun", "ddim"), (5, 10, 20, 40)


@dataclass(frozen=True, eq=False)
class Film:
    """The same n rows at k levels of noise.

    Attributes:
        shares: (k,) of noise in each frame, sigma_t / (alpha_t + sigma_t).
        evaluations: (k,) of the net up to each frame.
        noisy: the k frames of rows x_t / (alpha_t + sigma_t), in the units of the data.
        denoised: the k frames of E[x | x_t]; of levels the likeliest.
    """

    shares: Floats
    evaluations: Array
    noisy: Sequence[Dataset]
    denoised: Sequence[Dataset]


@dataclass(frozen=True, eq=False)
class _Set:
    """What a film is made with.

    Attributes:
        denoise: of its n rows.
        told: (n, k) values told of them, or None.
        noise: of them.
    """

    denoise: Denoise
    told: Floats | None
    noise: RowNoise


class Filmed(Sampler):
    """What a diffusion model shows of its process."""

    nets_: TrainedDiffusion
    drop_context: float

    def forward_film(
        self,
        X: Any,
        y: Any = None,
        *,
        shares: Sequence[float] = SHARES,
        random_state: Any = None,
    ) -> Film:
        """Rows with more and more of the same noise, and what the net makes of them.

        Args:
            X: rows as in `fit`.
            y: of a conditional fit, what each is conditioned on; where it is None, the net is told
                nothing, or if it never went without, what is drawn from the fit.
            shares: of noise, from 0 to 1.
            random_state: seed of the noise; None takes the estimator's own.
        """
        import torch

        check_is_fitted(self)
        data = self._dataset(X, reset=False)
        nets, encoded = self.nets_, self._encode(data, draw=None)
        x, told = self._film_rows(encoded), nets.view.told_of(encoded)
        made = self._film_set(len(data), y, random_state, told)
        denoise = made.denoise
        if y is None and told is None and self.drop_context:
            denoise = nets.denoiser()
        view, noisy, denoised, seen = nets.view.settled, [], [], []
        with torch.no_grad():
            for share in shares:
                ratio = torch.tensor(share / (1 - share) if share < 1 else np.inf).double()
                t = nets.process.time_of(ratio).clamp(min=nets.process.t_min).float()
                t = t.to(nets.device).expand(len(x))
                x_t = nets.process.noisy(x, made.noise.at(0), t)
                seen.append(self._share(float(t[0])))
                noisy.append(self._frame(view, x_t, told, float(t[0])))
                denoised.append(self._frame(view, denoise(x_t, t), told))
        return Film(np.array(seen), np.arange(len(seen)), noisy, denoised)

    def reverse_film(
        self,
        n: int = 8,
        y: Any = None,
        *,
        frames: int = 9,
        steps: int | None = None,
        method: str = "auto",
        random_state: Any = None,
    ) -> Film:
        """Samples as they come out of noise.

        Args:
            n: how many rows.
            y: of a conditional fit, what each is conditioned on; None draws it from the fit.
            frames: of the sampler's states, evenly spread over its steps.
            steps, method: as in `sample`.
            random_state: seed; None takes the estimator's own.
        """
        from ...inference.diffusion.plan import sample
        from .sampling import sampling_plan

        check_is_fitted(self)
        integer(1).check("n", n)
        integer(2).check("frames", frames)
        made, view = self._film_set(n, y, random_state), self.nets_.view
        plan = sampling_plan(self.nets_, method, steps)
        states = list(sample(plan, made.denoise, made.noise))
        kept = np.unique(np.rint(np.linspace(0, len(states) - 1, frames)).astype(int))
        expected = [after.data for _, after in pairwise(states)] + [states[-1].x_t]
        return Film(
            np.array([self._share(states[i].t) for i in kept]),
            np.array([states[i].evaluations for i in kept]),
            [self._frame(view, states[i].x_t, made.told, states[i].t) for i in kept],
            [self._frame(view, expected[i], made.told) for i in kept],
        )

    def by_steps(
        self,
        n: int = 8,
        y: Any = None,
        *,
        steps: Sequence[int] = STEPS,
        method: str = "auto",
        random_state: Any = None,
    ) -> dict[int, Dataset]:
        """Samples from the same noise in few and in many steps: steps -> n rows.

        The arguments are those of `reverse_film`.
        """
        from ...inference.diffusion.plan import draw
        from .sampling import sampling_plan

        check_is_fitted(self)
        integer(1).check("n", n)
        made, view = self._film_set(n, y, random_state), self.nets_.view
        plans = {count: sampling_plan(self.nets_, method, count) for count in steps}
        return {
            count: self._frame(view, draw(plan, made.denoise, made.noise), made.told)
            for count, plan in plans.items()
        }

    def sampling_quality(
        self,
        n: int = 200,
        X: Any = None,
        y: Any = None,
        *,
        methods: Sequence[str] = _METHODS,
        steps: Sequence[int] = _COUNTS,
        random_state: Any = None,
    ) -> list[Quality]:
        """What each sampler leaves over, by its evaluations of the net.

        Args:
            n: rows that are drawn in each way.
            X: rows that were not fitted, whose energy distance to the samples is given too.
            y: of a conditional fit, what each sample is conditioned on; None draws it.
            methods, steps: to try.
            random_state: seed; None takes the estimator's own.
        """
        from ...inference.diffusion.quality import quality_by_steps
        from .sampling import sampling_plan

        check_is_fitted(self)
        integer(2).check("n", n)
        nets, held_out = self.nets_, None
        if X is not None:
            held_out = self._film_rows(self._encode(self._dataset(X, reset=False), draw=None))
        made = self._film_set(n, y, random_state)
        plan_of = partial(sampling_plan, nets)
        return quality_by_steps(plan_of, made.denoise, made.noise, methods, steps, held_out)

    def find_steps(
        self,
        n: int = 200,
        y: Any = None,
        *,
        method: str = "auto",
        enough: float = 0.02,
        random_state: Any = None,
    ) -> Plan:
        """The fewest steps that do for this fit, doubled from as few as the sampler takes.

        Args:
            n: rows that they are tried on.
            y: of a conditional fit, what each is conditioned on; None draws it.
            method: as in `sample`.
            enough: how far four times as many steps may move a row, as a share of how far rows are
                apart.
            random_state: seed; None takes the estimator's own.

        Returns:
            What the sampler does: its `steps`, and the `reason`.
        """
        from ...inference.diffusion.quality import find_steps
        from .sampling import sampling_plan

        check_is_fitted(self)
        integer(2).check("n", n)
        made, plan_of = self._film_set(n, y, random_state), partial(sampling_plan, self.nets_)
        return find_steps(plan_of, made.denoise, made.noise, plan_of(method).method, enough)

    def _film_set(self, n: int, y: Any, random_state: Any, told: Floats | None = None) -> _Set:
        """What a film of n rows is made with; what is told of them is drawn, unless given."""
        from ...inference.diffusion.row_noise import RowNoise

        rng = np.random.default_rng(self._seed(random_state))
        self._refuse_unused(y)
        context = None if self.context_ is None else self.context_.draw(n, y, rng)
        nets, seed = self.nets_, int(rng.integers(2**31 - 1))
        noise = RowNoise(seed, np.arange(n), nets.view.values.features, nets.device)
        told = nets.view.draw(n, None, rng) if told is None else told
        return _Set(nets.denoiser(nets.view.context(told, context)), told, noise)

    def _film_rows(self, encoded: Encoded) -> torch.Tensor:
        """Features of rows."""
        return self.nets_.features(self.nets_.tensor(self.nets_.view.stored(encoded)))

    def _share(self, t: float) -> float:
        import torch

        r_t = float(self.nets_.process.ratio(torch.tensor(t)))
        return 1.0 if np.isinf(r_t) else r_t / (1 + r_t)

    def _frame(self, view: View, x_t: torch.Tensor, told: Floats | None, t: float = 0.0) -> Dataset:
        """Features of rows at time t, shrunk to the straight path, in the units of the data."""
        import torch

        process, time = self.nets_.process, torch.tensor(t)
        y_u = x_t / float(process.alpha(time) + process.sigma(time))
        encoded = view.encoded(np.asarray(y_u.double().cpu().numpy()), told)
        if not isinstance(self.codec_, Codec):
            return made_rows(self, self._decoded(encoded))
        columns = self.codec_.decode(encoded, within=False)
        return as_dataset({name: columns[name] for name in self.schema_.names}, self.schema_)
