"""The 24 problems of the UAI 2014 competition here: exact log Z and marginals, against references.

    PPGEN_DATA=... python benchmarks/uai_problems.py              under a minute
    PPGEN_DATA=... python benchmarks/uai_problems.py --memory 1   within 1 GiB

Each problem runs in a process of its own. Printed are the cells of all cliques and of the largest,
what was counted to be held at once and the largest resident memory, seconds for reading, for the
order of elimination, and for log Z and all marginals, and the distance from the references, which
have six digits: relative in log10 Z, absolute in marginals. What is above the memory is refused.
Writes one JSON line at the end.

Reference: Gogate, "UAI 2014 inference competition", 2014,
https://www.hlt.utdallas.edu/~vgogate/uai14-competition/.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import platform
import resource
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any


def solve(pipe: Any, model: Path, marginals: Path, memory: int, order: str) -> None:
    """Answer what was found on one problem."""
    import numpy as np

    from ppgen.errors import InputError
    from ppgen.inference.exact import Exact
    from ppgen.models.bayesnet.formats import uai
    from ppgen.models.bayesnet.formats.source import decoded, read_bytes

    def read(path: Path) -> Any:
        return decoded(path.name, read_bytes(path))

    seconds = [time.perf_counter()]
    graph = uai.read_factors(read(model))
    evidence = uai.read_evidence(read(model.with_name(f"{model.name}.evid")), graph.sizes)
    seconds.append(time.perf_counter())
    exact = Exact(graph.sizes, graph.scopes, order=order, memory=memory, names=graph.names)
    row: dict[str, Any] = {"problem": model.stem}
    try:
        cost = exact.cost(list(evidence))
    except InputError as error:
        pipe.send({**row, "refused": str(error)})
        return
    seconds.append(time.perf_counter())
    found = exact.marginals(graph.tables, evidence)
    seconds.append(time.perf_counter())
    log10_z = uai.read_log10_z(read(model.with_name(f"{model.name}.PR")))
    pairs = zip(found.probs, uai.read_marginals(read(marginals)), strict=True)
    unit = 1 if platform.system() == "Darwin" else 1024
    pipe.send({
        **row, "cells": cost.cells, "largest": cost.n_cells, "counted_gib": cost.bytes / 2**30,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30,
        "read_s": seconds[1] - seconds[0], "order_s": seconds[2] - seconds[1],
        "infer_s": seconds[3] - seconds[2],
        "log10_z": abs(found.log_z / math.log(10) - log10_z) / abs(log10_z),
        "marginals": max(float(np.abs(p - q).max()) for p, q in pairs),
    })  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory", type=float, default=8.0, help="GiB a problem may take")
    parser.add_argument("--order", default="auto")
    args = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    context = multiprocessing.get_context("spawn")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(os.environ["PPGEN_DATA"]) / "uai2014" / "uai2014_dev.tar.gz"
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
        for model in sorted(Path(folder).glob("*/PR/*.uai")):
            marginals = model.parents[1] / "MAR" / f"{model.name}.MAR"
            here, there = context.Pipe()
            size = int(args.memory * 2**30)
            process = context.Process(
                target=solve, args=(there, model, marginals, size, args.order)
            )
            process.start()
            there.close()
            row = here.recv()
            process.join()
            rows.append(row)
            print(shown(row), flush=True)
    solved = [row for row in rows if "refused" not in row]
    totals = {
        "solved": len(solved), "of": len(rows),
        "worst_log10_z": max(row["log10_z"] for row in solved),
        "worst_marginal": max(row["marginals"] for row in solved),
        "peak_gib": max(row["peak_gib"] for row in solved),
        "seconds": sum(row["order_s"] + row["infer_s"] for row in solved),
    }  # fmt: skip
    print(json.dumps({"memory_gib": args.memory, "order": args.order, **totals, "problems": rows}))


def shown(row: dict[str, Any]) -> str:
    if "refused" in row:
        return f"{row['problem']:20s} refused: {row['refused'][:230]}"
    return (
        f"{row['problem']:20s} {row['cells']:.1e} cells, "
        f"largest 2^{math.log2(row['largest']):.1f}, counted {row['counted_gib']:.2f} GiB, "
        f"peak {row['peak_gib']:.2f}; read {row['read_s']:.2f} s, order {row['order_s']:.2f}, "
        f"log Z and marginals {row['infer_s']:.2f}; "
        f"log10 Z {row['log10_z']:.0e}, marginals {row['marginals']:.0e}"
    )


if __name__ == "__main__":
    main()
