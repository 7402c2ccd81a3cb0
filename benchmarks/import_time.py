"""How long the front door takes: `import ppgen` and `ppgen --help`, beside an empty interpreter.

    python benchmarks/import_time.py --repeats 20

Each run is a fresh process with files in the disk cache; the three are interleaved and the median
of each is printed, in milliseconds of wall-clock time. The limit is 300 ms. Writes a JSON line.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version

LIMIT = 0.3
COMMANDS = {
    "python": [sys.executable, "-c", "pass"],
    "import ppgen": [sys.executable, "-c", "import ppgen"],
    "ppgen --help": [sys.executable, "-m", "ppgen", "--help"],
}


def seconds(command: list[str]) -> float:
    """Wall-clock seconds of a process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(repeats + 1):
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    medians = {name: statistics.median(times[1:]) for name, times in taken.items()}  # one warms up
    for name, median in medians.items():
        slow = f"  above the limit of {1000 * LIMIT:.0f} ms" if median > LIMIT else ""
        print(f"{name:<14}{1000 * median:7.0f} ms{slow}")
    line = {
        "benchmark": "import_time",
        "seconds": {name: round(median, 4) for name, median in medians.items()},
        "repeats": repeats,
        "versions": {"python": platform.python_version(), "typer": version("typer")},
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
