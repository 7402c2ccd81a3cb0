"""Make the README's picture: real rows of the wine data beside samples of each model."""

from __future__ import annotations

from pathlib import Path

import ppgen
from ppgen.models import registry
from ppgen.plotting import sample_pairs

MODELS = ("independent", "gaussian", "gmm", "flow")


def main(out: str = str(Path(__file__).with_name("samples.png")), budget: str = "30s") -> None:
    data = ppgen.read("wine")
    generated = {}
    for name in MODELS:
        model = registry.get(name)(random_state=0).fit(
            data.train, validation=data.valid, budget=budget
        )
        generated[name] = ppgen.as_dataset(model.sample(len(data)), data.schema)
    figure = sample_pairs(data, generated, pairs=[("flavanoids", "total_phenols")])
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
