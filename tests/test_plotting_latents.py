"""Figures of latent spaces: what is drawn where, and what is refused."""

from __future__ import annotations

import sys
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from ppgen.errors import InputError
from ppgen.plotting.latent_images import (
    interpolation_strip,
    kl_bars,
    latent_manifold,
    latent_map_plot,
    reconstruction_strip,
    traversal_grid,
    traversal_lines,
)
from ppgen.plotting.latent_scatter import PALETTE
from ppgen.plotting.mosaic import mosaic
from ppgen.plotting.style import ACCENT, REAL, png, svg

RNG = np.random.default_rng(0)
GREY = RNG.random((3, 5, 1, 6, 4))
COLOUR = RNG.random((3, 5, 3, 6, 4))
POINTS = RNG.normal(size=(200, 2))
ODD = "<script>alert(1)</script> $x^{$"


def lines(dims=3, steps=5, columns=3):
    v = np.linspace(-3, 3, steps)
    shape = np.arange(1, dims + 1)[:, None]
    found = {f"{ODD} {j}": (j + 1) * shape * v for j in range(columns)}
    return v, found | {"level": np.where(shape * v > 0, "high", "low")}


FIGURES = {
    "traversal": lambda: traversal_grid(GREY, [ODD, "b", "c"], values=np.arange(5), title=ODD),
    "traversal of colours": lambda: traversal_grid(COLOUR),
    "one image": lambda: traversal_grid(GREY[:1, :1] * 0),
    "reconstructions": lambda: reconstruction_strip(GREY[0], GREY[1]),
    "of several": lambda: reconstruction_strip(COLOUR[0], {ODD: COLOUR[1], "5": COLOUR[2]}),
    "of noise": lambda: reconstruction_strip(GREY[0], GREY[1], noisy=GREY[2], title="noise"),
    "path": lambda: interpolation_strip(GREY[0]),
    "paths": lambda: interpolation_strip(
        COLOUR, ends=COLOUR[:, [0, -1]], labels=["linear", ODD, "c"], title=ODD
    ),
    "manifold": lambda: latent_manifold(GREY, title=ODD),
    "two channels": lambda: latent_manifold(GREY.repeat(2, axis=2)),
    "map": lambda: latent_map_plot(POINTS),
    "map of classes": lambda: latent_map_plot(
        POINTS, np.array([ODD, "b"] * 100), label=ODD, title=ODD
    ),
    "map of many classes": lambda: latent_map_plot(POINTS, np.arange(200).astype(str)),
    "map of numbers": lambda: latent_map_plot(POINTS, POINTS[:, 0], explained=(0.6, 0.2)),
    "kl": lambda: kl_bars([0.001, 2.0, 0.4, 0.0], title=ODD),
    "kl of none active": lambda: kl_bars(np.zeros(70)),
    "lines": lambda: traversal_lines(*lines(), ["a", ODD, "c"]),
    "many lines": lambda: traversal_lines(*lines(9, 4, 14), title=ODD),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figure(name):
    before = dict(mpl.rcParams)
    had_pyplot = "matplotlib.pyplot" in sys.modules
    made = FIGURES[name]()
    assert isinstance(made, Figure)
    assert png(made).startswith(b"\x89PNG")
    text = svg(made, "name", "what it shows")
    ElementTree.fromstring(text)
    assert "<script" not in text
    assert dict(mpl.rcParams) == before
    assert had_pyplot or "matplotlib.pyplot" not in sys.modules


def test_a_mosaic_puts_each_image_in_its_place():
    images = np.zeros((2, 3, 1, 4, 4))
    images[1, 2] = 1.0
    made, tops, lefts = mosaic(images, (0.0, 1.0))
    assert (tops, lefts) == ([0, 5], [0, 5, 10])
    assert made.shape == (9, 14, 4)
    assert (made[5:, 10:, :3] == 1).all()
    assert made[:5, :, :3].sum() == 0
    assert (made[4] == 0).all()  # the gap
    assert (made[:4, :4, 3] == 1).all()
    assert mosaic(images, (0.0, 1.0), gap=0)[0].shape == (8, 12, 4)
    assert mosaic(images, (0.0, 1.0), apart=[1])[2] == [0, 5, 13]


def test_colours_stay_what_they_are():
    image = np.zeros((1, 1, 3, 2, 2))
    image[0, 0, 1] = 255.0
    assert mosaic(image, (0.0, 255.0))[0][0, 0].tolist() == [0, 1, 0, 1]
    assert mosaic(2 * image, (0.0, 255.0))[0][0, 0].tolist() == [0, 1, 0, 1]


def picture(made, axes=0):
    return np.asarray(made.axes[axes].get_images()[0].get_array())


def test_originals_stand_above_and_set_black_and_white():
    originals = np.linspace(0, 1, 2 * 16).reshape(2, 1, 4, 4)
    made = reconstruction_strip(originals, {"2 latents": 3 * originals, "5 latents": originals})
    labels = [t.get_text() for t in made.axes[0].get_yticklabels()]
    assert labels == ["original", "2 latents", "5 latents"]
    assert picture(made)[:4, :4, 0] == pytest.approx(originals[0, 0])
    assert picture(made)[5:9, :4, 0] == pytest.approx(np.clip(3 * originals[0, 0], 0, 1))
    middle = made.axes[0].get_yticks()
    assert middle == pytest.approx([2, 7, 12])


def test_values_are_written_only_where_they_hold_for_every_row():
    made = traversal_grid(GREY, values=np.linspace(-2, 2, 5))
    assert [t.get_text() for t in made.axes[0].get_xticklabels()] == ["−2", "−1", "0", "1", "2"]
    made = traversal_grid(GREY, values=np.arange(15.0).reshape(3, 5))
    assert not made.axes[0].get_xticklabels()


def test_ends_are_drawn_apart():
    made = interpolation_strip(GREY, ends=GREY[:, [0, -1]])
    low, high = GREY[:, [0, -1]].min(), GREY[:, [0, -1]].max()
    # Six images of 4 pixels with a gap of 1, which is 4 beside the ends.
    assert picture(made).shape[1] == 7 * 4 + 6 * 1 + 2 * 3
    assert picture(made)[:6, -4:, 0] == pytest.approx((GREY[0, -1, 0] - low) / (high - low))
    assert picture(made)[:6, 4:8, 3].sum() == 0
    names = [t.get_text() for t in made.axes[0].get_xticklabels()]
    assert names == ["row a", "0", "0.25", "0.5", "0.75", "1", "row b"]


def test_limits_are_black_and_white():
    image = np.full((1, 1, 1, 2, 2), 64.0)
    for made in (
        traversal_grid(image, limits=(0, 256)),
        latent_manifold(image, limits=(0, 256)),
        interpolation_strip(image, limits=(0, 256)),
        reconstruction_strip(image[0], image[0], limits=(0, 256)),
    ):
        assert picture(made)[0, 0].tolist() == [0.25, 0.25, 0.25, 1]


def test_inactive_latents_are_grey_and_the_largest_comes_first():
    made = kl_bars([0.001, 2.0, 0.4, 0.0], threshold=0.01)
    bars = made.axes[0].patches
    assert [b.get_facecolor()[:3] for b in bars] == [to_rgb(ACCENT)] * 2 + [to_rgb(REAL)] * 2
    assert [b.get_height() for b in bars[:2]] == [2.0, 0.4]
    assert [t.get_text() for t in made.axes[0].get_xticklabels()] == ["1", "2", "0", "3"]
    assert made.get_suptitle().replace("\n", " ") == (
        "2 of 4 latents are active: say something of a row"
    )


def test_classes_have_a_legend_in_order_and_numbers_a_bar():
    made = latent_map_plot(POINTS, np.arange(200) % 10, label="digit")
    legend = made.legends[0]
    assert [t.get_text() for t in legend.get_texts()] == [str(d) for d in range(10)]
    assert [m.get_color() for m in legend.legend_handles] == list(PALETTE)
    assert legend.get_title().get_text() == "digit"
    many = latent_map_plot(POINTS, np.array(["a"] * 150 + [f"b{i}" for i in range(50)]))
    assert [t.get_text() for t in many.legends[0].get_texts()][-1] == "42 others"
    bar = latent_map_plot(POINTS, POINTS[:, 1])
    assert not bar.legends
    assert len(bar.axes) == 2


def test_a_panel_a_column_and_a_line_a_latent():
    v, columns = lines(dims=2, columns=2)
    made = traversal_lines(v, columns, ["z1", "z2"])
    first = made.axes[0].get_lines()
    assert len(first) == 2
    assert first[-1].get_ydata() == pytest.approx(v)  # the first latent lies on top
    assert first[-1].get_color() == PALETTE[0]
    assert [t.get_text() for t in made.axes[2].get_yticklabels()] == ["high", "low"]
    wide = traversal_lines(v, columns, reach={f"{ODD} 0": (-50, 20), "other": (0, 1)})
    low, high = wide.axes[0].get_ylim()
    assert -60 < low < -50
    assert 20 < high < 30
    more = traversal_lines(*lines(9, 4, 14))
    assert more.get_suptitle() == "(6 of 9 latents, 12 of 15 columns)"


WRONG = {
    "axes": (lambda: traversal_grid(GREY[0]), "expected \\(dims, steps, C, H, W\\)"),
    "labels": (lambda: traversal_grid(GREY, ["a"]), "1 labels given for 3 rows"),
    "values": (lambda: traversal_grid(GREY, values=[1, 2]), "values of shape \\(1, 2\\)"),
    "number": (lambda: reconstruction_strip(GREY[0], GREY[0, :2]), "of each original"),
    "ends": (lambda: interpolation_strip(GREY, ends=GREY[:2, :2]), "two rows of each path"),
    "points": (lambda: latent_map_plot(np.ones((3, 3))), "expected \\(n, 2\\)"),
    "map labels": (lambda: latent_map_plot(POINTS, [1]), "for 200 rows"),
    "kl": (lambda: kl_bars([[1.0]]), "one finite number a latent"),
    "no columns": (lambda: traversal_lines([1, 2], {}), "no columns"),
    "columns": (lambda: traversal_lines([1, 2], {"a": np.ones((2, 3))}), "the same of all"),
    "line labels": (lambda: traversal_lines(*lines(), ["a"]), "1 labels given for 3"),
}


@pytest.mark.parametrize(("call", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(call, says):
    with pytest.raises(InputError, match=says):
        call()
