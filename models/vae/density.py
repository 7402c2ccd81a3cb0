"""`VAE.log_density`: importance samples, their diagnostics, and annealing where they fail."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ...data import Encoded, ImageCodec
from ...family_density import Density
from ...inference.importance import MIN_SAMPLES, Weights, good_khat, summarise_blocks
from ...progress_bar import rows_bar
from ...rows import Rows

if TYPE_CHECKING:
    from .estimator import VAE

Floats = NDArray[np.float64]

_CHAINS = 25  # with fewer chains nothing says how they fare


def averaged(
    vae: VAE,
    rows: Rows,
    places: Sequence[Encoded],
    method: str = "iwae",
    n_samples: int | None = None,
    progress: bool = False,
) -> Density:
    """The bounds of rows, their draws spread over the places of their cells."""
    samples = _samples(vae, method, n_samples)
    if len(places) > 1:
        samples = -(-samples // len(places)) * len(places)
    x = vae._matrix(rows.data)
    with rows_bar(f"{method}, {samples} draws", len(rows), show=progress) as done:
        found, words = _drawn(vae, rows, places, method, samples, done)
    found = _of_nothing(x, found, samples)
    density = Density(
        found.log_mean + vae.units_.log_det,
        found.stderr,
        {"khat": found.khat, "ess": found.ess},
        method=words,
        gap=("variational",),
        filled=("pixels",) if vae.units_.filled else (),
    )
    return density.without(outside(vae, x))


def _samples(vae: VAE, method: str, n_samples: int | None) -> int:
    default = _CHAINS if method == "ais" else vae.n_importance
    return int(default if n_samples is None else n_samples)


def diagnosed(
    vae: VAE,
    density: Density,
    method: str = "iwae",
    n_samples: int | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """`LogDensity.diagnostics` of rows scored."""
    pixels = vae.codec_.dimension if isinstance(vae.codec_, ImageCodec) else None
    dimension = pixels or max(1, vae.architecture_.parts[-1].stop)
    samples = _samples(vae, method, n_samples)
    good = good_khat(samples) if samples > 1 else math.nan
    filled = bool(density.filled or vae.codec_.dequantised)
    return {
        **density.diagnostics,
        "good_khat": good,
        "bits_per_dim": -density.values / (dimension * math.log(2)),
        "advice": _advice(density.diagnostics["khat"], good, method, filled),
    }


def _advice(khat: Floats, good: float, method: str, filled: bool) -> str:
    """What to do about rows whose weights cannot be trusted; "" where there are none."""
    if method == "elbo":
        return ""
    if np.isnan(khat).all():
        return f"Fewer than {MIN_SAMPLES} draws say nothing of their tail: raise n_samples."
    bad = int((khat > good).sum())
    if not bad:
        return ""
    what = (
        f"k-hat is above {good:.2f} for {bad} of {len(khat)} rows: their bounds are likely to be "
        "loose, and their standard errors too small. "
    )
    if method == "ais":
        return what + "Raise n_samples, the chains."
    if filled:  # annealing is refused
        return what + "Raise n_samples."
    return what + 'Take method="ais" for these rows, or raise n_samples.'


def quick_values(vae: VAE, x: NDArray[Any], context: Floats | None, samples: int) -> Floats:
    """(n,) bounds of stored rows (n, D) by a few draws."""
    seeds = np.arange(len(x), dtype=np.uint64)
    blocks = vae.net_.log_weights(x, context, seeds, samples)
    return np.asarray(np.concatenate([_log_mean(log_w) for log_w in blocks]))


def _drawn(
    vae: VAE,
    rows: Rows,
    places: Sequence[Encoded],
    method: str,
    samples: int,
    done: Callable[[int], object],
) -> tuple[Weights, str]:
    x = vae._matrix(rows.data)
    if method == "ais":
        from .annealing import anneal

        assert rows.seeds is not None

        found, words = anneal(vae, x, rows.context, rows.seeds, samples, done=done)
        return replace(found, log_mean=found.log_mean + places[0].log_det), words
    log_det = np.stack([place.log_det for place in places])
    at = [vae._matrix(place) for place in places] if len(places) > 1 else None
    each = -(-samples // len(places))

    def blocks() -> Any:
        start = 0
        for log_w in vae.net_.log_weights(x, rows.context, rows.seeds, samples, at):
            part = slice(start, start + len(log_w))
            start += len(log_w)
            done(len(log_w))
            yield log_w + np.repeat(log_det[:, part].T, each, axis=1)

    if method == "iwae":
        return summarise_blocks(blocks()), f"IWAE-{samples}"
    parts = [(w.mean(1), w.std(1, ddof=1) if samples > 1 else w[:, 0] * np.nan) for w in blocks()]
    mean, spread = (np.concatenate(p) for p in zip(*parts, strict=True))
    n = np.full(len(mean), np.nan)
    return Weights(mean, spread / math.sqrt(samples), n, n), f"ELBO, {samples} draws"


def _of_nothing(x: NDArray[Any], found: Weights, samples: int) -> Weights:
    """The density of a row without a value is 1."""
    empty = np.isnan(x).all(axis=1) if x.dtype.kind == "f" else np.zeros(len(x), dtype=bool)
    if not empty.any():
        return found
    exact = (("log_mean", 0.0), ("stderr", 0.0), ("ess", float(samples)), ("khat", -np.inf))
    return Weights(**{name: np.where(empty, v, getattr(found, name)) for name, v in exact})


def outside(vae: VAE, x: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) which rows hold values outside the support of the likelihood."""
    pixels = vae.codec_.pixels.kind if isinstance(vae.codec_, ImageCodec) else ""
    if pixels == "real" and vae.architecture_.parts[0].kind == "continuous_bernoulli":
        return np.asarray(((x < 0) | (x > 1)).any(axis=1))
    return np.zeros(len(x), dtype=bool)


def _log_mean(log_w: Floats) -> Floats:
    return np.asarray(logsumexp(log_w, axis=1) - math.log(log_w.shape[1]))
