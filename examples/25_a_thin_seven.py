"""A prompt, "a thin seven": digits by words that never stood together in what was fitted.

Each image bears a text that names its digit and whether its strokes are thin or thick. No thin
seven is fitted, so that to draw one is to put together what is known of sevens and of thin digits.
MNIST where PPGEN_DATA names the folder of the data; else scikit-learn's digits of 8 x 8 pixels.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import ppgen
from ppgen.plotting.images import image_rows

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PROMPTS = ("a thin seven", "a thick seven", "a thin three", "a thick three")


def digits() -> tuple[Any, Any]:
    """Images and labels."""
    if (Path(os.environ.get("PPGEN_DATA", "")) / "mnist").is_dir():
        data = ppgen.read("mnist").train
        return data.to_native(), np.asarray(data.target)
    return (load_digits().images * 255 / 16).astype(np.uint8), load_digits().target


def ink(images: Any) -> Any:
    """(n,) mean grey value, by which the strokes of one digit are thin or thick."""
    return np.asarray(images, float).mean((1, 2))


def main(out: str = "out/25", budget: str = "20min", each: int = 50, **settings: Any) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = digits()
    middle = np.array([np.median(ink(images[labels == digit])) for digit in range(10)])
    thin = ink(images) < middle[labels]
    prompts = [
        f"a {'thin' if is_thin else 'thick'} {NAMES[label]}"
        for is_thin, label in zip(thin, labels, strict=True)
    ]
    fitted = np.array([prompt != "a thin seven" for prompt in prompts])
    model = ppgen.Diffusion(prompts=True, random_state=0, **settings)
    model.fit(images[fitted], np.array(prompts)[fitted], budget=budget)
    print(model.verdict_)

    made = {prompt: model.sample(each, y=prompt) for prompt in PROMPTS}
    for prompt, some in made.items():
        print(f"{prompt}: mean grey value {ink(some).mean():.0f}")
    image_rows({p: some[:12] for p, some in made.items()}, down=1).savefig(
        folder / "prompts.png", dpi=120
    )
    return float(np.mean(ink(made["a thin seven"]) < middle[7]))


if __name__ == "__main__":
    main(*sys.argv[1:2])
