"""Settings are declared once: what they take, the defaults and the words that explain them."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pytest
from sklearn.base import clone

import ppgen
from ppgen.checks import MODELLING_GAPS
from ppgen.cli.settings_page import page
from ppgen.errors import InputError
from ppgen.models import registry
from ppgen.models.nets import settings as nets
from ppgen.models.nets.mlp import ACTIVATIONS
from ppgen.settings import (
    Kind,
    Setting,
    Settings,
    array,
    choice,
    flag,
    integer,
    mapping,
    number,
    seed,
    setting,
    sizes,
)

MODELS = registry.names()
EACH = [(model, setting) for model in MODELS for setting in registry.settings(model)]


class Nothing:
    """What no setting takes."""

    def __repr__(self) -> str:
        return "<nothing>"

    def __deepcopy__(self, memo: Any) -> Nothing:
        return self


WRONG = Nothing()


def _over(pairs: list[tuple[str, Setting]]) -> Any:
    ids = [f"{model}.{setting.name}" for model, setting in pairs]
    return pytest.mark.parametrize(("model", "setting"), pairs, ids=ids)


each_setting = _over(EACH)
each_that_refuses = _over([(model, s) for model, s in EACH if not s.kind.accepts(WRONG)])
X = np.random.default_rng(0).normal(size=(20, 2))


@pytest.mark.parametrize("model", MODELS)
def test_the_constructor_has_what_is_declared(model: str) -> None:
    signature = inspect.signature(registry.get(model))
    declared = {setting.name: setting.default for setting in registry.settings(model)}
    assert registry.get(model).settings is registry.settings(model)
    assert {name: p.default for name, p in signature.parameters.items()} == declared


@pytest.mark.parametrize("model", ["gmm", "flow", "vae", "autoencoder", "debias"])
def test_a_subclass_may_have_a_constructor_of_its_own(model: str) -> None:
    family: Any = registry.get(model)

    class Own(family):  # type: ignore[misc]
        def __init__(self, extra: int = 1, random_state: int = 0) -> None:
            super().__init__(random_state=random_state)
            self.extra = extra
            self.max_epochs, self.hidden, self.n_components = 1, (4,), 1

    own = clone(Own(extra=3))
    assert own.get_params() == {"extra": 3, "random_state": 0}
    own.fit(X, (X[:, 0] > 0).astype(int) if own.capabilities.supervised else None)
    own.tol = own.max_epochs = -1
    with pytest.raises(InputError, match=r"(tol|max_epochs) is -1"):
        own.fit(X)


@each_setting
def test_each_setting_is_explained_and_takes_its_default(model: str, setting: Setting) -> None:
    assert setting.help.endswith(".")
    assert "\n" not in setting.help
    assert f"    {setting.name} (" in str(registry.get(model).__doc__)
    setting.check(setting.default)


@each_that_refuses
def test_what_a_setting_does_not_take_is_refused_by_fit(model: str, setting: Setting) -> None:
    estimator = registry.get(model)(**{setting.name: WRONG})
    with pytest.raises(InputError) as error:
        clone(estimator).fit(X, np.arange(20) % 2 if estimator.capabilities.supervised else None)
    assert str(error.value) == f"{setting.name} is <nothing>; expected {setting.takes}."


KINDS: dict[str, tuple[Kind, list[Any], list[Any]]] = {
    "choice": (choice("mlp", "conv"), ["mlp", np.str_("conv")], ["mpl", 1, ["mlp"]]),
    "integer": (integer(2), [2, np.int32(3)], [1, 2.0, True, "2", float("nan"), np.ones(2)]),
    "number": (
        number(above=0, most=0.5),
        [0.5, np.float32(0.1)],
        [0, 0.6, False, "0.1", float("nan"), float("inf"), np.array([0.1])],
    ),
    "sizes": (
        sizes("(64, 64)"),
        [(3,), [1, 2], np.array([4, 5])],
        [(), 3, "33", (0,), (True,), (1.5,)],
    ),
    "flag": (flag, [True, np.False_], [0, "yes", np.ones(1)]),
    "array": (array, [[0.5, 0.5], np.eye(2)], ["0.5", True]),
    "mapping": (mapping, [{"shift": 1}], [[("shift", 1)], "shift"]),
    "seed": (seed, [3, np.random.default_rng(0), np.random.RandomState(0)], [0.5, "0", True]),
    "either": (integer(1) | choice("bic"), [1, "bic"], ["bci", 0]),
}


@pytest.mark.parametrize(("kind", "right", "wrong"), KINDS.values(), ids=KINDS)
def test_what_kinds_take(kind: Kind, right: list[Any], wrong: list[Any]) -> None:
    for value in right:
        kind.check("a", value)
    for value in wrong:
        with pytest.raises(InputError, match=r"^a is [^\n]*; expected ") as error:
            kind.check("a", value)
        assert kind.words in str(error.value)


def test_the_nearest_text_and_name_are_said() -> None:
    @dataclass
    class Declared:
        net: Literal["auto", "mlp"] | int | None = setting(None, "which net.", least=1)

    settings = Settings(Declared)
    with pytest.raises(InputError) as error:
        settings.check({"net": "mpl"})
    assert str(error.value) == (
        "net is 'mpl'; expected None, one of auto, mlp, or an integer >= 1. Did you mean 'mlp'?"
    )
    with pytest.raises(InputError, match=r"toy has no setting 'ent'; it has net. Did you mean 'ne"):
        settings.check_names("toy", ["ent"])


def test_options_of_methods_stand_in_the_docstring_and_on_the_page() -> None:
    for word in (
        "Options of `log_density`:\n    method (one of iwae, elbo, ais; 'iwae' if left",
        "impute",
    ):
        assert word in str(ppgen.VAE.__doc__)
    assert "Options of `VAE.log_density`" in page()
    assert "Options of" not in str(ppgen.GaussianMixture.__doc__)


def test_the_page_of_settings_is_what_is_declared() -> None:
    written = (Path(__file__).parents[1] / "docs" / "settings.md").read_text()
    assert written == f"{page()}\n", "run python -m ppgen.cli.settings_page > docs/settings.md"


def test_what_torch_is_needed_for_is_named_without_it() -> None:
    assert get_args(nets.Activation) == tuple(ACTIVATIONS)
    assert tuple(field.name for field in fields(ppgen.Augment)) == nets.CHANGES


def test_what_a_fit_took_is_told_by_where_it_comes_from() -> None:
    @dataclass(kw_only=True)
    class Some:
        k: int | Literal["bic"] = setting("bic", "how many.", least=1)
        rate: float | None = setting(None, "of steps.", above=0)
        tol: float = setting(0.1, "tolerance.", above=0)
        random_state: Any = setting(None, "seed.", seed)  # noqa: RUF009

    some = Settings(Some)
    found = {"k": 3, "rate": 0.25, "other": 1}
    assert some.by_origin({}, found) == {
        "given": {},
        "chosen": {"k": 3, "rate": 0.25},
        "default": {"tol": 0.1},
    }
    # A criterion that is given stands beside what it chose; a number is taken as it is.
    assert some.by_origin({"k": 5, "rate": 0.5, "tol": 1.0}, found) == {
        "given": {"k": 5, "rate": 0.5, "tol": 1.0},
        "chosen": {},
        "default": {},
    }
    assert some.by_origin({"k": "icl"}, {"k": 2})["chosen"] == {"k": 2}
    assert some.by_origin({}, {})["default"] == {"k": "bic", "rate": None, "tol": 0.1}


def test_nothing_is_checked_before_a_fit() -> None:
    flow = ppgen.NormalizingFlow(bins=1).set_params(kind="nfs")
    assert clone(flow).get_params() == flow.get_params()


def test_settings_are_checked_before_the_rows() -> None:
    with pytest.raises(InputError, match="kind is 'nfs'"):
        ppgen.NormalizingFlow(kind="nfs").fit("no rows at all")


@pytest.mark.parametrize("model", MODELS)
def test_engines_and_backends_that_can_be_set_are_those_declared(model: str) -> None:
    can = registry.get(model).capabilities
    taken = {setting.name: setting.kind.options for setting in registry.settings(model)}
    assert can.backends == taken.get("backend", ())
    assert taken.get("engine", can.engines) == can.engines


def test_a_subclass_may_take_words_of_its_own() -> None:
    class Named(ppgen.GaussianMixture):
        def __init__(self, label: str = "", **settings: Any) -> None:
            super().__init__(**settings)
            self.label = label

    assert Named("a", tol=0.5).tol == 0.5
    assert Named(label="a", n_components=2).n_components == 2


def test_an_unknown_argument_is_refused_in_the_name_of_the_class_that_was_called() -> None:
    with pytest.raises(TypeError, match=r"^GaussianMixture has no setting 'n_component'.*'n_comp"):
        ppgen.GaussianMixture(n_component=3)  # type: ignore[call-arg]


@pytest.mark.parametrize("model", MODELS)
def test_the_nearest_setting_is_named_for_a_wrong_one(model: str) -> None:
    made = registry.get(model)
    with pytest.raises(InputError, match=r"has no setting 'random_stat'.*Did you mean 'random_st"):
        made(random_stat=3)
    assert pickle.loads(pickle.dumps(made(random_state=3))).random_state == 3


def test_the_nearest_argument_of_a_method_is_named() -> None:
    with pytest.raises(InputError, match=r"GaussianMixture\.fit .*'budgets'.*mean 'budget'"):
        ppgen.GaussianMixture().fit(np.zeros((9, 1)), budgets=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"inpaint has no argument 'guidance'; it has X, mask, y"):
        ppgen.Diffusion().inpaint(None, None, guidance=2.0)  # type: ignore[call-arg]


def test_families_that_are_said_to_model_gaps_do() -> None:
    able = {registry.MODELS[m].class_name for m in MODELS if registry.get(m).capabilities.missing}
    assert {*MODELLING_GAPS} == able


@pytest.mark.parametrize("name", registry.names())
def test_options_are_listed_without_the_class_as_the_class_declares_them(name: str) -> None:
    declared = registry.get(name).capabilities.options
    assert registry.settings(name).options == {m: o for m, o in declared.items() if o.names}
