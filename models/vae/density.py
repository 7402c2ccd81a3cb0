"""`VAE.log_density`: importance samples, their diagnostics, and annealing where they fail."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ...cell_average import Floats
from ...conditioning import given
from ...data import Dataset, Encoded, ImageCodec, row_hashes
from ...data.hashing import mix
from ...density import LogDensity
from ...errors import InputError, did_you_mean
from ...inference.importance import MIN_SAMPLES, Weights, good_khat, summarise_blocks
from ...progress_bar import rows_bar
from ...scoring import CELL_DRAWS, beyond, warn_unseen
from ...settings import integer

if TYPE_CHECKING:
    from .estimator import VAE

METHODS = ("iwae", "elbo", "ais")
_CHAINS, _QUICK = 25, 32  # with fewer chains nothing says how they fare


def score(
    vae: VAE, data: Dataset, y: Any, method: str, n_samples: int | None, *, show: bool = False
) -> LogDensity:
    """The log density of rows, with what it claims; `show` a bar."""
    if method not in METHODS:
        raise InputError(
            f"method is {method!r}; expected one of {', '.join(METHODS)}."
            + did_you_mean(str(method), METHODS)
        )
    default = _CHAINS if method == "ais" else vae.n_importance
    samples = default if n_samples is None else n_samples
    integer(1).check("n_samples", samples)
    noisy = vae.codec_.dequantised
    if noisy:
        samples = -(-int(samples) // CELL_DRAWS) * CELL_DRAWS
    encoded = vae._middle(data)
    found, words = _summed(vae, data, encoded, y, method, int(samples), show)
    values = found.log_mean + vae.units_.log_det
    never = impossible(vae, vae._matrix(encoded), encoded)
    values[never] = -np.inf
    found = replace(
        found,
        stderr=np.where(never, np.nan, found.stderr),
        ess=np.where(never, 0.0, found.ess),
        khat=np.where(never, np.nan, found.khat),
    )
    warn_unseen(vae, data, values)
    filled = ("pixels",) if vae.units_.filled else noisy
    pixels = vae.codec_.dimension if isinstance(vae.codec_, ImageCodec) else None
    dimension = pixels or max(1, vae.architecture_.parts[-1].stop)
    good = good_khat(int(samples)) if samples > 1 else math.nan
    return LogDensity(
        values=values,
        kind="lower_bound",
        method=words + (f", {CELL_DRAWS} places a cell" if noisy else ""),
        measure=vae.codec_.measure,
        dequantised=filled,
        gap=("variational", "dequantisation") if filled else ("variational",),
        stderr=found.stderr,
        diagnostics={
            "khat": found.khat,
            "good_khat": good,
            "ess": found.ess,
            "bits_per_dim": -values / (dimension * math.log(2)),
            "advice": _advice(found.khat, good, method, bool(filled)),
        },
    )


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


def quick(vae: VAE, data: Encoded, context: Floats | None) -> Floats:
    """(n,) bounds by a few draws, without the units."""
    return quick_values(vae, vae._matrix(data), context, _QUICK)


def quick_values(vae: VAE, x: NDArray[Any], context: Floats | None, samples: int) -> Floats:
    """(n,) bounds of stored rows (n, D) by a few draws."""
    seeds = np.arange(len(x), dtype=np.uint64)
    blocks = vae.net_.log_weights(x, context, seeds, samples)
    return np.asarray(np.concatenate([_log_mean(log_w) for log_w in blocks]))


def _summed(
    vae: VAE, data: Dataset, encoded: Encoded, y: Any, method: str, samples: int, show: bool
) -> tuple[Weights, str]:
    """Given y, or the sum over the y that were fitted: p(x) = sum_y p(y) p(x | y)."""
    fitted, context = vae.context_, given(vae, y, len(data))
    if fitted is None or context is not None:
        return _weights(vae, data, encoded, context, method, samples, show)
    found, shares, words = [], fitted.table()[1], ""
    for row in fitted.table()[0]:
        context = np.tile(row, (len(data), 1))
        each, words = _weights(vae, data, encoded, context, method, samples, show)
        found.append(each)
    logs = np.stack([w.log_mean + s for w, s in zip(found, shares, strict=True)])
    total = logsumexp(logs, axis=0)
    share = np.exp(logs - total)
    # At most, as the draws are the same for each y; and what a sample of continuous y leaves open.
    stderr = np.asarray(sum(s * w.stderr for s, w in zip(share, found, strict=True)))
    stderr = np.hypot(stderr, fitted.stderr(np.stack([w.log_mean for w in found]), total))
    ess = sum(s * w.ess for s, w in zip(share, found, strict=True))
    likeliest = np.argmax(logs, axis=0)
    khat = np.stack([w.khat for w in found])[likeliest, np.arange(len(likeliest))]
    return Weights(total, stderr, np.asarray(ess), khat), f"{words}, {fitted.words}"


def row_seeds(data: Dataset, seed: int) -> NDArray[np.uint64]:
    """(n,) seeds of what is drawn for each row, which depend on the row alone."""
    return mix(row_hashes(data, seed))


def _weights(
    vae: VAE,
    data: Dataset,
    encoded: Encoded,
    context: Floats | None,
    method: str,
    samples: int,
    show: bool,
) -> tuple[Weights, str]:
    with rows_bar(f"{method}, {samples} draws", len(data), show=show) as done:
        return _drawn(vae, data, encoded, context, method, samples, done)


def _drawn(
    vae: VAE,
    data: Dataset,
    encoded: Encoded,
    context: Floats | None,
    method: str,
    samples: int,
    done: Callable[[int], object],
) -> tuple[Weights, str]:
    x = vae._matrix(encoded)
    seeds = row_seeds(data, vae.net_seed_)
    if method == "ais":
        from .annealing import anneal

        found, words = anneal(vae, x, context, seeds, samples, done=done)
        log_det = np.where(np.isneginf(encoded.log_det), 0.0, encoded.log_det)
        found = replace(found, log_mean=found.log_mean + log_det)
        return _of_nothing(x, found, samples), words
    places, log_det = cells(vae, data, encoded)
    each = -(-samples // len(log_det))

    def blocks() -> Any:
        at = 0
        for log_w in vae.net_.log_weights(x, context, seeds, samples, places):
            rows = slice(at, at + len(log_w))
            at += len(log_w)
            done(len(log_w))
            yield log_w + np.repeat(log_det[:, rows].T, each, axis=1)

    if method == "iwae":
        return _of_nothing(x, summarise_blocks(blocks()), samples), f"IWAE-{samples}"
    parts = [(w.mean(1), w.std(1, ddof=1) if samples > 1 else w[:, 0] * np.nan) for w in blocks()]
    mean, spread = (np.concatenate(p) for p in zip(*parts, strict=True))
    n = np.full(len(mean), np.nan)
    found = Weights(mean, spread / math.sqrt(samples), n, n)
    return _of_nothing(x, found, samples), f"ELBO, {samples} draws"


def _of_nothing(x: NDArray[Any], found: Weights, samples: int) -> Weights:
    """The density of a row without a value is 1."""
    empty = np.isnan(x).all(axis=1) if x.dtype.kind == "f" else np.zeros(len(x), dtype=bool)
    if not empty.any():
        return found
    exact = (("log_mean", 0.0), ("stderr", 0.0), ("ess", float(samples)), ("khat", -np.inf))
    return Weights(**{name: np.where(empty, v, getattr(found, name)) for name, v in exact})


def impossible(vae: VAE, x: NDArray[Any], encoded: Encoded) -> NDArray[np.bool_]:
    """(n,) which rows have probability zero: levels never seen, values outside the support."""
    found = (encoded.codes == -2).any(axis=1) | np.isneginf(encoded.log_det)
    pixels = vae.codec_.pixels.kind if isinstance(vae.codec_, ImageCodec) else ""
    if not pixels:
        found |= beyond(vae, encoded)
    if pixels == "real" and vae.architecture_.parts[0].kind == "continuous_bernoulli":
        found |= ((x < 0) | (x > 1)).any(axis=1)
    return np.asarray(found)


def cells(vae: VAE, data: Dataset, encoded: Encoded) -> tuple[list[NDArray[Any]] | None, Floats]:
    """Stored rows at several places of their cells, and the log-determinants (places, n)
    there."""
    if not vae.codec_.dequantised:
        finite = np.where(np.isneginf(encoded.log_det), 0.0, encoded.log_det)
        return None, finite[None]
    found = [vae._encode(data, draw=k, draws=CELL_DRAWS) for k in range(CELL_DRAWS)]
    log_det = np.stack([e.log_det for e in found])
    return [vae._matrix(e) for e in found], np.where(np.isneginf(log_det), 0.0, log_det)


def _log_mean(log_w: Floats) -> Floats:
    return np.asarray(logsumexp(log_w, axis=1) - math.log(log_w.shape[1]))
