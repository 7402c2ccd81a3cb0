"""Seconds to read the published networks, and whether each format gives them back.

    PPGEN_DATA=... python benchmarks/network_files.py         a few seconds

Read are the BIF files as they are, and each network as it was written in every format; compared are
parents, states and all numbers. pyAgrum reads the BIF files beside, where it is installed and can.
Writes one JSON line at the end.
"""

from __future__ import annotations

import gzip
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ENDINGS = (".bif", ".xml", ".net", ".json", ".uai")


def seconds(call: Callable[[], object], repeats: int = 5) -> float:
    """The median of some calls."""
    took = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def same(a: Any, b: Any) -> bool:
    """Whether two networks have the same parents and numbers."""
    pairs = zip(a.conditionals, b.conditionals, strict=True)
    return a.dag.parents == b.dag.parents and all((x.probs == y.probs).all() for x, y in pairs)


def peer(file: Path, folder: Path) -> float | None:
    """Seconds of pyAgrum; None where it is not installed or cannot read the file."""
    try:
        import pyagrum

        plain = folder / "plain.bif"
        plain.write_bytes(gzip.decompress(file.read_bytes()))
        return seconds(lambda: pyagrum.loadBN(str(plain)))
    except Exception:
        return None


def main() -> None:
    from ppgen.models.bayesnet import formats

    networks = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in sorted((Path(os.environ["PPGEN_DATA"]) / "bayesnets" / "bif").glob("*.gz")):
            network = formats.read(file)
            line: dict[str, Any] = {
                "read_s": round(seconds(lambda file=file: formats.read(file)), 4)
            }
            line["pyagrum_s"] = peer(file, folder)
            for ending in ENDINGS:
                formats.write(network, folder / f"x{ending}")
                line[f"same{ending}"] = same(formats.read(folder / f"x{ending}"), network)
            networks[file.name.removesuffix(".bif.gz")] = line
            print(file.name, line, flush=True)
    print(json.dumps({"benchmark": "network_files", "networks": networks}))


if __name__ == "__main__":
    main()
