"""`Diffusion` on digits by label, beside a GAN and a VAE at the same minutes.

    PPGEN_DATA=... python benchmarks/diffusion_mnist.py --minutes 20 --threads 2
    PPGEN_DATA=... python benchmarks/diffusion_mnist.py --models diffusion --sheet digits.png

Images are parted as in `gan_mnist.py`: 40,000 are fitted, the next 10,000 train the features, both
the classifier, and 5,000 more are the real rows that samples are compared with. For each model, of
samples with the labels of real rows:

- the share that the classifier takes for the label asked for, beside that of real rows;
- the Fréchet distance to the real rows on the features of `ImageFeatures`, corrected for bias, with
  a bootstrap interval, beside that of the last 5,000 (the floor). Of a VAE both are also told of
  the images that it expects of draws of its latents, without the noise of pixels.

Of the diffusion model the distance is also told by evaluations of its net, with the same seed.

Writes a JSON line for each model as soon as it is measured; `--sheet FILE.png` keeps a picture of
samples of each, a column a label, its name put before the ending.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gan_mnist import CLASSIFIED, COMPARED, FITTED, Classifier, digits, sheet

import ppgen
from ppgen.frechet import frechet_distance
from ppgen.models.image_features import ImageFeatures

EVALUATIONS = 25
MODELS = {"diffusion": ppgen.Diffusion, "gan": ppgen.GAN, "vae": ppgen.VAE}


class Judge:
    """What samples are measured by.

    Args:
        images: (60000, 28, 28), with their labels.
        n: how many samples are compared.
    """

    def __init__(self, images: Any, labels: Any, n: int) -> None:
        some, real = slice(FITTED, FITTED + CLASSIFIED), slice(-2 * COMPARED, -COMPARED)
        every = slice(FITTED + CLASSIFIED)  # labels say nothing of copies
        self.classifier = Classifier(images[every], labels[every], epochs=6)
        self.net = ImageFeatures.train(_scaled(images[some]), seed=0)
        self.real = self.net.features(_scaled(images[real]))
        self.labels = labels[real][:n]
        self.floor = self.of(images[-COMPARED:][:n], labels[-COMPARED:][:n])

    def of(self, images: Any, labels: Any = None) -> dict[str, Any]:
        """Labels kept, and distance, of images (n, 28, 28)."""
        asked = self.labels if labels is None else labels
        found = frechet_distance(self.net.features(_scaled(images)), self.real)
        return {
            "label_kept": float(np.mean(self.classifier.of(images)[1] == asked)),
            "frechet": found.value,
            "interval": [found.low, found.high],
        }


def _scaled(images: Any) -> Any:
    return np.asarray(images, np.float32)[:, None] / 127.5 - 1


def fitted(name: str, given: argparse.Namespace, images: Any, labels: Any) -> Any:
    """The fit, and what to say of it."""
    settings = {k: json.loads(v) for k, v in (pair.split("=", 1) for pair in given.set)}
    settings = settings if name == "diffusion" else {}
    model: Any = MODELS[name](
        conditional=True, device=given.device, random_state=given.seed, **settings
    )
    began = time.process_time()
    model.fit(images[:FITTED], labels[:FITTED], budget=60 * given.minutes, progress=True)
    return model, {
        "settings": settings,
        "processor_seconds": time.process_time() - began,
        "fit_seconds": model.fit_seconds_,
        "steps": model.n_steps_,
        "batch_size": model.batch_size_,
        "verdict": str(model.verdict_),
    }


def measured(name: str, model: Any, judge: Judge, given: argparse.Namespace) -> dict[str, Any]:
    """What samples of a fit are like."""
    how: dict[str, Any] = {"y": judge.labels, "random_state": 1}
    if name == "vae":
        z = model.sample_latents(len(judge.labels), random_state=1)
        means = np.rint(model.decode(z, judge.labels)).clip(0, 255)
        return judge.of(model.sample(len(judge.labels), **how)) | {"expected": judge.of(means)}
    if name == "gan":
        return judge.of(model.sample(len(judge.labels), **how))
    _move(model, given.draw_on)
    how |= {"method": given.method, "guidance": given.guidance}
    began = time.perf_counter()
    found = judge.of(model.sample(len(judge.labels), steps=EVALUATIONS, **how))
    found["sampling_seconds"] = time.perf_counter() - began
    found["by_evaluations"] = {}
    for steps in given.evaluations:
        at = judge.of(model.sample(len(judge.labels), steps=steps, **how))
        print(f"diffusion: {steps} evaluations: {at}", flush=True)
        found["by_evaluations"][steps] = at
    return found


def _move(model: Any, device: str) -> None:
    """Let the net of a fit compute elsewhere."""
    if device:
        model.nets_.device = torch.device(device)
        model.nets_.net.to(device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--draw-on", default="", help="device that samples are drawn on")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--method", default="dpm2m", help="sampler, an evaluation a step")
    parser.add_argument("--guidance", type=float, default=1.5, help="each step takes two, above 1")
    parser.add_argument("--evaluations", nargs="*", type=int, default=[10, 20, 100])
    parser.add_argument("--sheet", help="where to keep pictures of samples")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=JSON", help="of diffusion")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    images, labels = digits()
    judge = Judge(images, labels, given.samples)
    about = {
        "benchmark": "diffusion_mnist",
        "seed": given.seed,
        "minutes": given.minutes,
        "threads": torch.get_num_threads(),
        "device": given.device,
        "samples": given.samples,
        "floor": judge.floor,
        "versions": {"torch": version("torch"), "python": platform.python_version()},
    }
    for name in given.models:
        model, found = fitted(name, given, images, labels)
        if given.sheet:
            path = Path(given.sheet)
            made = model.sample(200, y=np.tile(np.arange(10), 20), random_state=2)
            sheet(made, path.with_name(f"{path.stem}_{name}{path.suffix}"), 20)
        found |= measured(name, model, judge, given)
        for key, value in found.items():
            print(f"{name}: {key}: {value}", flush=True)
        print(json.dumps({**about, "model": name, **found}), flush=True)


if __name__ == "__main__":
    main()
