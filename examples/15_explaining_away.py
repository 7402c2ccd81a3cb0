"""Explaining away, and seeing against doing: why the grass is wet.

Someone turns the sprinkler on, mostly when it does not rain. Wet grass speaks for rain; a sprinkler
that was running explains it, and rain is less likely again. Seeing the sprinkler run tells
something of rain, turning it on (`do`) tells nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import ppgen
from ppgen.plotting import plot_network

GARDEN = {  # a table has an axis for each parent, and last the node's own states
    "rain": {"states": ["yes", "no"], "table": [0.2, 0.8]},
    "sprinkler": {
        "states": ["on", "off"],
        "parents": ["rain"],
        "table": [[0.01, 0.99], [0.4, 0.6]],
    },
    "grass": {
        "states": ["wet", "dry"],
        "parents": ["rain", "sprinkler"],
        "table": [[[0.99, 0.01], [0.8, 0.2]], [[0.9, 0.1], [0.02, 0.98]]],
    },
}


def main(out: str = "out/15") -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    model = ppgen.BayesianNetwork.of(GARDEN)
    print("how likely is rain,")
    for what, given, do in (
        ("before anything is known", {}, {}),
        ("given wet grass", {"grass": "wet"}, {}),
        ("given wet grass and a running sprinkler", {"grass": "wet", "sprinkler": "on"}, {}),
        ("given a running sprinkler", {"sprinkler": "on"}, {}),
        ("having turned the sprinkler on", {}, {"sprinkler": "on"}),
        ("having turned it on, given wet grass", {"grass": "wet"}, {"sprinkler": "on"}),
    ):
        print(f"  {what:<42}{model.query('rain', given, do=do)['yes']:6.1%}")
    seen = model.query("grass", {"sprinkler": "on"})["wet"]
    done = model.query("grass", do={"sprinkler": "on"})["wet"]
    print(f"wet grass where the sprinkler is seen running {seen:.1%}, where it is set {done:.1%}")
    on = {"sprinkler": "on"}
    plot_network(model, on, title="Seen running").savefig(folder / "seen.png")
    plot_network(model, do=on, title="Turned on").savefig(folder / "done.png")
    return float(done - seen)


if __name__ == "__main__":
    main(*sys.argv[1:])
