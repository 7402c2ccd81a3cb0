"""Figures in one style, made without touching anybody else's.

`figure` makes a figure under the style sheet beside this file; global settings and pyplot's state
are left alone. `png` renders it on white; `svg` as markup for a web page, whose colours are CSS
variables of the page (so that one figure serves light and dark), whose font is the page's and which
refers to nothing outside itself.
"""

from __future__ import annotations

import html
import io
import re
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1c2129"
MUTED = "#5b6472"
RULE = "#9aa3b0"
ACCENT = "#1f5fbf"
REAL = "#8b95a5"
WRONG = "#b3261e"
POINTS = "#3d7fe0"
"""Real rows, and samples: drawn as pixels, so that one colour serves light and dark."""
_LETTER = 0.073  # inches, of a title, about
_VARIABLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule", ACCENT: "--accent", REAL: "--real"}


@cache
def _sheet() -> dict[str, Any]:
    from matplotlib import rc_params_from_file

    file = Path(__file__).with_name("ppgen.mplstyle")
    return dict(rc_params_from_file(file, use_default_template=False))


@contextmanager
def styled(**more: Any) -> Iterator[None]:
    """The style sheet for the time of a block; a character no font has is a box, silently."""
    from matplotlib import rc_context

    with rc_context({**_sheet(), **more}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, laid out by constraints. Call inside `styled()`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made


@contextmanager
def panel(width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure of this size in inches with one pair of axes, to be drawn on within the block."""
    with styled():
        made = figure(width, height)
        yield made, made.subplots()


def heading(made: Figure, text: str, beside: float = 0.0) -> None:
    """A title over the whole figure, in as many lines as its width needs.

    Args:
        text: on one line.
        beside: inches at the right that something else takes.
    """
    letters = int((made.get_figwidth() - 0.1 - beside) / _LETTER)
    made.suptitle(textwrap.fill(text, max(letters, 12)), fontsize=9.5, x=0.01, ha="left", color=INK)


def bare(axes: Axes) -> None:
    """Take away an axis' ticks and spines."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def png(made: Figure) -> bytes:
    """The figure as PNG on white."""
    out = io.BytesIO()
    with styled():
        made.savefig(out, format="png", facecolor="white", metadata={"Software": None})
    return out.getvalue()


def svg(made: Figure, name: str, title: str) -> str:
    """The figure as an `<svg>` element for a page.

    Args:
        made: what to draw.
        name: unique on the page; keeps this figure's references apart from others'.
        title: what it shows, for readers who cannot see it.
    """
    out = io.StringIO()
    with styled(**{"svg.hashsalt": name}):
        made.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    used = set(re.findall(r"#([\w-]+)", text))
    text = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", text)
    text = re.sub(r'(font: [^;"]*?px) [^;"]*', r"\1 var(--sans)", text)
    text = re.sub(r'font-family: [^;"]*', "font-family: var(--sans)", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    # 72 points of matplotlib's inch become 96 of CSS' pixels.
    points = re.findall(r'(?:width|height)="([\d.]+)pt"', text)[:2]
    width, height = (f"{float(size) * 4 / 3:.0f}" for size in points)
    (view,) = re.findall(r'viewBox="[^"]*"', text)[:1]
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    opening = f'<svg width="{width}" height="{height}" {view} {spaces} role="img"'
    rest = text[text.index(">") + 1 :]
    return re.sub(r">\s+<", "><", f'{opening} aria-label="{html.escape(title)}">{rest}').strip()
