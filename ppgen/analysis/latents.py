"""Walks through a latent space: what the decoder makes of codes that no row had.

With e(x) the code of a row (the mean of q(z | x)) and g(z) the expected row that is decoded,

    traverse       g(z with z_j set to v), one latent j after the other, v over a span
    interpolate    g of a path from code a to code b, straight or along the sphere
    arithmetic     g(e(x) + scale * (mean of e over one group - mean of e over another))

A model that makes rows of noise, such as a generator, has g and no e: with codes=True all three
take codes in the place of rows, and the mean of several where one is expected. `codes_by` draws
them in groups.

References:
    Importance weighted autoencoders (Burda, Grosse, Salakhutdinov, 2016)
    https://arxiv.org/abs/1509.00519 (activity: the variance of e(x)_j over rows)
    Sampling generative networks (White, 2016) https://arxiv.org/abs/1609.04468 (the sphere)
    Unsupervised representation learning with deep convolutional generative adversarial networks
    (Radford, Metz, Chintala, 2016) https://arxiv.org/abs/1511.06434 (arithmetic of noise)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Floats, Ints
from ..errors import InputError
from ..settings import choice, integer, number
from .codes import (
    as_rows,
    code_of_row,
    codes_of,
    decoding_model,
    drawn_codes,
    given_codes,
    n_latents,
)
from .decoded import Decoded, decode_codes

_PARALLEL = 1e-6


@dataclass(frozen=True, eq=False)
class Traversal(Decoded):
    """Decoded rows of shape (dims, steps).

    Attributes:
        dims: the latents walked along, one a line.
        values: (dims, steps) what each was set to.
        activity: (dims,) the variance of the codes along it; NaN where no rows were given.
    """

    dims: tuple[int, ...]
    values: Floats
    activity: Floats


def activity(codes: Floats) -> Floats:
    """(k,) the variance of each latent's code over rows; near 0 where a latent says nothing."""
    return np.asarray(np.var(codes, axis=0), np.float64)


def traverse(
    model: Any,
    at: Any = None,
    *,
    X: Any = None,
    y: Any = None,
    dims: Sequence[int] | int | None = None,
    span: tuple[float, float] = (-3.0, 3.0),
    steps: int = 9,
    unit: Literal["latent", "std"] = "latent",
    codes: bool = False,
) -> Traversal:
    """Set one latent after the other to values over a span, the rest held, and decode.

    Args:
        model: fitted, with `decode`, and `encode` where rows are given.
        at: the row, such as an image (C, H, W) or (H, W), whose code is held; None holds zeros,
            or the mean code of X for a model that has no prior.
        X: rows whose codes say which latents are active, and their standard deviations.
        y: what to condition on, where the fit is conditional: one value.
        dims: latents to walk along, in this order; or how many of the first. None takes all. The
            most active come first where X is given.
        span: the first and the last value.
        steps: how many values.
        unit: "latent" for a span in the latents' own units, "std" for one in standard deviations
            of X's codes around their mean.
        codes: whether `at` and X are codes, (k,) and (n, k).

    Raises:
        InputError: for a latent that is not there, a span without width, fewer than 2 steps, more
            than one row in `at`, or no X where it is needed.
    """
    integer(2).check("steps", steps)
    choice("latent", "std").check("unit", unit)
    low, high = _span(span)
    decoding_model(model)
    known = None if X is None else _coded(model, X, y, "X", codes)
    if unit == "std" and known is None:
        raise InputError("a span in standard deviations needs rows to take them from; give X.")
    base = _base(model, at, known, y, codes)
    k = len(base)
    spread = np.full(k, np.nan) if known is None else activity(known)
    order = np.arange(k) if known is None else np.argsort(-spread, kind="stable")
    if isinstance(dims, int):
        integer(1).check("dims", dims)
        order, dims = order[:dims], None
    chosen = _dims(order if dims is None else dims, k)
    values = np.repeat(np.linspace(low, high, steps)[None], len(chosen), axis=0)
    if unit == "std" and known is not None:
        values = known.mean(axis=0)[chosen, None] + np.sqrt(spread)[chosen, None] * values
    grid = np.tile(base, (len(chosen), steps, 1))
    for line, j in enumerate(chosen):
        grid[line, :, j] = values[line]
    made = decode_codes(model, grid, y)
    dims = tuple(chosen.tolist())
    return Traversal(made.codes, made.rows, made.schema, dims, values, spread[chosen])


def interpolate(
    model: Any,
    a: Any,
    b: Any,
    *,
    steps: int = 9,
    how: Literal["linear", "spherical"] = "linear",
    codes: bool = False,
    y: Any = None,
    given: Mapping[Any, Any] | None = None,
) -> Decoded:
    """Rows decoded along a path from one code to another; shape (steps,).

    Args:
        model: fitted, with `decode`, and `encode` where rows are given.
        a, b: one row each, such as images (C, H, W) or (H, W); or with `codes=True` (k,) codes, or
            (n, k), whose mean is taken.
        steps: how many, both ends included.
        how: see `path`.
        codes: whether a and b are codes.
        y: what to condition on, where the fit is conditional: one value.
        given: values of columns, where the fit is conditional on columns (`capabilities.told`).
            What is not given of them is that of a row fitted, the same for all rows.

    Raises:
        InputError: for fewer than 2 steps, more than one row, codes of another length, or an
            unknown way.
    """
    ends = [_one(model, end, y, name, codes) for end, name in ((a, "a"), (b, "b"))]
    return decode_codes(model, path(*ends, steps=steps, how=how), y, given)


