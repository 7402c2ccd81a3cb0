"""Times of `GaussianMixture`: rows with gaps beside rows without, and many columns beside
scikit-learn.

    python benchmarks/gmm_times.py                    both, a few minutes
    python benchmarks/gmm_times.py --sections gaps --rows 20000 --columns 15 --missing 0.3
    python benchmarks/gmm_times.py --sections wide --rows 5000 --columns 500 --components 3

gaps: processor time of a whole fit of a table with values missing at random over that of the same
table complete, and the largest difference of a row's log density from a factorisation of its own.
wide: processor time of full covariances, both in this process and in turns; from one start with a
number of EM steps, and as they come. Medians of pairs are printed. Writes one JSON line at the end.

Reference: Pedregosa et al., "Scikit-learn: machine learning in Python", 2011,
https://jmlr.org/papers/v12/pedregosa11a.html.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
import warnings
from importlib.metadata import version
from typing import Any

SECTIONS = ("gaps", "wide")
SIZES = {"gaps": (20_000, 15), "wide": (5_000, 500)}


def draw(n: int, d: int, k: int, seed: int, spread: float) -> Any:
    """Rows of k correlated components, `spread` apart in each column."""
    import numpy as np

    rng = np.random.default_rng(seed)
    means = rng.normal(0, spread, (k, d))
    factors = rng.normal(size=(k, d, d)) / np.sqrt(d) + np.eye(d)
    z = rng.integers(0, k, n)
    x = np.empty((n, d))
    for c in range(k):
        x[z == c] = means[c] + rng.normal(size=((z == c).sum(), d)) @ factors[c].T
    return x


def timed(fit: Any, x: Any) -> float:
    """Processor seconds of a fit."""
    began = time.process_time()
    fit.fit(x)
    return time.process_time() - began


def row_by_row(fit: Any, x: Any) -> Any:
    """Log densities of rows, the covariance of each row's own columns factored."""
    import numpy as np
    from scipy.special import logsumexp
    from scipy.stats import multivariate_normal

    found = []
    for row in x:
        o = ~np.isnan(row)
        logs = [
            multivariate_normal.logpdf(row[o], mean[o], sigma[o][:, o]) if o.any() else 0.0
            for mean, sigma in zip(fit.means_, fit.covariances_, strict=True)
        ]
        found.append(logsumexp(np.log(fit.weights_) + logs))
    return np.array(found)


def gaps(args: argparse.Namespace) -> dict[str, Any]:
    import numpy as np

    from ppgen import GaussianMixture

    n, d = args.rows or SIZES["gaps"][0], args.columns or SIZES["gaps"][1]
    whole = draw(n, d, args.components, args.seed, 1.0)
    holed = whole.copy()
    holed[np.random.default_rng(args.seed + 1).random(whole.shape) < args.missing] = np.nan
    timed(GaussianMixture(args.components, random_state=0), whole[:500])  # loads and compiles
    pairs = []
    for repeat in range(args.repeats):
        fits = [GaussianMixture(args.components, random_state=repeat) for _ in range(2)]
        pairs.append([timed(fit, x) for fit, x in zip(fits, (whole, holed), strict=True)])
    ratio = statistics.median(b / a for a, b in pairs)
    some = holed[:200]
    error = float(np.abs(fits[1].score_samples(some) - row_by_row(fits[1], some)).max())
    print(
        f"gaps n={n} d={d}: {ratio:.1f} times the complete table's processor time "
        f"({pairs[-1][1]:.1f} s against {pairs[-1][0]:.1f} s, {fits[1].n_iter_} steps at the end "
        f"against {fits[0].n_iter_}); log densities within {error:.0e}",
        flush=True,
    )
    return {"n": n, "d": d, "seconds": pairs, "ratio": ratio, "error": error}


def wide(args: argparse.Namespace) -> dict[str, Any]:
    import numpy as np
    from sklearn.mixture import GaussianMixture as Reference

    from ppgen import GaussianMixture

    n, d = args.rows or SIZES["wide"][0], args.columns or SIZES["wide"][1]
    k, x = args.components, draw(n, d, args.components, args.seed, 0.2)
    rng = np.random.default_rng(args.seed)
    start: dict[str, Any] = {
        "weights_init": np.full(k, 1 / k),
        "means_init": x[rng.choice(n, k, replace=False)],
        "precisions_init": np.tile(np.eye(d), (k, 1, 1)),
    }
    GaussianMixture(k, random_state=0).fit(x[: 4 * d, :70])  # loads what is needed
    given: dict[str, Any] = {**start, "max_iter": args.iterations, "tol": 0.0, "random_state": 0}
    found: dict[str, Any] = {"n": n, "d": d, "k": k}
    for name, ours, theirs in (
        ("one start", given, given | {"init_params": "random_from_data"}),
        ("as they come", {"random_state": 0}, {"random_state": 0}),
    ):
        pairs, bounds = [], []
        for _ in range(args.repeats):
            fits = GaussianMixture(k, **ours), Reference(k, **theirs)
            pairs.append([timed(fit, x) for fit in fits])
            bounds = [float(fit.lower_bound_) for fit in fits]
        ratio = statistics.median(a / b for a, b in pairs)
        found[name] = {"seconds": pairs, "ratio": ratio, "log_likelihood": bounds}
        print(
            f"wide d={d} k={k} n={n}, {name}: {ratio:.2f} times scikit-learn's time "
            f"({pairs[-1][0]:.1f} s against {pairs[-1][1]:.1f} s), log-likelihood a row "
            f"{bounds[0]:.3f} against {bounds[1]:.3f}",
            flush=True,
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--columns", type=int)
    parser.add_argument("--components", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--missing", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(args.threads)  # before NumPy is loaded
    warnings.simplefilter("ignore")
    run = {"gaps": gaps, "wide": wide}
    result = {name: run[name](args) for name in args.sections}
    versions = {name: version(name) for name in ("numpy", "jax", "scikit-learn")}
    print(json.dumps({"threads": args.threads, "versions": versions, **result}))


if __name__ == "__main__":
    main()
