"""`GAN` on digits: by label on MNIST, and on stacked MNIST, where modes can be counted.

    PPGEN_DATA=... python benchmarks/gan_mnist.py --minutes 15
    PPGEN_DATA=... python benchmarks/gan_mnist.py --sections stacked --minutes 60 --device cuda

Of the 60,000 training images the first 40,000 are fitted, the next 10,000 train a small
convolutional classifier, 5,000 more are the real rows that samples are compared with and the last
5,000 are compared with them in the samples' place (the floor).

- `labels`: a conditional fit; 5,000 samples with the labels of the real rows. The share that the
  classifier takes for the label asked for, and coverage, density, precision and recall with 5
  neighbours in the classifier's last hidden layer; each beside what real rows reach.
- `stacked`: images of three random digits in three channels; of 26,000 samples how many of the
  1,000 combinations the classifier sees in them, and the divergence KL(samples, uniform).

Writes a JSON line for each; `--sheet FILE.png` keeps a picture of samples, a column a label.

Reference: Srivastava, Valkov, Russell, Gutmann and Sutton, "VEEGAN: reducing mode collapse in GANs
using implicit variational learning" (stacked MNIST), 2017, https://arxiv.org/abs/1705.07761.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import ppgen
from ppgen.analysis.modes import label_counts
from ppgen.neighbours import Neighbours

FITTED, CLASSIFIED, COMPARED = 40_000, 10_000, 5_000
STACKED, SAMPLES = 100_000, 26_000


class Classifier:
    """Digits told apart by two convolutions and a hidden layer, trained on these images alone.

    Args:
        images: (n, 28, 28) of 0 to 255.
        labels: (n,) 0 to 9.
    """

    def __init__(self, images: Any, labels: Any, epochs: int = 12) -> None:
        torch.manual_seed(0)
        self.hidden = nn.Sequential(
            *(nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(32 * 49, 64), nn.ReLU()),
        )
        self.last = nn.Linear(64, 10)
        parameters = [*self.hidden.parameters(), *self.last.parameters()]
        optimiser = torch.optim.AdamW(parameters, weight_decay=0.05)
        x, y = self._pixels(images), torch.from_numpy(np.asarray(labels))
        for epoch in range(epochs):
            for group in optimiser.param_groups:
                group["lr"] = 2e-3 * (1 - epoch / epochs)
            for rows in torch.randperm(len(x)).split(128):
                moved = torch.roll(x[rows], tuple(torch.randint(-2, 3, (2,)).tolist()), (2, 3))
                loss = nn.functional.cross_entropy(self.last(self.hidden(moved)), y[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()

    @torch.no_grad()
    def of(self, images: Any) -> tuple[Any, Any]:
        """(n, 64) the hidden layer, and (n,) the labels, of images (n, 28, 28)."""
        h = torch.cat([self.hidden(part) for part in self._pixels(images).split(1000)])
        return h.numpy(), self.last(h).argmax(1).numpy()

    @staticmethod
    def _pixels(images: Any) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(images)).float()[:, None] / 127.5 - 1


def digits() -> tuple[Any, Any]:
    """(60000, 28, 28) images and their labels."""
    data = ppgen.read("mnist")  # all of them: the parts below are other ones than its own
    return data.images[:60_000, 0], np.asarray(data.target)[:60_000]


def fitted(images: Any, labels: Any, given: Any, settings: dict[str, Any]) -> Any:
    """The fit, and what to say of it."""
    gan = ppgen.GAN(
        conditional=labels is not None, device=given.device, random_state=given.seed, **settings
    )
    began = time.process_time()
    gan.fit(images, labels, budget=60 * given.minutes or None, progress=True)
    return gan, {
        "minutes": given.minutes,
        "processor_seconds": time.process_time() - began,
        "steps": gan.n_steps_,
        "batch_size": gan.batch_size_,
        "verdict": str(gan.verdict_),
    }


def by_label(given: Any, settings: dict[str, Any], classifier: Classifier) -> dict[str, Any]:
    """Labels kept and coverage of samples by label, beside those of real rows."""
    images, labels = digits()
    gan, found = fitted(images[:FITTED], labels[:FITTED], given, settings)
    real, other = (slice(-2 * COMPARED, -COMPARED), slice(-COMPARED, None))
    samples = gan.sample(COMPARED, y=labels[real], random_state=1)
    if given.sheet:
        tens = np.tile(np.arange(10), 20)
        sheet(gan.sample(200, y=tens, random_state=2), Path(given.sheet), 20)
    (h, _), (h_other, l_other), (h_sampled, l_sampled) = (
        classifier.of(some) for some in (images[real], images[other], samples)
    )
    near, floor = (Neighbours(h).of(some) for some in (h_sampled, h_other))
    return found | {
        "label_kept": float(np.mean(l_sampled == labels[real])),
        "label_kept_real": float(np.mean(l_other == labels[other])),
        "coverage_of_floor": near.coverage / floor.coverage,
        "samples": asdict(near),
        "floor": asdict(floor),
    }


def stacked(given: Any, settings: dict[str, Any], classifier: Classifier) -> dict[str, Any]:
    """Modes of stacked digits."""
    images, _ = digits()
    chosen = np.random.default_rng(given.seed).integers(0, FITTED, (given.stacked, 3))
    gan, found = fitted(images[chosen], None, given, settings)
    samples = gan.sample(given.samples, random_state=1)
    if given.sheet:
        sheet(samples[:200], Path(given.sheet), 20)
    places = [classifier.of(samples[:, channel])[1] for channel in range(3)]
    counted = asdict(label_counts(places[0] * 100 + places[1] * 10 + places[2], 1000))
    counted.pop("counts")
    return found | counted


def sheet(images: Any, path: Path, columns: int) -> None:
    """Write images (n, 28, 28) or (n, 3, 28, 28) as one picture, row by row."""
    from PIL import Image

    x = np.asarray(images)
    x = x[:, None] if x.ndim == 3 else x
    n, c, height, width = x.shape
    rows = n // columns
    x = x[: rows * columns].reshape(rows, columns, c, height, width).transpose(0, 3, 1, 4, 2)
    x = x.reshape(rows * height, columns * width, c)
    Image.fromarray(x[..., 0] if c == 1 else x).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", default=["labels"])
    parser.add_argument("--minutes", type=float, default=15, help="0: as many as the epochs take")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--stacked", type=int, default=STACKED, help="images to fit")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="of stacked digits")
    parser.add_argument("--sheet", help="where to keep a picture of samples")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=JSON")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    settings = {k: json.loads(v) for k, v in (pair.split("=", 1) for pair in given.set)}
    about = {
        "benchmark": "gan_mnist",
        "seed": given.seed,
        "threads": torch.get_num_threads(),
        "settings": settings,
        "versions": {"torch": version("torch"), "python": platform.python_version()},
    }
    images, labels = digits()
    some = slice(FITTED, FITTED + CLASSIFIED)
    classifier = Classifier(images[some], labels[some])
    for section in given.sections:
        run = {"labels": by_label, "stacked": stacked}[section]
        found = run(given, settings, classifier)
        for key, value in found.items():
            print(f"{section}: {key}: {value}", flush=True)
        print(json.dumps({**about, "section": section, **found}), flush=True)


if __name__ == "__main__":
    main()
