"""How likely rows are under a variational autoencoder, and what is expected in their gaps, by
importance weights from its guide.

With z_k ~ q(z | x) and w_k = p(x, z_k) / q(z_k | x), E[w_k] = p(x), so that

    E[ log w_k ]  <=  E[ log (1/K) sum_k w_k ]  <=  log p(x)          (ELBO, IWAE-K, the truth).

Where whole numbers are filled in with u in [0, 1)^D, the draws are of (u, z) together:
w_k = p(y(x + u_k), z_k) / q(z_k | x) has the mean of the density over the cell. Log joint and log q
are those of the pair; a row's draws depend on the row alone.

Gaps are filled by what is expected of them given the rest of the row, v_k = w_k / sum w:

    E[x_gap | x_seen]  ~  sum_k v_k E[x_gap | z_k];

of a discrete column the likeliest level, p(level | x_seen) ~ sum_k v_k p(level | z_k).

References: Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", 2016,
https://arxiv.org/abs/1509.00519; Mattei and Frellsen, "MIWAE: deep generative modelling and
imputation of incomplete data sets", 2019, https://arxiv.org/abs/1812.02633 (gaps).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp
from torch import Tensor

from ...arrays import Floats
from ...data import Encoded
from ...family_density import Density
from ...inference.importance import MIN_SAMPLES, Weights, good_khat, summarise_blocks
from ...inference.local_sites_pyro import total
from ...inference.torch_state import within_cores
from ...progress import rows_bar
from ...rows import Rows
from .pyro import Values
from .row_draws import RowDraws
from .trained_nets import DATA, TrainedNets, doubles

Array = NDArray[Any]
_FILLED = 64  # rows filled at a time
_DECODED = 1 << 20  # values decoded at a time: what a processor's caches hold


def density(
    net: TrainedNets,
    rows: Rows,
    places: Sequence[Encoded],
    stored: Callable[[Encoded], Array],
    method: str,
    samples: int,
    *,
    progress: bool = False,
) -> Density:
    """The bounds of rows, their draws spread over the places of their cells.

    Args:
        stored: encoded rows as the nets take them, (n, D).
        method: "iwae", "elbo" or "ais".
        samples: draws a row, or chains.
        progress: whether to show a bar.
    """
    each = -(-samples // len(places))
    samples = each * len(places)
    x, at = stored(rows.data), [stored(place) for place in places]
    log_det = np.stack([place.log_det for place in places])
    with rows_bar(f"{method}, {samples} draws", len(rows), show=progress) as done:
        if method == "ais":
            from .annealed_bounds import anneal

            assert rows.seeds is not None
            found, words = anneal(net, x, rows.context, rows.seeds, samples, done=done)
            found = replace(found, log_mean=found.log_mean + log_det[0])
        else:
            blocks = log_weights(net, x, rows.context, rows.seeds, samples, at)
            found, words = _summarised(_told(blocks, log_det, each, done), method, samples)
    found = _of_nothing(x, found, samples)
    return Density(
        found.log_mean + net.values.log_det,
        found.stderr,
        {"khat": found.khat, "ess": found.ess},
        method=words,
        gap=("variational",),
        filled=("pixels",) if net.values.filled else (),
    )


def _told(
    blocks: Iterator[Floats], log_det: Floats, each: int, done: Callable[[int], object]
) -> Iterator[Floats]:
    """Log weights with the log-determinants of their places; `done` is told of rows."""
    start = 0
    for log_w in blocks:
        part = slice(start, start + len(log_w))
        start += len(log_w)
        done(len(log_w))
        yield log_w + np.repeat(log_det[:, part].T, each, axis=1)


def _summarised(blocks: Iterator[Floats], method: str, samples: int) -> tuple[Weights, str]:
    if method == "iwae":
        return summarise_blocks(blocks), f"IWAE-{samples}"
    parts = [(w.mean(1), w.std(1, ddof=1) if samples > 1 else w[:, 0] * np.nan) for w in blocks]
    mean, spread = (np.concatenate(p) for p in zip(*parts, strict=True))
    none = np.full(len(mean), np.nan)
    return Weights(mean, spread / math.sqrt(samples), none, none), f"ELBO, {samples} draws"


def _of_nothing(x: Array, found: Weights, samples: int) -> Weights:
    """The density of a row without a value is 1."""
    empty = np.isnan(x).all(axis=1) if x.dtype.kind == "f" else np.zeros(len(x), dtype=bool)
    if not empty.any():
        return found
    exact = (("log_mean", 0.0), ("stderr", 0.0), ("ess", float(samples)), ("khat", -np.inf))
    return Weights(**{name: np.where(empty, v, getattr(found, name)) for name, v in exact})


def quick(net: TrainedNets, x: Array, context: Floats | None, samples: int) -> Floats:
    """(n,) bounds of stored rows (n, D) by a few draws, without the units."""
    seeds = np.arange(len(x), dtype=np.uint64)
    blocks = log_weights(net, x, context, seeds, samples, [x])
    return np.concatenate([logsumexp(w, axis=1) - math.log(w.shape[1]) for w in blocks])


def log_weights(
    net: TrainedNets,
    x: Array,
    context: Floats | None,
    seeds: NDArray[np.uint64] | None,
    samples: int,
    places: Sequence[Array],
) -> Iterator[Floats]:
    """Blocks (rows, K) of log weights, rows in order.

    Args:
        x: (n, D) stored rows; the guide sees these.
        seeds: (n,) of each row's draws.
        places: stored rows at which the first, second, ... share of the draws is taken.
    """
    assert seeds is not None
    at_once = max(1, _DECODED // max(x.shape[1], 64))
    size = max(1, min(256, at_once // samples))
    each = -(-samples // len(places))
    for rows, y, c in net.blocks(x, context, size):
        draws = RowDraws(seeds[rows], net)
        stored = [net.tensor(place[rows]) for place in places]
        sizes = _sizes(each, max(1, at_once // len(y)))
        yield _block(net, y, c, draws, [(s, k) for s in stored for k in sizes])


def _sizes(whole: int, size: int) -> list[int]:
    return [min(size, whole - start) for start in range(0, whole, size)]


@torch.no_grad()
@within_cores()
def _block(
    net: TrainedNets,
    y: Tensor,
    context: Tensor | None,
    draws: RowDraws,
    at: Sequence[tuple[Tensor, int]],
) -> Floats:
    """(n, K) log weights: so many draws at each place of rows whose middles are y."""
    found = []
    for stored, k in at:
        values, log_q = draws.guided(y, context, k)
        p = net.modelled(draws.filled(stored, k), context, values)
        found.append((total(p) - log_q).cpu())
    return np.asarray(torch.cat(found).T.double().numpy())


@torch.no_grad()
def expected(net: TrainedNets, x: Array, n_samples: int, seeds: NDArray[np.uint64]) -> Floats:
    """(n, D) what is expected of each stored value given those of its row that are there, by so
    many draws a row."""
    filled = []
    for rows, y, _ in net.blocks(x, None, _FILLED):
        values, log_q = RowDraws(seeds[rows], net).guided(y, None, n_samples)
        p = net.modelled(y, None, values)
        share = torch.softmax(total(p) - log_q, 0).unsqueeze(-1)
        p_x = p[DATA]["fn"]
        mean = p_x.mixed(share, y) if isinstance(p_x, Values) else (share * p_x.mean).sum(0)
        filled.append(net.values.leave(mean))
    return doubles(filled)


# What is said of them


def diagnostics(
    density: Density, values: int, method: str, samples: int, *, filled: bool
) -> dict[str, Any]:
    """`LogDensity.diagnostics` of rows of so many values."""
    good = good_khat(samples) if samples > 1 else math.nan
    return {
        **density.diagnostics,
        "good_khat": good,
        "bits_per_dim": -density.values / (values * math.log(2)),
        "advice": advice(density.diagnostics["khat"], good, method, filled),
    }


def advice(khat: Floats, good: float, method: str, filled: bool) -> str:
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
