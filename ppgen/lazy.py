"""Names of a package that are imported when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazily(package: str, **homes: str) -> Callable[[str], object]:
    """The `__getattr__` of a package: each name is that of the module below it that is given."""

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = named(f"{package}.{homes[name]}", name)
        setattr(sys.modules[package], name, value)
        return value

    return get


def named(module: str, name: str) -> Any:
    """A name of a module, looked up when it is called for: so methods call what stands in a layer
    above theirs."""
    return getattr(import_module(module), name)
