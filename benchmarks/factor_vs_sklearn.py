"""`FactorAnalysis` against scikit-learn's, side by side on one thread: seconds and log-likelihoods.

    python benchmarks/factor_vs_sklearn.py --rows 100000 --columns 50 --factors 5

Both fit and score the same rows in turns; the median ratio of pairs is printed. Those of ppgen
include reading off the columns' kinds and the verdict's look at held-out rows. scikit-learn runs
with its defaults, and once more to convergence ("lapack", tol 1e-8), whose log-likelihood is that
of the same solution. Writes a JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from importlib.metadata import version
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before NumPy is loaded


def drawn(n: int, d: int, k: int) -> Any:
    """Rows of a factor model."""
    import numpy as np

    rng = np.random.default_rng(0)
    z, W = rng.normal(size=(n, k)), rng.normal(size=(d, k))
    return z @ W.T + np.sqrt(rng.uniform(0.3, 3, d)) * rng.normal(size=(n, d))


def timed(model: Any, x: Any) -> tuple[float, float]:
    """Seconds of a fit, and the mean log-likelihood of the rows."""
    began = time.perf_counter()
    model.fit(x)
    return time.perf_counter() - began, float(model.score(x))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--factors", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=5)
    args = parser.parse_args()

    from sklearn import decomposition
    from threadpoolctl import threadpool_limits

    from ppgen import FactorAnalysis

    x, k = drawn(args.rows, args.columns, args.factors), args.factors
    with threadpool_limits(1):
        for_warmth = x[:1000]
        timed(FactorAnalysis(k, random_state=0), for_warmth)
        ours, theirs = [], []
        for _ in range(args.pairs):
            ours.append(timed(FactorAnalysis(k, random_state=0), x))
            theirs.append(timed(decomposition.FactorAnalysis(k, random_state=0), x))
        exact = decomposition.FactorAnalysis(k, svd_method="lapack", tol=1e-8, max_iter=10_000)
        _, converged = timed(exact, x)
        ppca = FactorAnalysis(k, noise="isotropic", standardise=False, random_state=0)
        ppca_seconds, ppca_score = timed(ppca, x)
        pca_seconds, pca_score = timed(decomposition.PCA(k), x)
    ratio = statistics.median(b[0] / a[0] for a, b in zip(ours, theirs, strict=True))
    seconds = {
        "ppgen": statistics.median(a[0] for a in ours),
        "sklearn": statistics.median(b[0] for b in theirs),
        "ppgen ppca": ppca_seconds,
        "sklearn pca": pca_seconds,
    }
    print(
        f"factor analysis {args.rows} x {args.columns}, {k} factors: {seconds['ppgen']:.2f} s, "
        f"scikit-learn {seconds['sklearn']:.2f} s: {ratio:.1f} times as fast (median of pairs)"
    )
    print(f"log-likelihood minus scikit-learn's at convergence: {ours[0][1] - converged:+.1e}")
    print(
        f"PCA: {ppca_seconds:.2f} s, scikit-learn {pca_seconds:.2f} s, log-likelihood "
        f"{ppca_score - pca_score:+.1e}"
    )
    line = {
        "benchmark": "factor_vs_sklearn",
        "n": args.rows, "d": args.columns, "k": k, "pairs": args.pairs,
        "seconds": seconds, "ratio": ratio, "log_likelihood_gap": ours[0][1] - converged,
        "pca_log_likelihood_gap": ppca_score - pca_score,
        "versions": {name: version(name) for name in ("numpy", "scipy", "scikit-learn")},
    }  # fmt: skip
    print(json.dumps(line))


if __name__ == "__main__":
    main()
