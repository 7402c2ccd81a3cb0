"""What a diffusion model answers of parts of rows given the rest: gaps, columns held, pixels.

Three methods, whose formulas stand in `inference/diffusion/`: `twisted` ("smc"), `mmps` and
`repaint`. Only the first is exact, as its particles and steps grow.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...arrays import Array, Floats, Ints, Mask
from ...conditioned import Imputer
from ...data import Encoded, ImageCodec
from ...errors import InputError
from ...keywords import keywords_checked
from ...rows import Rows
from ...settings import integer
from .conditional import Conditional
from .settings import IMPUTING

if TYPE_CHECKING:
    from .conditionals import Answers, Asked, Parts
    from .trained import TrainedDiffusion

How = Literal["smc", "mmps", "repaint"]
_FEW = 20  # effective particles
_MANY = 1000  # particles of one row


class Filling(Imputer):
    """A diffusion model that fills gaps, holds columns and paints pixels."""

    nets_: TrainedDiffusion

    # What users call

    def condition(
        self,
        given: Mapping[Any, Any],
        *,
        y: Any = None,
        method: How = "smc",
        particles: int = _MANY,
        steps: int | None = None,
        random_state: Any = None,
    ) -> Conditional:
        """Rows with some columns held fixed, to draw from.

        Args:
            given: column name or label -> value.
            y: for a conditional fit, what to condition on besides: one row.
            method, steps: as for `impute`.
            particles: how many rows are made.
            random_state: seed; None takes the estimator's own.

        Raises:
            InputError: for an unknown column, a value that the fit never saw, or no column left
                free.
        """
        check_is_fitted(self)
        asked = self._asked(method=method, particles=particles, steps=steps)
        fixed = self._fixed(given)
        self._check_y(y)
        context = None if y is None or self.context_ is None else self.context_.encode(y, 1)
        seed = self._seed(random_state)
        answers = self._held(fixed, context, asked, seed, particles)

        def rows(features: Floats, rng: np.random.Generator) -> Any:
            return self._decoded(self._completed(features, fixed, rng), given)

        return Conditional(given, method, answers, self._seed, rows)

    @keywords_checked
    def inpaint(
        self,
        X: Any,
        mask: Any,
        *,
        y: Any = None,
        method: How = "mmps",
        draws: int = 1,
        particles: int | None = None,
        steps: int | None = None,
        random_state: Any = None,
        progress: bool = False,
    ) -> Any:
        """Images with some of their pixels drawn anew given the others, which stay as they were.

        Args:
            X: images as in `fit`; which values pixels have under the mask plays no part, but they
                are to be of the kind fitted: finite, and levels where those were levels.
            mask: true where pixels are to be drawn: (height, width) for all images, one for each,
                or with channels as in X.
            y: for a conditional fit, what to condition on, one a row.
            method, particles, steps: as for `impute`. Many pixels that are known weigh particles
                far apart, so that "smc" needs very many of them: it warns.
            draws: of each image.
            random_state: seed; None takes the estimator's own.
            progress: show a bar on a terminal.

        Returns:
            Images as in X; of several draws a list of them.

        Raises:
            InputError: for rows that are no images, or a mask of another shape.
        """
        from .conditionals import Parts, answered, known_parts
        from .pixel_mask import pixel_mask

        check_is_fitted(self)
        integer(1).check("draws", draws)
        if not isinstance(self.codec_, ImageCodec):
            raise InputError(
                "inpaint is for images, and this fit is of a table. Take impute, which fills gaps."
            )
        asked = self._asked(method=method, particles=particles, steps=steps, progress=progress)
        data = self._dataset(X, reset=False)
        encoded = self._encode(data)
        hidden = pixel_mask(mask, len(data), self.codec_.shape)
        self._check_y(y)
        seen = Parts.of(self.nets_, encoded)
        parts = Parts(np.where(hidden, 0.0, seen.values), ~hidden, None)
        asked = _enough(asked, draws)
        answers = answered(
            self.nets_,
            known_parts(self.nets_, parts),
            np.arange(len(data)),
            self._encoded_y(y, len(data)),
            asked,
            seed=self._seed(random_state),
            draws=draws,
        )
        _warn(answers, asked)
        made = [
            self._returned(
                data, _put(encoded, self.nets_.view.encoded(answers.drawn[:, k]), hidden)
            )
            for k in range(draws)
        ]
        return made[0] if draws == 1 else made

    # What the contract asks for

    def _filled(self, rows: Rows, rng: np.random.Generator | None, **how: Any) -> Encoded:
        from .conditionals import Parts, answered, known_parts

        data, nets, asked = rows.data, self.nets_, self._asked(**how)
        gaps = np.isnan(data.x).any(1) | (data.codes < 0).any(1)
        which = np.flatnonzero(gaps)
        if not len(which):
            return data
        some = data.take(which)
        parts = Parts.of(nets, some)
        context = self._told_context(parts)
        # Of draws, equal rows have their own; what is expected goes by the row alone.
        seed = 0 if rng is None else int(rng.integers(2**31 - 1))
        numbers = which if rng is not None or rows.seeds is None else rows.seeds[which]
        observe = known_parts(nets, parts)
        answers = answered(nets, observe, numbers, context, asked, seed=seed)
        _warn(answers, asked)
        made = answers.mean if rng is None else answers.drawn[:, 0]
        missing = np.column_stack([np.isnan(some.x), some.codes < 0])
        return data.put(which, _put(some, nets.view.encoded(made, parts.told, rng), missing))

    def _draw(
        self, n: int, given: Mapping[Any, Any] | None, y: Any, random_state: Any, **how: Any
    ) -> Encoded:
        if given is not None:
            self._check_y(y)
        return super()._draw(n, given, y, random_state, **how)

    # Shared plumbing

    def _holds(self, fixed: Encoded) -> bool:
        """Whether columns that the net makes are among those of an encoded row."""
        stored = self.nets_.view.stored(fixed)
        return not bool(np.isnan(stored).all())

    def _check_plain(self, guidance: float, how: Mapping[str, Any]) -> None:
        """Raise InputError for options of samples that rows with columns held do not take."""
        plain = {"method": "auto", "steps": None}
        asked = [name for name, value in how.items() if value != plain.get(name, value)]
        asked += ["guidance"] * (guidance != 1)
        if asked:
            raise InputError(
                f"given= and {', '.join(asked)} were given; rows with columns held are drawn by "
                "particles, unguided. Leave that out, or take condition(given, method=..., "
                "steps=...)."
            )

    def _held(
        self, fixed: Encoded, context: Floats | None, asked: Asked, seed: int, draws: int
    ) -> Answers:
        """Features of rows with the values of one encoded row held; a warning where few particles
        count."""
        from .conditionals import Parts, answered, known_parts

        parts = Parts.of(self.nets_, fixed)
        if parts.known.all():
            raise InputError(
                "all columns are given, so none is left to say anything about; leave one free."
            )
        told = self._told_context(parts)
        context = told if context is None else context
        observe = known_parts(self.nets_, parts)
        answers = answered(
            self.nets_, observe, np.zeros(1, np.int64), context, asked, seed=seed, draws=draws
        )
        _warn(answers, asked)
        return answers

    def _drawn_given(
        self, n: int, rng: np.random.Generator, fixed: Encoded, context: Floats | None
    ) -> Encoded:
        """n encoded rows with the values of one encoded row held, each with its context (n, c)."""
        asked = self._asked(particles=max(_MANY, n))
        alike: tuple[Array, Ints] = (np.zeros((1, 0)), np.zeros(n, np.intp))
        if context is not None:
            alike = np.unique(context, axis=0, return_inverse=True)
        features = np.empty((n, self.nets_.view.values.features))
        for k, told in enumerate(alike[0]):
            rows = np.flatnonzero(alike[1].reshape(-1) == k)
            seed = int(rng.integers(2**31 - 1))
            one = None if context is None else told[None]
            drawn = self._held(fixed, one, asked, seed, len(rows)).drawn[0]
            features[rows] = rng.permutation(drawn)
        return self._completed(features, fixed, rng)

    def _completed(self, features: Floats, fixed: Encoded, rng: np.random.Generator) -> Encoded:
        """Encoded rows of features (n, F), with the values of one encoded row in their places."""
        n, view = len(features), self.nets_.view
        told = view.told_of(fixed)
        made = view.encoded(features, None if told is None else np.repeat(told, n, axis=0), rng)
        free = np.column_stack([np.isnan(fixed.x), fixed.codes < 0])
        return _put(fixed.take(np.zeros(n, np.intp)), made, np.repeat(free, n, axis=0))

    def _asked(self, **how: Any) -> Asked:
        from .conditionals import Asked

        IMPUTING.check(how)
        return Asked.of(**how)

    def _check_y(self, y: Any) -> None:
        self._refuse_unused(y)
        if self.context_ is not None and y is None:
            raise InputError(
                "this fit is conditional on y, and no y was given, which the rest of a row depends "
                "on. Give y."
            )

    def _told_context(self, parts: Parts) -> Floats | None:
        """(n, c) what rows are told of their own columns."""
        if parts.told is None:
            return None
        lack = np.isnan(parts.told).any(axis=0)
        if lack.any():
            names = [self.nets_.view.told_names[k] for k in np.flatnonzero(lack)]
            raise InputError(
                f"no value of {', '.join(names)}, which this fit is conditional on and does not "
                "make. Give a value in each row, or fit without condition_on."
            )
        return self.nets_.view.context(parts.told, None)


def _put(data: Encoded, made: Encoded, where: Mask) -> Encoded:
    """Encoded rows with others in their place, where (n, d + c) values are to be replaced."""
    d = data.x.shape[1]
    return Encoded(
        np.where(where[:, :d], made.x, data.x),
        np.where(where[:, d:], made.codes, data.codes),
        data.log_det,
    )


def _enough(asked: Asked, draws: int) -> Asked:
    """As many states as draws at least, and of the methods without weights no more."""
    more = max(asked.states, draws) if asked.method == "smc" else draws
    return replace(asked, states=more)


def _warn(answers: Answers, asked: Asked) -> None:
    """Say where few particles count, at whatever step: resampling makes weights even again, and
    what is drawn comes of the few that were left."""
    least = np.minimum(answers.ess, answers.least_ess)
    few = least < min(_FEW, asked.states)
    if few.any():
        warnings.warn(
            f"of {len(few)} rows {few.sum()} have fewer than {_FEW} effective particles of "
            f"{asked.states} at some step, at the least {least.min():.1f}: what is drawn of them "
            'rests on few. Give more particles or steps, or take method="mmps", which is not '
            "exact.",
            UserWarning,
            stacklevel=4,
        )
