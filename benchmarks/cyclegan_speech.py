"""`CycleGAN` from one speaker's digits to another's and back: is the digit kept, whose voice is it?

    PPGEN_DATA=... python benchmarks/cyclegan_speech.py --minutes 10 --seeds 0

Two speakers, 500 recordings each at 8 kHz; the first ten takes of each digit are held out, and the
others are fitted without pairs. Two classifiers (support vectors on log-mel pictures, of which each
has its own mean taken away, so that loudness tells nothing) are trained on recordings fitted:
digits of the target speaker, and which of the two speakers it is. Shares of held-out recordings, of
which the digit is recognised, and which are taken for the target speaker's, are printed for

- `own`: recordings of the target speaker, a ceiling;
- `untranslated`: those of the other speaker, as they are;
- `statistics`: those brought to the target's mean and spread of each band, without a net;
- `picture`: the translated pictures themselves;
- `gain`, `input`, `griffin_lim`: the recordings made of these by each method, heard again.

Writes a JSON line for each direction. Data: `fsdd/fsdd_jackson_theo.zip` below PPGEN_DATA, from the
Free Spoken Digit Dataset (Jackson et al.), https://github.com/Jakobovski/free-spoken-digit-dataset.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import zipfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

SPEAKERS = ("jackson", "theo")
HELD_OUT = 10  # takes of each digit
PHASES = ("gain", "input", "griffin_lim")


def load() -> tuple[Any, Any, Any, Any]:
    """The recordings, and (n,) digits, speakers and numbers of takes."""
    import ppgen

    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(
            Path(os.environ["PPGEN_DATA"]) / "fsdd" / "fsdd_jackson_theo.zip"
        ) as archive:
            archive.extractall(folder)
        files = sorted(Path(folder).rglob("*.wav"))
        parts = [file.stem.split("_") for file in files]
        data = ppgen.read(files[0].parent)
    digits, speakers, takes = (np.array(column) for column in zip(*parts, strict=True))
    return data, digits, speakers, takes.astype(int)


def features(pictures: Any) -> Any:
    """(n, d) of log-mel pictures, without their loudness."""
    level = pictures.mean(axis=(1, 2), keepdims=True)
    return (pictures - level).reshape(len(pictures), -1)


def classifier(pictures: Any, labels: Any) -> Any:
    """One that is trained on pictures."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return make_pipeline(StandardScaler(), SVC(C=10)).fit(features(pictures), labels)


def measure(minutes: float | None, seed: int, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Fit, and what held-out recordings come to in both directions."""
    import ppgen

    data, digits, speakers, takes = load()
    held = takes < HELD_OUT
    x, y = (data.take((speakers == name) & ~held) for name in SPEAKERS)
    model = ppgen.CycleGAN(**settings, random_state=seed)
    model.fit(x, y, budget=None if minutes is None else 60 * minutes, progress=True)
    domains = model.nets_.domains
    pictures = np.stack([domains[0].transform.picture(v) for v in data.sequences])
    whose = classifier(pictures[~held], speakers[~held])
    about = {
        "minutes": minutes,
        "fit_seconds": model.fit_seconds_,
        "steps": model.n_steps_,
        "verdict": str(model.verdict_),
    }
    found = []
    for back in (False, True):
        (source, target), (a, b) = (side[:: -1 if back else 1] for side in (domains, SPEAKERS))
        digit = classifier(*(of[(speakers == b) & ~held] for of in (pictures, digits)))
        rows, own = (speakers == a) & held, (speakers == b) & held
        codec = model.target_.codec_ if back else model.codec_
        encoded = codec.encode(data.take(rows))
        z = source.encode(encoded)
        made = model.nets_.translated(z, back=back)

        def heard(of: Any, phase: str, like: Any = encoded, target: Any = target) -> Any:
            """Pictures of the recordings made of standardised pictures."""
            from ppgen.data.recording_codec import waveforms

            sounds = waveforms(replace(target, phase=phase).decode(of, like))
            return np.stack([target.transform.picture(v) for v in sounds])

        shown = {
            "own": (pictures[own], digits[own]),
            "untranslated": (pictures[rows], digits[rows]),
            "statistics": (heard(z, "gain"), digits[rows]),
            "picture": (
                target.statistics.leave(made.double()).numpy()[:, :, 0],
                digits[rows],
            ),
            **{phase: (heard(made, phase), digits[rows]) for phase in PHASES},
        }
        found.append(
            {
                "from": a,
                "to": b,
                "held_out": int(rows.sum()),
                **{
                    f"{what}_{name}": float(np.mean(of.predict(features(some)) == wanted))
                    for name, (some, true) in shown.items()
                    for what, of, wanted in (("digit", digit, true), ("speaker", whose, b))
                },
                **about,
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, help="none: as many epochs as settings say")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=JSON")
    given = parser.parse_args()
    import torch

    if given.threads:
        torch.set_num_threads(given.threads)
    settings = {k: json.loads(v) for k, v in (pair.split("=", 1) for pair in given.set)}
    for seed in given.seeds:
        about = {
            "benchmark": "cyclegan_speech",
            "seed": seed,
            "threads": torch.get_num_threads(),
            "settings": settings,
            "versions": {"torch": version("torch"), "python": platform.python_version()},
        }
        for found in measure(given.minutes, seed, settings):
            for key, value in found.items():
                print(f"{key}: {value:.4g}" if isinstance(value, float) else f"{key}: {value}")
            print(json.dumps({**about, **found}), flush=True)


if __name__ == "__main__":
    main()
