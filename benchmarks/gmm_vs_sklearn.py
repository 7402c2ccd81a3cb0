"""`GaussianMixture` against scikit-learn's: speed from one start, quality of starts, cost in rows.

    python benchmarks/gmm_vs_sklearn.py                  speed and quality, a few minutes
    python benchmarks/gmm_vs_sklearn.py --sections scaling --rows 10000000

Speed: both run the same number of EM iterations from the same parameters, each in a process of
its own, so that the first call includes compilation and the peak memory is its own. Calls are
interleaved; the median ratio of pairs is printed. Quality: mixtures of k Gaussians with full
covariances, k in 5..20 and d in 2..16; the gap is the mean log density of the true mixture minus
that of the fit, on test rows. Scaling: seconds a million rows at growing n.
Writes one JSON line at the end.

Reference: Pedregosa et al., "Scikit-learn: machine learning in Python", 2011,
https://jmlr.org/papers/v12/pedregosa11a.html.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import statistics
import time
import warnings
from importlib.metadata import version
from typing import Any

SECTIONS = ("speed", "quality", "scaling")


def mixture(d: int, k: int, seed: int, spread: float = 3.0) -> tuple[Any, Any, Any]:
    """Weights, means and Cholesky factors of a mixture whose components overlap."""
    import numpy as np

    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.full(k, 5.0))
    means = rng.normal(0, spread, (k, d))
    half = rng.normal(size=(k, d, d)) / np.sqrt(d)
    factors = np.linalg.cholesky(half @ half.mT + 0.1 * np.eye(d))
    return weights, means, factors


def draw(truth: tuple[Any, Any, Any], n: int, seed: int) -> Any:
    import numpy as np

    weights, means, factors = truth
    rng = np.random.default_rng(seed)
    x = np.empty((n, means.shape[1]))
    for start in range(0, n, 1 << 16):  # in blocks: factors[z] would be d times the rows
        z = rng.choice(len(weights), size=min(1 << 16, n - start), p=weights)
        noise = rng.normal(size=(len(z), means.shape[1]))
        for c in range(len(weights)):
            noise[z == c] = noise[z == c] @ factors[c].T
        x[start : start + len(z)] = means[z] + noise
    return x


def one(pipe: Any, which: str, n: int, d: int, k: int, dtype: str, n_iter: int, calls: int) -> None:
    """Fit `calls` times when told to; answer (seconds, objective), and at last the peak memory."""
    import numpy as np

    warnings.simplefilter("ignore")
    truth = mixture(d, k, 0)
    x = draw(truth, n, 1).astype(dtype)
    means = truth[1] + np.random.default_rng(2).normal(size=(k, d))
    weights, precisions = np.full(k, 1 / k), np.tile(np.eye(d) / 4, (k, 1, 1))
    start = {
        name: value.astype(dtype)
        for name, value in (
            ("weights_init", weights),
            ("means_init", means),
            ("precisions_init", precisions),
        )
    }
    common: dict[str, Any] = {"max_iter": n_iter, "tol": 0.0, "random_state": 0, **start}
    if which == "ppgen":
        from ppgen import GaussianMixture

        fit = GaussianMixture(k, reg_covar=0.0, **common)
    else:
        from sklearn.mixture import GaussianMixture as Reference

        fit = Reference(k, reg_covar=0.0, init_params="random_from_data", **common)
    base = peak()
    for _ in range(calls):
        pipe.recv()
        began = time.perf_counter()
        fit.fit(x)
        pipe.send((time.perf_counter() - began, float(fit.lower_bound_)))
    pipe.send((base, peak()))


def peak() -> float:
    """Largest resident memory of this process so far, in MiB."""
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def pair(n: int, d: int, k: int, dtype: str, n_iter: int, calls: int) -> dict[str, Any]:
    """Both, in turns, each in a fresh process."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Any] = {}
    seconds: dict[str, list[float]] = {}
    bounds: dict[str, float] = {}
    memory: dict[str, tuple[float, float]] = {}
    processes = []
    for which in ("ppgen", "sklearn"):
        here, there = context.Pipe()
        process = context.Process(target=one, args=(there, which, n, d, k, dtype, n_iter, calls))
        process.start()
        there.close()
        processes.append(process)
        pipes[which], seconds[which] = here, []
    for _ in range(calls):
        for which, pipe in pipes.items():
            pipe.send("go")
            took, bounds[which] = pipe.recv()
            seconds[which].append(took)
    for which, pipe in pipes.items():
        memory[which] = pipe.recv()
    for process in processes:
        process.join()
    ratios = [b / a for a, b in zip(seconds["ppgen"], seconds["sklearn"], strict=True)]
    return {
        "n": n, "d": d, "k": k, "dtype": dtype, "n_iter": n_iter, "seconds": seconds,
        "ratio_first": ratios[0], "ratio_warm": statistics.median(ratios[1:] or ratios),
        "log_likelihood": bounds, "peak_mib": {w: m[1] for w, m in memory.items()},
        "before_mib": {w: m[0] for w, m in memory.items()},
    }  # fmt: skip


