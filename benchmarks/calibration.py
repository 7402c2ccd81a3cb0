"""Simulations of what ppgen states: do its numbers hold in tables whose population is known?

    python -m benchmarks.calibration                  all of them, quick
    python -m benchmarks.calibration splits --full    one of them, every table

    splits      held-out means against their true expectation, in their standard errors
    decided     false alarms and power of comparisons
    tails       standard errors of outlying rows
    verdicts    planted faults of fitting, and healthy fits
    audit       false alarms of audits
    posteriors  simulation-based calibration of the pairs that ship

Each simulation is a module `calibrate_NAME` with `run(full)`, which gives a list of dicts: `what`
was counted, its `figure` and `target` in words, whether that is `met` (None: too few tables to
say), and what else there is to say.
The status is 1 where a target is missed. Writes one JSON line at the end of each.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SIMULATIONS = sorted(p.stem.removeprefix("calibrate_") for p in HERE.glob("calibrate_*.py"))
_LIBRARIES = ("numpy", "scipy", "jax", "scikit-learn")


def shown(lines: list[dict[str, Any]]) -> str:
    """The lines as an aligned table."""
    names = list(dict.fromkeys(name for line in lines for name in line))
    cells = [names, *([str(line.get(name, "")) for name in names] for line in lines)]
    wide = [max(len(row[j]) for row in cells) for j in range(len(names))]
    return "\n".join(
        "  ".join(word.ljust(w) for word, w in zip(row, wide, strict=True)).rstrip()
        for row in cells
    )


def simulate(name: str, full: bool) -> bool:
    """Run a simulation and print what it found; whether every target is met."""
    began = time.perf_counter()
    lines = import_module(f"calibrate_{name}").run(full)
    body = {
        "benchmark": f"calibration {name}",
        "full": full,
        "seconds": round(time.perf_counter() - began, 1),
        "versions": {library: version(library) for library in _LIBRARIES},
        "lines": lines,
    }
    print(f"{name}\n{shown(lines)}\n{json.dumps(body)}", flush=True)
    return all(line.get("met") is not False for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(SIMULATIONS)}; default: all")
    parser.add_argument("--full", action="store_true", help="every table, not a few of each kind")
    given = parser.parse_args()
    for name in given.names:
        if name not in SIMULATIONS:
            parser.error(f"there is no simulation {name!r}; there are {', '.join(SIMULATIONS)}")
    met = [simulate(name, given.full) for name in given.names or SIMULATIONS]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    sys.path.insert(0, str(Path(__file__).parents[1]))  # when run by its path
    sys.exit(main())
