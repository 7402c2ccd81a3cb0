"""What a cell's fit knows of latents: numbers, and rows decoded for the report's figures.

Looked into once, by the worker that fitted: a report is then drawn without the model. Whatever a
family has no answer for is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.codes import codes_of, decoded
from ..analysis.completeness import Acceptance, completeness
from ..analysis.continuity import continuity
from ..analysis.decoded import decode_codes
from ..analysis.disentangle import scores_of_codes
from ..analysis.latent_map import LatentMap, map_of
from ..analysis.latents import Traversal, activity, interpolate, traverse
from ..analysis.reconstruction import reconstruction_error
from ..coded import made_rows
from ..data import Dataset
from ..errors import InputError
from ..thinning import thinned
from .cells import Parts, unseen
from .latent_scores import bound_parts, factors_of

Arrays = dict[str, NDArray[Any]]
Codes = NDArray[np.float64]
Rows = NDArray[np.intp]

LATENTS, LOOKS = "latents.json", "latents.npz"
WALKED, STEPS, REACH = 8, 9, 3.0
"""Latents that are traversed, how many steps each, and how many standard deviations of the codes to
either side."""
THRESHOLD = 0.01
"""Nats a row below which a latent is inactive."""
_SHOWN, _WALKS, _PRIOR, _SIDE = 12, 3, 24, 13
_COLUMNS = 12
_JUDGED, _BOUNDED, _FITTED, _MAPPED = 500, 200, 5000, 2000


def look(model: Any, data: Dataset, rows: Parts, seed: int) -> tuple[dict[str, Any], Arrays]:
    """Numbers and arrays of a fitted model with latents.

    Args:
        model: fitted.
        data: all rows of the study's data set.
        rows: numbers of those fitted to, for early stopping, held out.
        seed: of what is drawn.

    Returns:
        Numbers: `latents`, `active`, `kl_per_latent`, and as JSON `bound` (see `latent_scores`),
        `reconstruction`, `continuity`, `completeness`, `disentanglement`; None where there is no
        answer. Arrays: `originals` and `reconstructed` (n, C, H, W), `traversal` (dims, steps, C,
        H, W) or `traversal0`, `traversal1`, ... (dims, steps) of the `columns`, along `dims`, the
        most active first, of `activity` (dims,) in nats or, without a bound, the variance of the
        codes; `walk` and `ends` of interpolations; `prior`, decoded draws; `points`,
        `explained` and `mapped` (row numbers) of the map, and `manifold`, what its plane decodes
        to. Rows are held out, but those of the map.
    """
    rng = np.random.default_rng([seed, 0x1A])
    fitted, judged = (
        data.take(part[thinned(len(part), most, rng)])
        for part, most in ((rows[0], _FITTED), (unseen(rows), _JUDGED))
    )
    accept = Acceptance(alpha=0.05 if len(judged) >= 40 else 0.1)
    bound = bound_parts(model, judged.take(slice(_BOUNDED)))
    kl = None if bound is None else bound.pop("kl_per_latent")
    body: dict[str, Any] = {
        "active": None if kl is None else sum(v >= THRESHOLD for v in kl),
        "kl_per_latent": kl,
        "bound": bound,
        "reconstruction": _asked(lambda: reconstruction_error(model, fitted, judged, seed=seed)),
        "continuity": _asked(lambda: continuity(model, fitted, seed=seed)),
        "completeness": _asked(
            lambda: completeness(model, fitted, judged, accept=accept, seed=seed)
        ),
    }
    numbers = thinned(len(data), _MAPPED, rng)
    mapped = data.take(numbers)
    codes, factors = codes_of(model, mapped), factors_of(mapped)
    body["latents"] = k = codes.shape[1]
    body["disentanglement"] = (
        None if factors is None else scores_of_codes(codes, factors, seed=seed).to_json()
    )
    arrays: Arrays = {}
    if k > 1 and len(codes) > 2:
        seen = map_of(codes)
        arrays |= {"points": seen.points, "explained": seen.explained, "mapped": numbers}
        if data.images is not None:
            arrays["manifold"] = decode_codes(model, _plane(seen), None).images
    walk = _walk(model, judged, mapped, codes, _order(kl, codes))
    dims = np.array(walk.dims)
    arrays |= {"dims": dims, "activity": walk.activity if kl is None else np.array(kl)[dims]}
    if data.images is not None:
        arrays |= {"traversal": walk.images, **_images(model, judged, rng)}
    else:
        columns = _most_moved(walk.columns, mapped)
        body["columns"] = list(columns)
        arrays |= {f"traversal{i}": _plain(v) for i, v in enumerate(columns.values())}
    return body, {name: _small(values) for name, values in arrays.items()}


def _plane(seen: LatentMap) -> NDArray[np.float64]:
    """(side, side, k) codes in the plane of the map, at quantiles of its points: the first of its
    axes grows to the right, the second upwards."""
    shares = (np.arange(_SIDE) + 0.5) / _SIDE
    across, up = np.quantile(seen.points, shares, axis=0).T
    return seen.codes(np.stack(np.meshgrid(across, up[::-1]), axis=-1))


def _asked(question: Callable[[], Any]) -> dict[str, Any] | None:
    """The answer as JSON, None where there are too few rows for one."""
    try:
        answer: dict[str, Any] = question().to_json()
    except InputError:
        return None
    return answer


def _order(kl: list[float] | None, codes: NDArray[np.float64]) -> Rows:
    """Latents that say something, the most active first; at least one."""
    spread = activity(codes)
    says = spread if kl is None else np.array(kl)
    order = np.argsort(-says, kind="stable")
    active = order[(says[order] >= THRESHOLD) if kl is not None else (spread[order] > 0)]
    return active if len(active) else order[:1]


def _images(model: Any, judged: Dataset, rng: np.random.Generator) -> Arrays:
    """Held-out images beside their reconstructions, paths between them, and draws."""
    shown = judged.thinned(_SHOWN, rng)
    arrays: Arrays = {
        "originals": np.asarray(shown.images),
        "reconstructed": np.asarray(made_rows(model, model.reconstruct(shown)).images),
    }
    n = min(_WALKS, len(judged) // 2)
    if n:
        ends = judged.take(rng.choice(len(judged), (n, 2), replace=False).ravel())
        codes = codes_of(model, ends).reshape(n, 2, -1)
        paths = [interpolate(model, a, b, steps=STEPS, codes=True).images for a, b in codes]
        images = np.asarray(ends.images)
        arrays["walk"] = np.stack(paths)
        arrays["ends"] = images.reshape(n, 2, *images.shape[1:])
    if model.capabilities.prior:
        drawn = model.sample_latents(_PRIOR, random_state=int(rng.integers(2**31 - 1)))
        arrays["prior"] = np.asarray(decoded(model, drawn, None).images)
    return arrays


def _walk(model: Any, judged: Dataset, mapped: Dataset, codes: Codes, order: Rows) -> Traversal:
    """A traversal from the held-out row whose code is most in the middle of those mapped."""
    scale = codes.std(axis=0)
    off = (codes_of(model, judged) - codes.mean(axis=0)) / np.where(scale > 0, scale, 1)
    middle = int(np.square(off).sum(axis=1).argmin())
    return traverse(
        model,
        judged.take(slice(middle, middle + 1)),
        X=mapped,
        dims=[int(j) for j in order[:WALKED]],
        span=(-REACH, REACH),
        steps=STEPS,
        unit="std",
    )


def _most_moved(columns: Arrays, mapped: Dataset) -> Arrays:
    """The columns that move most along the latents, in the order of the table."""
    moved = {
        name: _movement(values, mapped.columns[name])
        for name, values in columns.items()
        if values.dtype.kind in "fiub" or any(v is not None for v in values.ravel())
    }
    chosen = sorted(moved, key=lambda name: -moved[name])[:_COLUMNS]
    return {name: columns[name] for name in moved if name in chosen}


def _movement(values: NDArray[Any], real: NDArray[Any]) -> float:
    """How far a column goes along the latents, in standard deviations of the data."""
    if values.dtype.kind not in "fiub":
        return float(len(set(values.ravel().tolist())) - 1)
    spread = float(np.nanstd(np.asarray(real, np.float64)))
    return float(np.ptp(values, axis=1).max()) / (spread or 1.0)


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Without objects, which need code to be read."""
    if values.dtype.kind in "fiub":
        return values
    return np.array([["" if v is None else str(v) for v in line] for line in values])


def _small(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.float32) if values.dtype == np.float64 else values
