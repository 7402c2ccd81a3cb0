"""`Diffusion` by prompts: digits of combinations of a word and a digit that the fit never saw.

    PPGEN_DATA=... python benchmarks/diffusion_prompts.py --minutes 20 --sheet prompts.png

What a digit looks like is measured on its image: the width of its strokes, 2 area / outline (of
grey values: their sum over that of their gradients' lengths), and its slant, the shear that
uprights it, by second moments. The lowest third of the widths is "thin", the highest "thick"; of
the slants "upright" and "slanted". Prompts name the digit and, at random, what holds of it: "a
thick three", "upright seven". Images of four combinations are left out of the fit.

Of samples asked for these, prints the share that a classifier, trained on other real digits, takes
for the digit, and the share whose width or slant lies in the third that the word names; beside it
the shares of the real ones left out.

Writes a JSON line. Images are parted as in `gan_mnist.py`; `--sheet FILE.png` keeps a picture, two
rows a combination.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gan_mnist import CLASSIFIED, FITTED, Classifier, digits, sheet

import ppgen

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LEFT_OUT = (("thin", "seven"), ("thick", "two"), ("slanted", "three"), ("upright", "nine"))
NAMED = 0.75  # how often what holds of a digit is named


def width(images: Any) -> Any:
    """(n,) width of the strokes of images (n, 28, 28), in pixels."""
    x = np.pad(np.asarray(images, float), ((0, 0), (1, 1), (1, 1))) / 255
    down, right = np.diff(x, axis=1)[:, :, :-1], np.diff(x, axis=2)[:, :-1]
    return 2 * x.sum((1, 2)) / np.maximum(np.hypot(down, right).sum((1, 2)), 1e-9)


def slant(images: Any) -> Any:
    """(n,) pixels that images (n, 28, 28) lean to the right for each that they are higher."""
    x = np.asarray(images, float)
    x = x / np.maximum(x.sum((1, 2), keepdims=True), 1e-9)
    rows, columns = np.mgrid[: x.shape[1], : x.shape[2]]
    up = -(rows - (x * rows).sum((1, 2))[:, None, None])
    right = columns - (x * columns).sum((1, 2))[:, None, None]
    return (x * up * right).sum((1, 2)) / np.maximum((x * up * up).sum((1, 2)), 1e-9)


class Words:
    """What is said of digits.

    Args:
        images: (n, 28, 28) that thirds are taken from.
    """

    def __init__(self, images: Any) -> None:
        self.ends = {f: np.quantile(f(images), [1 / 3, 2 / 3]) for f in (width, slant)}

    def holds(self, word: str, images: Any) -> Any:
        """(n,) whether a word holds of images."""
        measure = width if word in ("thin", "thick") else slant
        low, high = self.ends[measure]
        values = measure(images)
        return values < low if word in ("thin", "upright") else values > high

    def prompts(self, images: Any, labels: Any, seed: int) -> Any:
        """(n,) a prompt for each image."""
        rng = np.random.default_rng(seed)
        words = ("thin", "thick", "upright", "slanted")
        found = {word: self.holds(word, images) for word in words}
        said = []
        for i, label in enumerate(labels):
            true = [word for word in words if found[word][i] and rng.random() < NAMED]
            rng.shuffle(true)
            said.append(" ".join(["a"] * (rng.random() < 0.5) + true + [NAMES[label]]))
        return np.array(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--samples", type=int, default=200, help="of all combinations together")
    parser.add_argument("--guidance", nargs="+", type=float, default=[1.0, 2.0, 3.0])
    parser.add_argument("--images", type=int, default=FITTED, help="to fit, less those left out")
    parser.add_argument("--sheet", help="where to keep a picture of samples")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=JSON")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    settings = {k: json.loads(v) for k, v in (pair.split("=", 1) for pair in given.set)}
    images, labels = digits()
    some = slice(FITTED, FITTED + CLASSIFIED)
    classifier, words = Classifier(images[some], labels[some]), Words(images[some])
    x, y = images[: given.images], labels[: given.images]
    out = [(y == NAMES.index(digit)) & words.holds(word, x) for word, digit in LEFT_OUT]
    kept = ~np.any(out, axis=0)
    model = ppgen.Diffusion(prompts=True, device=given.device, random_state=given.seed, **settings)
    began = time.process_time()
    model.fit(
        x[kept],
        words.prompts(x[kept], y[kept], given.seed),
        budget=60 * given.minutes,
        progress=True,
    )
    about = {
        "benchmark": "diffusion_prompts",
        "seed": given.seed,
        "minutes": given.minutes,
        "threads": torch.get_num_threads(),
        "settings": settings,
        "images": int(kept.sum()),
        "processor_seconds": time.process_time() - began,
        "steps": model.n_steps_,
        "verdict": str(model.verdict_),
    }
    each = given.samples // len(LEFT_OUT)
    for w in given.guidance:
        found: dict[str, Any] = {"guidance": w, "combinations": {}}
        pictures, marks = [], []
        for (word, digit), missing in zip(LEFT_OUT, out, strict=True):
            made = model.sample(each, y=f"a {word} {digit}", guidance=w, random_state=1)
            marks.append(_marks(made, word, digit, classifier, words))
            found["combinations"][f"{word} {digit}"] = [float(m.mean()) for m in marks[-1]]
            real = _marks(x[missing], word, digit, classifier, words)
            found["combinations"][f"{word} {digit}, real"] = [float(m.mean()) for m in real]
            pictures.append(made[:40])
        of_digit, of_word = (np.concatenate(part) for part in zip(*marks, strict=True))
        found |= {
            "digit_shown": float(of_digit.mean()),
            "word_shown": float(of_word.mean()),
            "both_shown": float((of_digit & of_word).mean()),
        }
        if given.sheet:
            path = Path(given.sheet)
            name = path.with_name(f"{path.stem}_{w:g}{path.suffix}")
            sheet(np.concatenate(pictures), name, min(20, given.samples))
        for key, value in found.items():
            print(f"{key}: {value}", flush=True)
        print(json.dumps({**about, **found}), flush=True)


def _marks(images: Any, word: str, digit: str, classifier: Classifier, words: Words) -> Any:
    """(n,) whether each image shows the digit, and (n,) what the word says."""
    return classifier.of(images)[1] == NAMES.index(digit), words.holds(word, images)


if __name__ == "__main__":
    main()