def speed(args: argparse.Namespace) -> list[dict[str, Any]]:
    found = []
    for dtype in ("float64", "float32"):
        row = pair(100_000, 16, 20, dtype, args.iterations, args.repeats + 1)
        found.append(row)
        gap = row["log_likelihood"]["ppgen"] - row["log_likelihood"]["sklearn"]
        print(
            f"speed {dtype}: {row['ratio_first']:.1f}x first call, {row['ratio_warm']:.1f}x warm, "
            f"log-likelihood {gap:+.1e}, peak {row['peak_mib']['ppgen']:.0f} MiB "
            f"against {row['peak_mib']['sklearn']:.0f}",
            flush=True,
        )
    return found


def quality(args: argparse.Namespace) -> list[dict[str, Any]]:
    import numpy as np
    from scipy.special import logsumexp
    from sklearn.mixture import GaussianMixture as Reference

    from ppgen import GaussianMixture

    warnings.simplefilter("ignore")
    found = []
    for d, k in ((2, 5), (2, 20), (8, 10), (16, 20)):
        for seed in range(args.seeds):
            truth = mixture(d, k, seed)
            x, test = draw(truth, 20_000, seed + 100), draw(truth, 20_000, seed + 200)
            y = np.einsum("kij,nkj->nki", np.linalg.inv(truth[2]), test[:, None] - truth[1])
            log_det = np.log(np.diagonal(truth[2], axis1=1, axis2=2)).sum(axis=1)
            joint = np.log(truth[0]) - log_det - 0.5 * ((y**2).sum(axis=2) + d * np.log(2 * np.pi))
            best = float(logsumexp(joint, axis=1).mean())
            row: dict[str, Any] = {"d": d, "k": k, "seed": seed}
            for name, fit in (
                ("ppgen", GaussianMixture(k, random_state=seed)),
                ("sklearn", Reference(k, random_state=seed, max_iter=200)),
            ):
                began = time.perf_counter()
                row[name] = best - float(fit.fit(x).score(test))
                row[f"{name}_seconds"] = time.perf_counter() - began
            found.append(row)
            print(
                f"quality d={d} k={k} seed {seed}: {row['ppgen']:.3f} nats below the truth in "
                f"{row['ppgen_seconds']:.1f} s; sklearn {row['sklearn']:.3f} in "
                f"{row['sklearn_seconds']:.1f} s",
                flush=True,
            )
    return found


def scaled(pipe: Any, n: int, n_iter: int) -> None:
    import numpy as np

    from ppgen import GaussianMixture

    truth = mixture(8, 8, 0)
    x = draw(truth, n, 1)
    before = peak()
    fit = GaussianMixture(8, means_init=truth[1], max_iter=n_iter, tol=0.0, random_state=0)
    began = time.perf_counter()
    score = float(np.mean(fit.fit(x).score_samples(x[:1000])))
    pipe.send((time.perf_counter() - began, before, peak(), x.nbytes / 2**20, score))


def scaling(args: argparse.Namespace) -> list[dict[str, Any]]:
    context = multiprocessing.get_context("spawn")
    found = []
    n = args.rows
    for rows in (n // 100, n // 10, n):
        here, there = context.Pipe()
        process = context.Process(target=scaled, args=(there, rows, 5))
        process.start()
        there.close()
        seconds, before, after, own, _ = here.recv()
        process.join()
        found.append({"n": rows, "seconds": seconds, "rise_mib": after - before, "x_mib": own})
        print(
            f"scaling n={rows}: {seconds / rows * 1e6:.2f} s a million rows for 5 iterations, "
            f"{after - before:.0f} MiB above the {own:.0f} MiB of rows",
            flush=True,
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=["speed", "quality"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=10_000_000)
    args = parser.parse_args()
    # Before NumPy is loaded, here and in the processes started from here.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(args.threads)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    versions = {name: version(name) for name in ("numpy", "jax", "scikit-learn")}
    print(f"{args.threads} threads, {platform.machine()}, {versions}")
    run = {"speed": speed, "quality": quality, "scaling": scaling}
    result: dict[str, Any] = {name: run[name](args) for name in args.sections}
    print(json.dumps({"threads": args.threads, "versions": versions, **result}))


if __name__ == "__main__":
    main()
