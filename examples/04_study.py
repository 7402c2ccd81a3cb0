"""A study: three families, two seeds, one ranked table and one report.

Started again, it finishes what is missing and does nothing twice.
"""

from __future__ import annotations

import sys

import ppgen
from ppgen.study import StudyResult


def main(
    out: str = "out/04", data: str = "iris", seeds: int = 2, budget: str = "20s"
) -> StudyResult:
    study = ppgen.run_study(
        data,
        models=("baseline", "gmm", "flow"),
        seeds=seeds,
        budget=budget,
        settings={"gmm": {"max_components": 5}},
        out=out,
    )
    print(study)
    print(study.finding)
    print(f"report: {study.report_path}")
    return study


if __name__ == "__main__":
    main(*sys.argv[1:])
