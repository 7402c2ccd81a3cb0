"""`audit`: the checks that a model's claims call for, one after another, within a time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...checks import seed_of
from ...data import as_dataset
from ...errors import InputError
from ...estimator import Estimator
from ...progress import duration
from ...significance import LEVEL
from .agreement import agreement, support
from .bounds import bounds
from .calibration import calibration
from .conditionals import conditionals, gaps
from .estimates import stated_errors
from .findings import Audit, Check, decide_together, step
from .normalisation import integral
from .other_units import units
from .row_by_row import rows_alone, seeds
from .saved import saved
from .shifting import shifts
from .subject import Subject


def audit(
    model: Any,
    data: Any = None,
    y: Any = None,
    *,
    budget: str | float = "60s",
    random_state: Any = 0,
) -> Audit:
    """Check what a fitted model claims: that its density integrates to one, that its samples are of
    that density, that bounds keep their order, conditionals agree with the joint, standard errors
    hold, a score depends on its row alone, units and saving change nothing; and, with rows, whether
    these are like the model's.

    Args:
        model: a fitted model of any family.
        data: rows that it was not fitted to, as for `log_density`; without them nothing is said of
            calibration, and other checks look at rows that the model draws.
        y: of a conditional fit, what to condition on, one a row; checks that need no rows are of
            the density given the first.
        budget: seconds, or a duration such as "60s", that the audit may take, or a little more.
            What there was no time for is said.
        random_state: seed of everything random; one seed gives one audit, unless time runs out.

    Returns:
        The checks: what each found, with its error, what it rules out, or why nothing could be
        said.

    Raises:
        InputError: if `model` is no model, `data` are not rows of its columns, or `y` is given to a
            fit of X alone.
        NotFittedError: if the model is not fitted.
    """
    if not isinstance(model, Estimator):
        raise InputError(
            f"{type(model).__name__} was given; expected a fitted model of ppgen, such as "
            "ppgen.GaussianMixture().fit(X) or ppgen.load(path)."
        )
    check_is_fitted(model)
    model._refuse_unused(y)
    began, seconds = time.perf_counter(), duration(budget)
    rows = None if data is None else as_dataset(data, model.schema_)
    if rows is not None and y is not None and len(np.asarray(y)) != len(rows):
        raise InputError(f"y has {len(np.asarray(y))} rows, data has {len(rows)}; give one a row.")
    subject = Subject(model, rows, y, seed_of(random_state), seconds or math.inf)
    if model.capabilities.density is None and not model.capabilities.latents:
        raise InputError(
            f"{model.name} has neither a density nor codes of rows, and so makes no claim that is "
            "checked here. What it makes is judged by verdict_, and samples by "
            "ppgen.sample_quality."
        )
    if model.capabilities.density is None and rows is None:
        raise InputError(f"{model.name} has no density and draws no rows to look at; give rows.")
    steps = _OF_CODES if model.capabilities.density is None else _OF_DENSITY
    checks = [check for make in steps for check in make(subject)]
    return Audit(decide_together(checks), model.name, LEVEL, time.perf_counter() - began)


@step(("support", "the model's own rows have a finite density"), ("integral", ""), ("samples", ""))
def _density(subject: Subject) -> Iterator[Check]:
    yield support(subject)
    total = integral(subject)
    yield total.check
    yield from agreement(subject, total)


_OF_CODES = (rows_alone, saved)
_OF_DENSITY = (
    *(rows_alone, seeds, saved, _density, shifts, conditionals, gaps),
    *(bounds, stated_errors, calibration, units),
)
