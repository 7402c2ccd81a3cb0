"""The DataTree of what is to be drawn."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from ..estimator import Estimator
from ..models.pair import PairFit


def is_tree(fit: Any) -> bool:
    """Whether it is a DataTree, which is a mapping too."""
    from xarray import DataTree

    return isinstance(fit, DataTree)


def tree_of(fit: Any, *groups: str, has: str = "", also: tuple[str, ...] = ()) -> Any:
    """The DataTree of a fit with these groups, and with others, where it has them.

    Raises:
        InputError: if a group, or a variable of the last one, is missing.
    """
    if is_tree(fit):
        tree = fit
    elif isinstance(fit, PairFit):
        tree = fit.to_datatree(groups=(*groups, *also))
    elif isinstance(fit, Estimator):
        tree = fit.to_datatree()
    else:
        raise InputError(
            "expected a fitted pair, an estimator with draws of its parameters, or a DataTree of "
            f"one; got {type(fit).__name__}."
        )
    for group in groups:
        if group not in tree.children:
            why = f" It lacks {tree.attrs['missing']}." if "missing" in tree.attrs else ""
            give = "to_datatree(X)" if isinstance(fit, Estimator) else "to_datatree(data)"
            raise InputError(
                f"there is no group {group!r} to draw; there are {', '.join(tree.children)}."
                f"{why or f' Give its {give}, with the data it was fitted to.'}"
            )
    if has and has not in tree[groups[-1]].data_vars:
        raise InputError(f"{groups[-1]} has no {has!r}: the method does not record it.")
    return tree