def path(
    a: ArrayLike, b: ArrayLike, *, steps: int, how: Literal["linear", "spherical"] = "linear"
) -> Floats:
    """(steps, k) codes from a to b, both included.

    "linear" goes straight. "spherical" turns the direction from a to b at constant speed in their
    plane, while the length goes straight from |a| to |b|: draws of a high-dimensional normal prior
    lie near a sphere, whose inside the straight way cuts through. Codes that point the same way,
    or opposite ways (no one plane is theirs), or have no length, are joined straight.

    Raises:
        InputError: for fewer than 2 steps, codes of different lengths, or an unknown way.
    """
    integer(2).check("steps", steps)
    choice("linear", "spherical").check("how", how)
    a, b = _code(a, "a"), _code(b, "b")
    if len(a) != len(b):
        raise InputError(f"a has {len(a)} latents, b has {len(b)}; expected codes of one model.")
    t = np.linspace(0, 1, steps)[:, None]
    straight = (1 - t) * a + t * b
    long_a, long_b = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if how == "linear" or min(long_a, long_b) == 0:
        return straight
    u, v = a / long_a, b / long_b
    # The half-angle form keeps its accuracy near 0 and pi, where arccos loses it.
    angle = 2 * float(np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v)))
    if np.sin(angle) < _PARALLEL:
        return straight
    turned = (np.sin((1 - t) * angle) * u + np.sin(t * angle) * v) / np.sin(angle)
    codes = ((1 - t) * long_a + t * long_b) * turned
    codes[0], codes[-1] = a, b
    return np.asarray(codes, np.float64)


def arithmetic(
    model: Any,
    plus: Any,
    minus: Any,
    to: Any,
    *,
    scale: float = 1.0,
    codes: bool = False,
    y: Any = None,
    given: Mapping[Any, Any] | None = None,
) -> Decoded:
    """Add the difference of two groups' mean codes to the codes of rows, and decode; shape (n,).

    Args:
        model: fitted, with `decode`, and `encode` where rows are given.
        plus, minus: rows with and without what is to be added, or one row.
        to: the rows it is added to, or one row.
        scale: how much of it; negative takes it away.
        codes: whether plus, minus and to are codes, (k,) or (n, k).
        y: what to condition on, where the fit is conditional: one value.
        given: as of `interpolate`.

    Raises:
        InputError: if a group has no rows, or scale is not a finite number.
    """
    number().check("scale", scale)
    decoding_model(model)
    parts = {"plus": plus, "minus": minus, "to": to}
    ends = {name: _coded(model, rows, y, name, codes) for name, rows in parts.items()}
    if len(sizes := {end.shape[1] for end in ends.values()}) > 1:
        raise InputError(
            f"codes of {' and '.join(map(str, sorted(sizes)))} latents were given; expected those "
            "of one model."
        )
    step = ends["plus"].mean(axis=0) - ends["minus"].mean(axis=0)
    return decode_codes(model, ends["to"] + scale * step, y, given)


def _coded(model: Any, rows: Any, y: Any, name: str, codes: bool) -> Floats:
    """(n, k) codes of rows, or those given."""
    if not codes:
        return codes_of(model, as_rows(model, rows), y, name)
    given = given_codes(rows, name)
    if drawn_codes(decoding_model(model)) and given.shape[1] != (k := n_latents(model)):
        raise InputError(f"{name} is codes of {given.shape[1]} latents; the model has {k}.")
    return given


def _one(model: Any, row: Any, y: Any, name: str, codes: bool) -> Floats:
    """(k,) the code of one row, or the mean of the codes given."""
    if codes:
        return np.asarray(_coded(model, row, y, name, codes).mean(axis=0))
    return code_of_row(model, row, y, name)


def _base(model: Any, at: Any, codes: Floats | None, y: Any, given: bool) -> Floats:
    if at is not None:
        return _one(model, at, y, "at", given)
    if drawn_codes(decoding_model(model)):
        return np.zeros(n_latents(model) if codes is None else codes.shape[1])
    if codes is None:
        raise InputError(
            f"{type(model).__name__} has no prior, so no middle to start from; give `at`, a row, "
            "or X, rows whose mean code is taken."
        )
    return np.asarray(codes.mean(axis=0), np.float64)


def _dims(dims: Sequence[int] | Ints, k: int) -> Ints:
    chosen = np.asarray(dims)
    whole = chosen.ndim == 1 and len(chosen) > 0 and np.issubdtype(chosen.dtype, np.integer)
    if not whole or (chosen < 0).any() or (chosen >= k).any():
        raise InputError(f"dims is {list(dims)!r}; expected latents among 0 to {k - 1}.")
    return chosen.astype(np.intp)


def _span(span: tuple[float, float]) -> tuple[float, float]:
    values = np.asarray(span, np.float64)
    if values.shape != (2,) or not np.isfinite(values).all() or values[0] == values[1]:
        raise InputError(f"span is {span!r}; expected two different numbers, such as (-3, 3).")
    return float(values[0]), float(values[1])


def _code(code: ArrayLike, name: str) -> Floats:
    values = np.asarray(code, np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise InputError(
            f"{name} is a code of shape {values.shape}; expected (k,) finite numbers, one a latent."
        )
    return values
