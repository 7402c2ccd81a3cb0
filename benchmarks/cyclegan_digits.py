"""`CycleGAN` between MNIST and USPS at 16 x 16: do translated digits keep their label?

    PPGEN_DATA=... python benchmarks/cyclegan_digits.py --minutes 10
    python benchmarks/cyclegan_digits.py --speed 7 --threads 1

A tenth of each set is kept from everything else and translated after the fit. A classifier of the
target domain (a small convolutional net, trained on the real digits of the part that was fitted)
reads them. Beside it: the same digits untranslated, and real digits of the target domain. MNIST is
shrunk to 16 x 16, each pixel the mean of what it covers. The fit is not told any label.

`--speed N` instead: processor seconds of N turns of 10 steps by ppgen's learner, and by hand in
torch with the same nets and losses, in turns; the median ratio. On drawn pictures, without data.

Writes a JSON line. Data: `mnist/*.gz` and `usps/usps_train.npz` below PPGEN_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np


def mnist(n: int, seed: int) -> tuple[Any, Any]:
    """n digits (n, 16, 16) of 256 levels, and their labels."""
    import torch

    import ppgen

    data = ppgen.read("mnist")
    some = np.sort(np.random.default_rng(seed).permutation(len(data))[:n])
    images = torch.from_numpy(np.asarray(data.images[some])).float()
    how: dict[str, Any] = {"mode": "bilinear", "antialias": True}
    small = torch.nn.functional.interpolate(images, (16, 16), **how)[:, 0]
    return small.round().clamp(0, 255).numpy().astype(np.uint8), np.asarray(data.target)[some]


def usps() -> tuple[Any, Any]:
    """7,291 digits (n, 16, 16) of 256 levels, and their labels."""
    with np.load(Path(os.environ["PPGEN_DATA"]) / "usps" / "usps_train.npz") as file:
        names = {name: file[name] for name in file.files}
    images = next(v for v in names.values() if v.ndim > 1)
    labels = next(v for v in names.values() if v.ndim == 1)
    low, high = images.min(), images.max()
    scaled = np.rint(255 * (images - low) / (high - low)).astype(np.uint8)
    return scaled.reshape(-1, 16, 16), labels


class Reader:
    """A classifier of digits, trained on real ones."""

    def __init__(self, images: Any, labels: Any, seed: int, epochs: int) -> None:
        import torch
        from torch import nn

        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.net = nn.Sequential(
                *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
                *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
                *(nn.Flatten(), nn.Dropout(0.3), nn.Linear(512, 128), nn.ReLU()),
                nn.Linear(128, 10),
            )
            optimiser = torch.optim.Adam(self.net.parameters(), lr=1e-3)
            y = torch.from_numpy(np.asarray(labels).astype(np.int64))
            for _ in range(epochs):
                for rows in torch.randperm(len(y)).split(64):
                    loss = nn.functional.cross_entropy(self._logits(images[rows.numpy()]), y[rows])
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
        self.net.eval()

    def _logits(self, images: Any) -> Any:
        import torch

        return self.net(torch.from_numpy(images[:, None].astype(np.float32) / 255))

    def right(self, images: Any, labels: Any) -> float:
        """The share of digits that are read as their label."""
        import torch

        with torch.no_grad():
            return float((self._logits(images).argmax(1).numpy() == labels).mean())


def kept_labels(minutes: float, n: int, seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Fit for some minutes; labels kept in both directions."""
    import ppgen

    parts: dict[str, Any] = {}
    for name, (images, labels) in {"mnist": mnist(n, seed), "usps": usps()}.items():
        order = np.random.default_rng(seed).permutation(len(images))
        held, fitted = order[: len(order) // 10], order[len(order) // 10 :]
        parts[name] = images[fitted], labels[fitted], images[held], labels[held]
    model = ppgen.CycleGAN(**settings, random_state=seed)
    began = time.process_time()
    model.fit(parts["mnist"][0], parts["usps"][0], budget=60 * minutes or None, progress=True)
    found: dict[str, Any] = {
        "minutes": minutes,
        "fit_seconds": model.fit_seconds_,
        "cpu_seconds": time.process_time() - began,
        "steps": model.n_steps_,
        "epochs": model.n_epochs_,
        "best": [r["step"] for r in model.trace_ if r["best"]][-1:],
        "trace": [(r["step"], r["validation"], r["measures"]) for r in model.trace_],
    }
    ways = [("mnist", "usps", model.translate), ("usps", "mnist", model.translate_back)]
    for source, target, translate in ways:
        reader = Reader(*parts[target][:2], seed=seed, epochs=6)
        images, labels = parts[source][2:]
        found[f"{source}_to_{target}"] = {
            "translated": reader.right(translate(images), labels),
            "untranslated": reader.right(images, labels),
            "real": reader.right(*parts[target][2:]),
            "digits": len(labels),
        }
    return found | {"verdict": [f"{r.status}: {r.what}" for r in model.verdict_.reasons]}


def speed(turns: int, seed: int) -> dict[str, Any]:
    """Median ratio of processor seconds a step, ours to by hand."""
    import torch
    from torch.nn.functional import l1_loss

    from ppgen import as_dataset
    from ppgen.data import ImageCodec
    from ppgen.models.translation.kinds import domain_of
    from ppgen.models.translation.nets import Architecture
    from ppgen.models.translation.trained import TorchTranslation
    from ppgen.models.translation.unpaired import UnpairedGame

    rng = np.random.default_rng(seed)
    data = [as_dataset(rng.integers(0, 256, (320, 16, 16)).astype(np.uint8)) for _ in range(2)]
    codecs = [ImageCodec(one.schema) for one in data]
    pictures = [domain_of(c).pictures(c.encode(one)) for c, one in zip(codecs, data, strict=True)]
    domains = tuple(domain_of(c).fitted(p) for c, p in zip(codecs, pictures, strict=True))
    architecture = Architecture("residual", 16, 2, 4, judging=32, halved=2)
    ours, hand = (
        TorchTranslation(architecture, domains, pairs=False, both=True, seed=seed) for _ in range(2)
    )
    numbers = np.arange(320)
    sides = ours.rows((pictures[0], pictures[1]), (numbers, numbers))
    how: dict[str, Any] = {"cycle": 10.0, "identity": 0.5, "pool": 50, "seed": seed}
    game = UnpairedGame(list(ours.ways), sides, "least_squares", 0.0, **how)
    learner = ours.learner(game, None, seed=seed)
    batches = numbers.reshape(20, 16)[:10]
    x, y = (side.take(slice(0, 160)) for side in sides)
    g, f = hand.ways
    settings: dict[str, Any] = {"lr": 1e-4, "betas": (0.5, 0.999), "fused": True}
    judges = torch.optim.Adam(
        [*g.discriminator.parameters(), *f.discriminator.parameters()], **settings
    )
    makers = torch.optim.Adam([*g.generator.parameters(), *f.generator.parameters()], **settings)

    def by_hand() -> None:
        for a, b in zip(x.split(16), y.split(16), strict=True):
            there, back = g(a), f(b)
            loss = 0
            for way, real, fake in ((g, b, there), (f, a, back)):
                d = way.discriminator
                loss = loss + (d(real) - 1).square().mean() + d(fake.detach()).square().mean()
            judges.zero_grad(set_to_none=True)
            (loss / 2).backward()
            judges.step()
            fooled = (g.discriminator(there) - 1).square().mean()
            fooled = fooled + (f.discriminator(back) - 1).square().mean()
            cycle = l1_loss(f(there), a) + l1_loss(g(back), b)
            same = l1_loss(f(a), a) + l1_loss(g(b), b)
            makers.zero_grad(set_to_none=True)
            (fooled / 2 + 10 * cycle + 5 * same).backward()
            makers.step()

    ways = {"ours": lambda: learner.run(batches, np.full(10, 1e-4)), "by hand": by_hand}
    took: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, steps in ways.items():
            began = time.process_time()
            steps()
            if turn:  # the first warms up
                took[name].append(time.process_time() - began)
    ratios = [a / b for a, b in zip(took["ours"], took["by hand"], strict=True)]
    return {
        "seconds_a_step": {name: float(np.median(some)) / 10 for name, some in took.items()},
        "ratio": float(np.median(ratios)),
        "ratios": ratios,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="0: no budget")
    parser.add_argument("--mnist", type=int, default=10_000, help="digits of MNIST")
    parser.add_argument("--speed", type=int, default=0, metavar="TURNS")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=JSON")
    given = parser.parse_args()
    import torch

    if given.threads:
        torch.set_num_threads(given.threads)
    settings = {k: json.loads(v) for k, v in (pair.split("=", 1) for pair in given.set)}
    if given.speed:
        found = speed(given.speed, given.seed)
    else:
        found = kept_labels(given.minutes, given.mnist, given.seed, settings)
    for key, value in found.items():
        if key != "trace":
            print(f"{key}: {value}", flush=True)
    about = {
        "benchmark": "cyclegan_digits",
        "seed": given.seed,
        "threads": torch.get_num_threads(),
        "settings": settings,
        "versions": {"torch": version("torch"), "python": platform.python_version()},
    }
    print(json.dumps({**about, **found}), flush=True)


if __name__ == "__main__":
    main()
