"""Posteriors: what chains agree on, what the data said, and how far to trust leaving rows out.

Each function takes a fitted pair, an estimator with draws of its parameters, or a DataTree. What
needs rows of an estimator takes its `to_datatree(X)`. `plot_rank`, `plot_energy` and `plot_khat`
are drawn by the functions of `arviz_plots` of that name, to which what else is given goes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import InputError, did_you_mean
from ..inference.leave_one_out import LeaveOneOut
from ..models.pair import PairFit
from .places import plot_loo_pit, plot_ppc_pit
from .prior_posterior import prior_posterior_panels
from .style import styled
from .trees import tree_of
from .uniform import OFF

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS = 16  # of quantities, in a figure
_STYLE = {
    "axes.facecolor": "white",  # which bands are a shade of
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
}


def plot_rank(fit: Any, **how: Any) -> Figure:
    """Ranks of each chain's draws among those of all, less what is expected: chains that agree lie
    within the bands.

    Raises:
        InputError: if there is one chain.
    """
    tree = tree_of(fit, "posterior")
    if tree["posterior"].sizes["chain"] < 2:
        raise InputError("the draws are of one chain, and ranks compare chains; draw several.")
    made = _drawn("plot_rank", tree, **{"visuals": {"remove_axis": False}, **how})
    for axes in made.axes:
        place = axes.get_subplotspec()
        axes.set_ylabel(OFF if place is not None and place.is_first_col() else "")
    return made


def plot_energy(fit: Any, **how: Any) -> Figure:
    """The energy of a Hamiltonian sampler beside its changes, which are to be as spread; E-BFMI."""
    made = _drawn("plot_energy", tree_of(fit, "sample_stats", has="energy"), **how)
    for axes in made.axes:
        if axes.get_title("left") == "BFMI":
            axes.set_xlabel("E-BFMI; left of the line, too low")
            axes.locator_params(axis="y", integer=True)
        else:
            axes.set_xlabel("energy, less its mean")
    return made


def plot_prior_posterior(
    fit: Any,
    var_names: str | Sequence[str] | None = None,
    *,
    most: int = _PANELS,
    title: str = "",
) -> Figure:
    """The prior of each parameter (grey) beside its posterior (line): where they are alike, the
    data said little of it.

    Args:
        fit: a fitted pair, an estimator with draws of its parameters, or a DataTree.
        var_names: the variables drawn; None takes all.
        most: numbers drawn.
        title: of the figure.

    Raises:
        InputError: if there is no prior, or no such variable.
    """
    return prior_posterior_panels(tree_of(fit, "posterior", "prior"), var_names, most, title)


def plot_khat(fit: Any, **how: Any) -> Figure:
    """Pareto k-hat of each row left out: up to 0.7, leave-one-out can be trusted.

    Args:
        fit: a fitted pair, or what its `loo` or `ppgen.loo` gave, or that of ArviZ.
    """
    found = fit.loo() if isinstance(fit, PairFit) else fit
    if isinstance(found, LeaveOneOut):
        found = found.to_arviz()
    lines = {"hline_values": [found.good_k], "visuals": {"hlines": {}}}
    made = _drawn("plot_khat", found, **{**lines, **how})
    if not how:
        (axes,) = made.axes
        axes.set(xlabel="row", ylabel=f"Pareto k-hat (line: {found.good_k:.2f})")
    return made


KINDS: dict[str, Callable[..., Any]] = {
    "rank": plot_rank,
    "energy": plot_energy,
    "prior_posterior": plot_prior_posterior,
    "khat": plot_khat,
    "ppc_pit": plot_ppc_pit,
    "loo_pit": plot_loo_pit,
}


def plot_posterior(fit: Any, kind: str, **how: Any) -> Figure:
    """A figure of a posterior by name: "rank", "energy", "prior_posterior", "khat", "ppc_pit" or
    "loo_pit".

    Raises:
        InputError: if there is no such figure.
    """
    if kind not in KINDS:
        raise InputError(
            f"kind is {kind!r}; expected one of {', '.join(KINDS)}.{did_you_mean(kind, KINDS)}"
        )
    figure: Figure = KINDS[kind](fit, **how)
    return figure


def _drawn(name: str, data: Any, **how: Any) -> Figure:
    """What a function of arviz_plots draws, in the style of the other figures; pyplot's list of
    figures is left as it was."""
    from matplotlib import pyplot

    draw: Any = getattr(import_module("arviz_plots"), name)
    how = {"backend": "matplotlib", **how}
    with styled(**_STYLE):
        figure: Figure = draw(data, **how).viz["figure"].item()
        pyplot.close(figure)
    return figure
