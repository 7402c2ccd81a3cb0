"""What one speaker says in another's voice: CycleGAN between recordings, without pairs.

Digits of two speakers where PPGEN_DATA names the folder of the data, else five vowels, made here of
a pitch and two formants, in a low and in a high voice. Writes, of a recording of each kind that
was held out, what was said and what it became.
"""

from __future__ import annotations

import io
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import wavfile
from sklearn.svm import SVC

import ppgen
from ppgen.data.spectrogram import Spectrogram
from ppgen.data.write_wav import write_wav

RATE = 8000
VOWELS = {"a": (730, 1090), "e": (530, 1840), "i": (270, 2290), "o": (570, 840), "u": (300, 870)}
# Hz of the two formants, of a man's voice


def spoken(file: Path) -> list[tuple[list[Any], Any]]:
    """Recordings of two speakers with their digits."""
    with zipfile.ZipFile(file) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".wav"))
        sounds = [wavfile.read(io.BytesIO(archive.read(name)))[1] / 2**15 for name in names]
    digit, who, _ = zip(*(Path(name).stem.split("_") for name in names), strict=True)
    rows = [np.flatnonzero(np.array(who) == name) for name in sorted(set(who))]
    return [([sounds[i] for i in some], np.array(digit)[some]) for some in rows]


def vowels(n: int, pitch: float, scale: float, seed: int) -> tuple[list[Any], Any]:
    """Recordings of a voice: harmonics of a rising pitch, louder near the formants."""
    rng, sounds = np.random.default_rng(seed), []
    said = np.array(list(VOWELS))[np.arange(n) % len(VOWELS)]
    for vowel in said:
        t = np.arange(rng.integers(2000, 4000)) / RATE
        f0 = pitch * rng.uniform(0.9, 1.1) * (1 + 0.1 * t / t[-1])
        k = np.arange(1, int(0.48 * RATE / f0.max()))[:, None]
        near = sum(1 / (1 + ((k * f0 - scale * f) / 90) ** 2) for f in VOWELS[vowel])
        sound = (near / k * np.sin(2 * np.pi * k * np.cumsum(f0) / RATE)).sum(0)
        sounds.append(0.2 * np.sin(np.pi * t / t[-1]) * sound + 1e-4 * rng.normal(size=len(t)))
    return sounds, said


def main(out: str = "out/21", n: int = 400, budget: str = "5min") -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    file = Path(os.environ.get("PPGEN_DATA", "")) / "fsdd" / "fsdd_jackson_theo.zip"
    real = "PPGEN_DATA" in os.environ and file.exists()
    x, y = spoken(file) if real else (vowels(n, 110, 1.0, 0), vowels(n, 200, 1.15, 1))
    order = np.random.default_rng(0).permutation(len(x[0]))
    held, rest = order[: len(order) // 5], order[len(order) // 5 :]
    fit = ppgen.CycleGAN(random_state=0).fit(
        ppgen.sequences([x[0][i] for i in rest], RATE), ppgen.sequences(y[0], RATE), budget=budget
    )
    print(fit.verdict_)
    given, said = [x[0][i] for i in held], x[1][held]
    made = fit.translate(ppgen.sequences(given, RATE))

    def heard(sounds: list[Any]) -> Any:
        pictures = np.stack([Spectrogram().picture(v) for v in sounds])
        return (pictures - pictures.mean((1, 2), keepdims=True)).reshape(len(sounds), -1)

    listener = SVC(C=10, random_state=0).fit(heard(y[0]), y[1])  # to the second speaker alone
    before, after = (float(listener.score(heard(v), said)) for v in (given, made))
    print(f"understood: {before:.0%} as they were said, {after:.0%} in the other voice")
    for name in np.unique(said):
        i = int(np.argmax(said == name))
        write_wav(folder / f"{name}.wav", np.concatenate([given[i], 0.0 * given[i], made[i]]), RATE)
    return after


if __name__ == "__main__":
    main(*sys.argv[1:])
