"""The family that `docs/architecture.md` adds, in a temporary folder, undergoes the contract."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import ppgen.models
from ppgen import InputError
from ppgen.models import registry

from . import (
    test_contract,
    test_contract_asked,
    test_contract_far,
    test_contract_integral,
    test_contract_kinds,
)
from .zoo import ZOO, declares, numbers

PAGE = Path(__file__).resolve().parents[1] / "docs/architecture.md"
CONTRACTS = (
    test_contract,
    test_contract_asked,
    test_contract_far,
    test_contract_integral,
    test_contract_kinds,
)
CAN = ("density", "samples", "weights")


def files() -> dict[str, str]:
    """What the page writes, by file."""
    section = PAGE.read_text().split("### Adding a family")[1]
    return dict(re.findall(r"```python\n# (\S+)\n(.*?)```", section, re.DOTALL))


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The family as the page adds it: its folder, its line of the registry and of the zoo."""
    folder, written = tmp_path_factory.mktemp("models"), files()
    for name, text in written.items():
        if name.startswith("models/logistic/"):
            file = folder / name.removeprefix("models/")
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
    entry = eval(f"{{{written['models/registry.py']}}}", {"Entry": registry.Entry})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ppgen.models, "__path__", [*ppgen.models.__path__, str(folder)])
        patch.setattr(registry, "MODELS", registry.MODELS | entry)
        (name,) = entry
        made = {entry[name].class_name: registry.get(name)}
        for key, make in eval(f"{{{written['tests/zoo.py']}}}", made).items():
            patch.setitem(ZOO, key, make)
        yield name
    for module in [m for m in sys.modules if m.startswith(f"ppgen.models.{name}")]:
        del sys.modules[module]


def test_it_is_described_and_its_settings_are_checked(family: str) -> None:
    chosen = registry.get(family)
    assert {need for need in CAN if declares(chosen.capabilities, need)} == set(CAN)
    assert registry.described()[-1]["what"] == registry.MODELS[family].summary
    assert chosen.settings.names == ("floor",)
    with pytest.raises(InputError, match=r"floor is -1.*positive"):
        chosen(floor=-1.0).fit(numbers())


def cases() -> Iterator[Any]:
    """Each contract test that the family's capabilities call for, with what else it is run for."""
    for module in CONTRACTS:
        for test in _asked_of_each(module):
            others = [
                [(mark.args[0], getattr(v, "values", [v])[0]) for v in mark.args[1]]
                for mark in test.pytestmark
                if mark.name == "parametrize" and mark.args[0] != "name"
            ]
            for more in product(*others):
                said = "-".join([test.__name__, *(str(value) for _, value in more)])
                yield pytest.param(test, dict(more), id=said)


def _asked_of_each(module: ModuleType) -> list[Any]:
    tests = [test for test in vars(module).values() if hasattr(test, "needs")]
    return [test for test in tests if set(test.needs) <= set(CAN)]


@pytest.mark.parametrize(("test", "more"), list(cases()))
def test_it_keeps_the_contract(
    family: str, test: Callable[..., None], more: dict[str, Any], tmp_path: Path
) -> None:
    if "tmp_path" in inspect.signature(test).parameters:
        more = more | {"tmp_path": tmp_path}
    test(family, **more)


def test_a_density_that_is_wrong_breaks_it(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: Any = registry.get(family)
    plain = chosen._log_prob

    def louder(self: Any, rows: Any, **how: Any) -> Any:
        density = plain(self, rows, **how)
        return type(density)(np.asarray(density.values) + 0.1)

    monkeypatch.setattr(chosen, "_log_prob", louder)
    with pytest.raises(AssertionError):
        test_contract.test_a_density_of_one_column_integrates_to_one(family)
