"""Pathfinder with several paths: Gaussians along quasi-Newton paths to the mode.

On a path of L-BFGS to a maximum of f(z) = log p(theta(z), y) + log |d theta / d z|, each place z_l
and the history of steps up to it give an estimate S_l of the inverse of -f'' and the Gaussian

    q_l = N(z_l + S_l f'(z_l), S_l),

of which the path keeps the one with the largest ELBO, that is, before it has run into a peak that
holds no mass. Draws come in equal numbers from the best of each of I paths, that is from

    q(z) = 1/I sum_i q_i(z),

are weighed by exp(f(z)) / q(z), smoothed by `psis`, and drawn anew. So they are nearer to the
posterior than q, and no better than k-hat says: they are not exact.

The paths and the factors of S_l are blackjax's. Its `pathfinder` takes the gradient of -f for that
of f, so that its means are z_l - S_l f'(z_l); therefore the Gaussians are chosen here.

Reference: Zhang, Carpenter, Gelman and Vehtari, "Pathfinder: parallel quasi-Newton variational
inference", 2022, https://jmlr.org/papers/v23/21-0889.html.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...arrays import Array
from ...errors import InputError
from ...fitting import EngineFit
from ...progress import Progress
from ...verdict import Reason
from .approximation import judged
from .numeric import numeric
from .psis import smooth
from .result import Posterior, Why
from .target import Target

_FEW = 4  # paths, below which modes may be missed
_LINE_SEARCH = 30  # tries of a step
_ADVICE = 'Raise num_paths or history, or take method="nuts" or "smc".'
_TOLERANCE = 1e-10  # of f, relative, and 1e-8 of its gradient


class Path(NamedTuple):
    """What one path gave.

    Attributes:
        elbo: of its best Gaussian, in nats.
        mean, covariance: (p,) and (p, p) of that.
        steps: that L-BFGS took.
    """

    elbo: jax.Array
    mean: jax.Array
    covariance: jax.Array
    steps: jax.Array


def walker(
    log_joint: Callable[[Any], Any], *, max_steps: int, history: int, elbo_draws: int
) -> Callable[[jax.Array, jax.Array], Path]:
    """A function of (key, start) that walks one path."""
    from blackjax.optimizers import lbfgs

    def walk(key: jax.Array, start: jax.Array) -> Path:
        end, path = lbfgs.minimize_lbfgs(
            lambda z: -log_joint(z), start, maxiter=max_steps, maxcor=history,
            maxls=_LINE_SEARCH, ftol=_TOLERANCE, gtol=1e-8,
        )  # fmt: skip
        kept = path.update_mask[1:]
        before = ((history, 0), (0, 0))
        s = jnp.pad(jnp.where(kept, jnp.diff(path.x, axis=0), 0), before)
        y = jnp.pad(jnp.where(kept, jnp.diff(path.g, axis=0), 0), before)

        def gaussian(l: jax.Array) -> Any:
            window = l + jnp.arange(history)
            return lbfgs.lbfgs_inverse_hessian_factors(s[window].T, y[window].T, path.alpha[l])

        def elbo(l: jax.Array, key: jax.Array) -> Any:
            z, log_q = lbfgs.bfgs_sample(
                key, elbo_draws, path.x[l], -path.g[l], path.alpha[l], *gaussian(l)
            )
            return (jax.vmap(log_joint)(z) - log_q).mean()

        places = jnp.arange(max_steps + 1)
        values = jax.lax.map(lambda each: elbo(*each), (places, jax.random.split(key, len(places))))
        steps = end.state.iter_num
        values = jnp.where((places <= steps) & jnp.isfinite(values), values, -jnp.inf)
        best = jnp.argmax(values)
        s_best = lbfgs.lbfgs_inverse_hessian_formula_1(path.alpha[best], *gaussian(best))
        return Path(values[best], path.x[best] - s_best @ path.g[best], s_best, steps)

    return walk


def run(target: Target, settings: Any, fit: EngineFit) -> Posterior:
    """Approximate a pair's posterior by multi-path Pathfinder.

    Raises:
        InputError: if there is no place to start at, or no draw has a finite density.
    """
    began, f = time.perf_counter(), numeric(target)
    why: Why = "done"
    paths: list[Path] = []
    seeds = fit.rng().integers(2**31, size=settings.num_paths).tolist()
    with target.precision():
        walk = jax.jit(walker(
            target.log_joint, max_steps=settings.max_steps,
            history=min(settings.history, max(target.size, 5)), elbo_draws=settings.elbo_draws,
        ))  # fmt: skip
        try:
            for i, seed in enumerate(seeds):
                found = walk(jax.random.key(seed), target.start(seed))
                paths.append(jax.tree.map(np.asarray, found))
                fit.report(Progress(i + 1, -float(max(path.elbo for path in paths))))
                if fit.deadline() == 0.0 and i + 1 < len(seeds):
                    why = "budget"
                    break
        except KeyboardInterrupt:
            if not paths:
                raise
            why = "interrupted"
    ended = [path for path in paths if np.isfinite(path.elbo)]
    if not ended:
        raise InputError(
            f"no Gaussian on any of {len(paths)} paths has a finite ELBO: its draws meet places "
            'without a density. Take method="nuts".'
        )
    rng = fit.rng()
    z, log_q = mixture(ended, max(settings.num_draws, settings.num_proposals), rng)
    lp = f.log_joint(z)
    weights = smooth(lp - log_q)
    chosen = weights.resample(settings.num_draws, rng)
    taken = sum(1 + 2 * int(path.steps) for path in paths)  # at the least: searches may take more
    return Posterior(
        f.constrain(z[chosen][None]),
        {"lp": lp[chosen][None]},
        weights.evidence,
        why,
        taken,
        time.perf_counter() - began,
        {"mean": np.stack([p.mean for p in paths]), "elbo": np.array([p.elbo for p in paths])},
        [
            *judged(f, z[chosen], lp - log_q, "Pathfinder", _ADVICE, fit, resampled=True),
            *_paths(len(ended), len(paths)),
        ],
    )


def _paths(ended: int, total: int) -> list[Reason]:
    if ended >= _FEW:
        return [Reason("ok", f"{ended} of {total} paths were used; draws are an approximation.")]
    what = f"Pathfinder went along {ended} paths, which may have missed modes."
    return [Reason("warn", what, f"Give num_paths={2 * _FEW}.")]


def mixture(paths: list[Path], n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draws (about n, p) from the paths' Gaussians in equal numbers, and their log density (n,)."""
    each = -(-n // len(paths))
    roots = [np.linalg.cholesky(path.covariance) for path in paths]
    p = len(paths[0].mean)
    z = np.concatenate([
        path.mean + rng.standard_normal((each, p)) @ root.T
        for path, root in zip(paths, roots, strict=True)
    ])  # fmt: skip
    log_q = np.stack([
        _log_normal(z - path.mean, root) for path, root in zip(paths, roots, strict=True)
    ])  # fmt: skip
    return z, np.logaddexp.reduce(log_q, axis=0) - np.log(len(paths))


def _log_normal(gap: Array, root: Array) -> Array:
    """Log density (n,) of N(0, root root') at gap (n, p)."""
    from scipy.linalg import solve_triangular

    noise = solve_triangular(root, gap.T, lower=True)
    log_det = np.log(np.diag(root)).sum()
    log_q: Array = -log_det - (noise**2 + np.log(2 * np.pi)).sum(axis=0) / 2
    return log_q
