"""A diffusion model of a mixed table, adult, and of a curve: `gan_adult` says what is measured.

    PPGEN_DATA=... python benchmarks/diffusion_adult.py --minutes 10
    PPGEN_DATA=... python benchmarks/diffusion_adult.py --minutes 2 --threads 1 --margins ranks none

Writes a JSON line for each way to see the numbers of the table, and one for the curve. Data:
`tabular/adult-train.csv.gz` below PPGEN_DATA.
"""

from __future__ import annotations

import argparse
import json
import platform
from importlib.metadata import version

from gan_adult import CLASSES, compare, curve

CLASSES["diffusion"] = "Diffusion"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", default=["adult", "curve"])
    parser.add_argument("--margins", nargs="+", default=["auto"])
    parser.add_argument("--minutes", type=float, default=10, help="0: without a budget")
    parser.add_argument("--rows", type=int, default=0, help="rows fitted; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=JSON", help="of the model")
    given = parser.parse_args()
    import torch

    if given.threads:
        torch.set_num_threads(given.threads)
    settings = {k: json.loads(v) for k, v in (pair.split("=", 1) for pair in given.set)}
    about = {
        "benchmark": "diffusion_adult",
        "seed": given.seed,
        "threads": torch.get_num_threads(),
        "versions": {"torch": version("torch"), "python": platform.python_version()},
    }
    for section in given.sections:
        if section == "curve":
            line = curve(min(given.minutes, 2.0), given.seed, settings, "diffusion")
            print(json.dumps({**about, "section": section, **line}), flush=True)
            continue
        for margins in given.margins:
            own = {**settings, "margins": margins}
            line = compare("diffusion", given.minutes, given.rows, given.seed, own)
            print(json.dumps({**about, "section": section, **line}), flush=True)


if __name__ == "__main__":
    main()
