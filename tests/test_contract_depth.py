"""A score passes through few frames of ours, so that a traceback can be read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd

import ppgen
from ppgen.models.gmm import kernel

from .zoo import fitted, mixed, numbers

ROOT = Path(ppgen.__file__).resolve().parents[1]
OURS = tuple(ROOT / folder for folder in ("ppgen", "models", "inference"))
MOST = 9


@cache
def _ours(filename: str) -> bool:
    path = Path(filename)
    return path.is_absolute() and any(path.resolve().is_relative_to(folder) for folder in OURS)


def deepest(call: Callable[[], object], where: str = "") -> list[str]:
    """The longest stack of frames of this package while something is called, or the longest that
    ends in one file."""
    call()  # what is worked out once, is
    longest: list[str] = []

    def look(frame, event, _):
        nonlocal longest
        if event != "call" or (where and frame.f_code.co_filename != where):
            return
        stack = []
        while frame is not None:
            if _ours(frame.f_code.co_filename):
                stack.append(f"{frame.f_code.co_filename}: {frame.f_code.co_name}")
            frame = frame.f_back
        longest = max(longest, stack, key=len)

    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(None)
    return longest


def test_a_row_scored_by_the_mixture_passes_through_nine_frames_at_most():
    model, row = fitted("gmm"), numbers()[:1]
    stack = deepest(lambda: model.score_samples(row))
    assert 3 < len(stack) <= MOST, "\n".join(stack)


def test_a_row_of_a_frame_reaches_the_kernel_in_nine_frames_at_most():
    frame = pd.DataFrame(mixed())
    frame["shift"] = frame["shift"].round(1)
    model = ppgen.GaussianMixture(2, n_init=1, random_state=0).fit(frame)
    stack = deepest(lambda: model.score_samples(frame[:1]), kernel.__file__)
    assert 3 < len(stack) <= MOST, "\n".join(stack)
