"""Small families for the tests of studies: quick, exact, and some that misbehave."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy.stats import norm

import ppgen.study.judged_samples as judged_samples
import ppgen.study.runner as runner
from ppgen.analysis.quality import Judged
from ppgen.analysis.score import Score
from ppgen.capabilities import Capabilities
from ppgen.data import Encoded
from ppgen.density_estimator import DensityEstimator
from ppgen.family_density import Density
from ppgen.models import registry
from ppgen.progress import Progress
from ppgen.settings import Settings, seed, setting
from ppgen.verdict import Reason


@dataclass(eq=False, repr=False, kw_only=True)
class ToySettings:
    width: float = setting(1.0, "of the normals.", above=0)
    sleep: float = setting(0.0, "seconds that a fit takes.", least=0)
    random_state: Any = setting(None, "seed.", seed)  # noqa: RUF009


class Toy(ToySettings, DensityEstimator):
    """Independent normals, `width` times as wide as they should be."""

    name: ClassVar[str] = "toy"
    settings = Settings(ToySettings)
    capabilities: ClassVar[Capabilities] = Capabilities(density="exact")

    def _fit(self, rows, fit):
        time.sleep(self.sleep)
        self.mean_ = rows.data.x.mean(axis=0)
        self.std_ = rows.data.x.std(axis=0) * self.width
        for step in range(5):
            fit.report(Progress(step, -float(step), seconds=0.1 * step, validation=float(step)))
        return [Reason("warn", "the width is wrong.", "Set width=1.")] if self.width != 1 else []

    def _log_prob(self, rows):
        return Density(norm.logpdf(rows.data.x, self.mean_, self.std_).sum(axis=1))

    def _sample(self, n, rng, given, context):
        x = rng.normal(self.mean_, self.std_, (n, len(self.mean_)))
        return Encoded(x, np.zeros((n, 0), np.int32), np.zeros(n))

    def _state(self):
        return {}, {"mean": self.mean_, "std": self.std_}

    def _restore(self, state, arrays):
        self.mean_, self.std_ = arrays["mean"], arrays["std"]


@dataclass(eq=False, repr=False, kw_only=True)
class WideSettings(ToySettings):
    width: float = setting(2.0, "of the normals.", above=0)


class Wide(WideSettings, Toy):
    name: ClassVar[str] = "wide"
    settings = Settings(WideSettings)


class Broken(Toy):
    name: ClassVar[str] = "broken"

    def _fit(self, rows, fit):
        raise ArithmeticError("it cannot add")


class Mute(Toy):
    """A family without density."""

    name: ClassVar[str] = "mute"
    capabilities: ClassVar[Capabilities] = Capabilities(density=None, samples=True)


class Demanding(Toy):
    name: ClassVar[str] = "demanding"
    capabilities: ClassVar[Capabilities] = Capabilities(density="exact", min_rows=10**6)


class Crashing(Toy):
    """Takes its process with it."""

    name: ClassVar[str] = "crashing"

    def _fit(self, rows, fit):
        os._exit(3)


TOYS = (Toy, Wide, Broken, Mute, Demanding, Crashing)


def install() -> None:
    """Put the toys in the registry of this process; the fixture `toys` undoes it."""
    for family in TOYS:
        registry.MODELS[family.name] = registry.Entry("", family.__name__, "toys", "")
    known = {family.name: family for family in TOYS}
    before = registry.get
    registry.get = lambda name: known.get(name) or before(name)  # type: ignore[assignment]


@pytest.fixture
def toys(monkeypatch):
    monkeypatch.setattr(registry, "MODELS", dict(registry.MODELS))
    monkeypatch.setattr(registry, "get", registry.get)
    install()


def rows(n=300, seed=0, d=2):
    return np.random.default_rng(seed).normal(size=(n, d))


class Inline(Executor):
    """Does each task when it is submitted."""

    def submit(self, fn, /, *args, **kwargs):
        future: Future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def logged(folder):
    """The events of a study's log; a torn last line is passed over."""
    file, events = Path(folder) / "log.jsonl", []
    for line in file.read_text().splitlines() if file.exists() else []:
        with suppress(ValueError):
            events.append(json.loads(line))
    return events


def leave_out(patch):
    """Leave out what takes long: the figures, and the trees that judge samples."""
    patch.setattr(runner, "report", lambda folder: None)
    patch.setattr(judged_samples, "judge", judged_at_once)


def judged_at_once(train, held_out, generated, *, seed, features=None):
    """Scores that cost nothing: how far the means are apart."""
    apart = abs(float(np.mean(generated.matrix()) - np.mean(held_out.matrix())))
    scores = {"c2st_score": Score(1 - apart, 1.0, "high"), "c2st": Score(0.5 + seed, 0.5, "low")}
    n = len(held_out)
    return Judged(scores, "c2st_score", np.arange(n), np.full(n, 1 - apart), 0.01, 1.0)


def plain(table):
    timed = ("seconds", "memory")
    return [{k: v for k, v in row.items() if k not in timed} for row in table]
