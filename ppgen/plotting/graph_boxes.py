"""The boxes of a graph's nodes: a name, and the bars or the numbers of a distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from .axis import shortened
from .style import ACCENT, INK, MUTED, REAL, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Align = Literal["center", "right"]

_MANY = 20  # nodes from which on bars have no words
_STATES = 5  # of a node that are shown
_PAD = 0.07
_LINE = 0.145  # inches
_NAME = 0.19
_BAR = 0.55
_SLIM = 0.055  # height of a bar without words


@dataclass(frozen=True)
class Belief:
    """What is believed of a node.

    Attributes:
        states: name and probability of each state of a discrete node.
        text: of a continuous node: its mean and standard deviation, or its value.
        known: whether it is given.
    """

    states: tuple[tuple[str, float], ...] = ()
    text: str = ""
    known: bool = False


@dataclass(frozen=True)
class _Line:
    """A state: its name, its probability, and what is written beside the bar."""

    label: str
    share: float
    value: str


@dataclass(frozen=True)
class Box:
    """A node's box; `label` and `value` are the widths of the words beside its bars."""

    name: str
    belief: Belief
    lines: tuple[_Line, ...]
    width: float
    height: float
    label: float = 0.0
    words: bool = True

    def draw(self, axes: Axes, x: float, top: float) -> None:
        """Draw it with the middle of its top there; axes are in inches, downwards."""
        from matplotlib.patches import FancyBboxPatch

        left, known = x - self.width / 2, self.belief.known
        box, style = (left, top), "round,pad=0,rounding_size=0.05"
        shape = FancyBboxPatch(box, self.width, self.height, style, fc="none", zorder=2)
        shape.set(ec=ACCENT if known else RULE, lw=1.5 if known else 0.8)
        axes.add_artist(shape)
        if known:
            inside = FancyBboxPatch(box, self.width, self.height, style, fc=ACCENT, ec="none")
            inside.set(alpha=0.1, zorder=2)
            axes.add_artist(inside)
        size, alone = _size(self.words), not (self.lines or self.belief.text)
        middle = top + (self.height / 2 if alone else _NAME / 2 + 0.03)
        _write(axes, x, middle, self.name, size + 0.5, INK, "center")
        below = top + _NAME + 0.03
        if self.belief.text:
            colour = ACCENT if known else MUTED
            _write(axes, x, below + _LINE / 2, self.belief.text, size - 0.5, colour, "center")
        for line in self.lines:
            below += self._bar(axes, line, left, below)

    def _bar(self, axes: Axes, line: _Line, left: float, top: float) -> float:
        """Draw the bar of a state, with its words; return its height."""
        from matplotlib.patches import Rectangle

        colour = ACCENT if self.belief.known else REAL
        if not self.words:
            width = (self.width - 2 * _PAD) * line.share
            bar = Rectangle((left + _PAD, top), width, 0.8 * _SLIM, fc=colour, ec="none", zorder=3)
            axes.add_artist(bar)
            return _SLIM
        start, size = left + _PAD + self.label + 0.05, _size(self.words) - 1
        place = start, top + 0.2 * _LINE
        axes.add_artist(
            Rectangle(place, _BAR * line.share, 0.6 * _LINE, fc=colour, ec="none", zorder=3)
        )
        middle = top + _LINE / 2
        _write(axes, start - 0.05, middle, line.label, size, MUTED, "right")
        _write(axes, left + self.width - _PAD, middle, line.value, size, MUTED, "right")
        return _LINE


def _write(
    axes: Axes, x: float, y: float, text: str, size: float, colour: str, align: Align
) -> None:
    axes.text(x, y, text, fontsize=size, color=colour, ha=align, va="center_baseline", zorder=3)


def boxes(names: Sequence[str], beliefs: Mapping[str, Belief]) -> list[Box]:
    """The boxes of all nodes; where there are many, smaller and with fewer words."""
    words = len(names) <= _MANY
    return [_box(name, beliefs.get(name, Belief()), words) for name in names]


def _box(name: str, belief: Belief, words: bool) -> Box:
    shown, size = shortened(name, 22 if words else 16), _size(words)
    wide = _width(shown, size + 0.5)
    if belief.text:
        wide = max(wide, _width(belief.text, size - 0.5))
        return Box(shown, belief, (), wide + 2 * _PAD, _NAME + _LINE + 0.08, words=words)
    if not belief.states:
        return Box(shown, belief, (), wide + 2 * _PAD, _NAME + 0.06, words=words)
    if not words and belief.known:
        (state,) = (label for label, share in belief.states if share == 1.0)
        told = Belief(text=f"= {shortened(state, 12)}", known=True)
        return _box(name, told, words)
    lines = _lines(belief)
    if not words:
        height = _NAME + _SLIM * len(lines) + 0.08
        return Box(shown, belief, lines, max(wide, 0.45) + 2 * _PAD, height, words=False)
    label = max(_width(line.label, size - 1) for line in lines)
    value = max(_width(line.value, size - 1) for line in lines)
    wide = max(wide, label + _BAR + value + 0.1)
    return Box(
        shown, belief, lines, wide + 2 * _PAD, _NAME + _LINE * len(lines) + 0.08,
        wide - _BAR - value - 0.1,
    )  # fmt: skip


def _lines(belief: Belief) -> tuple[_Line, ...]:
    """The states in their order; of many, the likeliest, and the others together."""
    states = list(belief.states)
    if len(states) > _STATES:
        top = sorted(np.argsort([-share for _, share in states], kind="stable")[: _STATES - 1])
        rest = 1 - sum(states[i][1] for i in top)
        states = [*(states[i] for i in top), (f"{len(states) - _STATES + 1} more", max(rest, 0.0))]
    return tuple(_Line(shortened(label, 12), share, _percent(share)) for label, share in states)


def _percent(share: float) -> str:
    """A probability in per cent, none but 0 and 1 rounded to these."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    if share < 0.0005 or share > 0.9995:
        return "<0.1%" if share < 0.5 else ">99.9%"
    return f"{share:.1%}" if min(share, 1 - share) < 0.0995 else f"{share:.0%}"


def _size(words: bool) -> float:
    """Points of a font."""
    return 8.5 if words else 7.0


def _width(text: str, size: float) -> float:
    """Inches that text takes."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, False)[0]) / 72
