"""Levels beside numbers in diffusion: the softmax against exact posteriors, and what fits make."""

from __future__ import annotations

import itertools
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import ppgen
from ppgen.inference.diffusion.process import PROCESSES, Process
from ppgen.models.diffusion.plan import planned
from ppgen.models.diffusion.tables import Levels
from ppgen.models.nets.held_out import Subset
from ppgen.models.nets.values import Values

VALUES = Values(1, (2, 3))
SHARES = np.array([[0.3, 0.05, 0.05], [0.1, 0.1, 0.4]])  # of pairs of levels


def corners(values: Values) -> torch.Tensor:
    """The indicators of every pair of levels, after numbers that are 0."""
    pairs = itertools.product(*map(range, values.levels))
    rows = [
        np.concatenate([np.eye(k)[c] for c, k in zip(pair, values.levels, strict=True)])
        for pair in pairs
    ]
    return torch.from_numpy(
        np.column_stack([np.zeros((len(rows), values.numbers)), np.stack(rows)])
    )


def exact(x_t: torch.Tensor, t: torch.Tensor, process: Process, shares: Any) -> torch.Tensor:
    """E[x | x_t] of rows that stand at corners with these shares, by Bayes' rule."""
    at, p = corners(VALUES), torch.from_numpy(np.ravel(shares))
    alpha, sigma = process.alpha(t)[:, None, None], process.sigma(t)[:, None]
    distance = (x_t[:, None] - alpha * at).square()[:, :, 1:].sum(2)
    return (p.log() - distance / (2 * sigma**2)).softmax(1) @ at


def levels(shares: Any) -> Levels:
    made = Levels(VALUES).double()
    made.fit(corners(VALUES), torch.from_numpy(np.ravel(shares)))
    return made


@pytest.mark.parametrize("process", PROCESSES.values(), ids=list(PROCESSES))
def test_without_a_net_levels_are_those_of_independent_columns(process: Process) -> None:
    product = np.outer(SHARES.sum(1), SHARES.sum(0))
    t = process.t_min + (process.t_max - process.t_min) * torch.tensor([0.2, 0.5, 0.9]).double()
    x_t = torch.randn(3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    made = levels(SHARES)
    found = made.shares(made.logits(torch.zeros(3, 6), x_t, t, process))
    torch.testing.assert_close(found, exact(x_t, t, process, product)[:, 1:])


def test_a_net_that_tells_how_likely_the_rest_is_gives_the_exact_levels() -> None:
    process, t = PROCESSES["linear"], torch.tensor([0.3, 0.7, 0.95], dtype=torch.float64)
    x_t = torch.randn(3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    slope = ((1 - t) / t**2)[:, None]
    given = torch.from_numpy(SHARES / SHARES.sum(1, keepdims=True)).log()  # of the second column
    first = torch.logsumexp(given + (slope * x_t[:, 3:])[:, None], 2)
    given = torch.from_numpy(SHARES / SHARES.sum(0)).log().mT
    second = torch.logsumexp(given + (slope * x_t[:, 1:3])[:, None], 2)
    outputs, made = torch.cat([torch.zeros(3, 1), first, second], 1), levels(SHARES)
    found = made.shares(made.logits(outputs, x_t, t, process))
    torch.testing.assert_close(found, exact(x_t, t, process, SHARES)[:, 1:])


def test_samples_of_the_exact_posterior_have_the_joint_shares() -> None:
    process, n, steps = PROCESSES["linear"], 2000, 60
    x = torch.randn(n, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    times = torch.linspace(1, process.t_min, steps + 1, dtype=torch.float64)
    for t, s in itertools.pairwise(times):
        data = exact(x, t.expand(n), process, SHARES)
        x = (1 - s) * data + s * process.noise(x, data, t)
    made = VALUES.gathered(exact(x, times[-1:].expand(n), process, SHARES).numpy())[:, 1:]
    found = np.histogram2d(*made.T, bins=[np.arange(-0.5, 2), np.arange(-0.5, 3)])[0] / n
    assert np.abs(found - SHARES).max() < 4 * np.sqrt(0.25 / n)


def test_shares_are_weighted_and_leave_missing_levels_out() -> None:
    made = Levels(Values(1, (2,)))
    x = torch.tensor([[0.5, 1, 0], [0.1, 0, 1], [2.0, 0, 0]])
    made.fit(x, torch.tensor([3.0, 1.0, 5.0]))
    assert made.log_shares.exp().tolist() == pytest.approx([0.75, 0.25])


def table(n: int, seed: int = 0) -> dict[str, Any]:
    """A level, a number that goes by it, and a level that goes by both."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["a", "b"], n, p=[0.7, 0.3])
    x = np.where(kind == "a", -2.0, 2.0) + 0.5 * rng.normal(size=n)
    return {"x": x, "kind": kind, "sign": np.where(x > 0, "+", "-")}


def fit(rows: dict[str, Any], **settings: Any) -> Any:
    how = {"width": 48, "depth": 1, "max_epochs": 110, "learning_rate": 5e-3, "random_state": 0}
    return ppgen.Diffusion(**how | settings).fit(rows)


@cache
def mixed(margins: str) -> Any:
    return fit(table(400), margins=margins)


@pytest.mark.parametrize("margins", ["ranks", "none"])
def test_levels_and_numbers_go_together_in_samples(margins: str) -> None:
    rows, drawn = table(1000, 1), mixed(margins).sample(1000, random_state=1)
    for kind in "ab":
        real, made = (r["x"][np.asarray(r["kind"]) == kind] for r in (rows, drawn))
        assert len(made) / 1000 == pytest.approx(len(real) / 1000, abs=0.07)
        assert made.mean() == pytest.approx(real.mean(), abs=0.35)
    wrong = np.asarray(drawn["sign"]) != np.where(np.asarray(drawn["x"]) > 0, "+", "-")
    assert wrong.mean() < 0.1


def test_samples_by_ranks_hardly_leave_the_rows_fitted() -> None:
    x, drawn = table(400)["x"], mixed("ranks").sample(500, random_state=2)["x"]
    assert mixed("ranks").nets_.view.map.margins is not None
    assert np.mean((x.min() <= drawn) & (drawn <= x.max())) > 0.98
    assert np.abs(drawn).max() < 3 * np.abs(x).max()


def test_numbers_alone_are_not_ranked_unless_asked() -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    for margins, ranked in (("auto", False), ("ranks", True), ("none", False)):
        view = ppgen.Diffusion(margins=margins, max_epochs=1, width=8, depth=1).fit(x).nets_.view
        assert (view.map.margins is not None) == ranked


def test_levels_alone_are_modelled() -> None:
    rng = np.random.default_rng(0)
    a = rng.choice(["u", "v", "w"], 300, p=[0.5, 0.3, 0.2])
    b = np.where(rng.random(300) < 0.95, np.where(a == "u", "0", "1"), "2")
    drawn = fit({"a": a, "b": b}, max_epochs=50).sample(1000, random_state=0)
    assert np.mean(np.asarray(drawn["a"]) == "u") == pytest.approx(0.5, abs=0.1)
    contradicting = (np.asarray(drawn["a"]) == "u") & (np.asarray(drawn["b"]) == "1")
    assert contradicting.mean() < 0.06


def test_a_fit_is_conditional_on_columns_that_it_is_told() -> None:
    model = fit(table(200), condition_on=["kind"], max_epochs=50)
    drawn = model.sample(200, given={"kind": "b"}, random_state=0)
    assert set(drawn["kind"]) == {"b"}
    assert drawn["x"].mean() == pytest.approx(2.0, abs=0.6)
    assert model.sample(200, random_state=0)["x"].mean() < 0.5
    with pytest.raises(ppgen.InputError, match="condition"):
        model.sample(3, given={"sign": "+"})


def test_a_saved_fit_of_levels_makes_the_same_rows(tmp_path: Any) -> None:
    mixed("ranks").save(tmp_path / "run")
    again = ppgen.load(tmp_path / "run")
    before, after = (m.sample(20, random_state=3) for m in (mixed("ranks"), again))
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_all_rows_are_trained_on_where_none_are_held_out() -> None:
    rows = table(60)
    for hold_out, steps in ((False, 3), (True, 2)):  # of 60 rows, and of 48
        assert fit(rows, hold_out=hold_out, max_epochs=1, batch_size=20).n_steps_ == steps
    with pytest.raises(ppgen.InputError, match="hold_out"):
        ppgen.Diffusion(hold_out=False).fit(rows, validation=rows)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"condition_on": ["kind", "x", "sign"]}, "nothing is left"),
        ({"condition_on": ["kin"]}, "Did you mean"),
        ({"margins": "rank"}, "Did you mean 'ranks'"),
    ],
)
def test_settings_that_do_not_suit_a_table_are_refused(settings: Any, words: str) -> None:
    with pytest.raises(ppgen.InputError, match=words):
        fit(table(60), max_epochs=1, **settings)


@pytest.mark.parametrize("margins", ["ranks", "none"])
def test_bounds_of_a_mixed_table_stay_below_what_rows_have_and_near(margins: str) -> None:
    rows = table(300, 2)
    own = np.where(np.asarray(rows["kind"]) == "a", -2.0, 2.0)
    x, share = np.asarray(rows["x"]), np.where(own < 0, 0.7, 0.3)
    truth = np.log(share) - 2 * (x - own) ** 2 - 0.5 * np.log(2 * np.pi * 0.25)
    found = mixed(margins).log_density(rows)
    assert found.kind == "lower_bound"
    assert -1.0 < found.values.mean() - truth.mean() < 0.05


def test_a_fit_that_is_told_columns_has_no_density() -> None:
    rows = table(60)
    model = fit(rows, condition_on=["kind"], max_epochs=1)
    with pytest.raises(ppgen.InputError, match="condition_on"):
        model.log_density(rows)


def test_moderate_tables_are_trained_for_longer_than_those_of_few_rows_or_numbers() -> None:
    asked = SimpleNamespace(**vars(ppgen.Diffusion()), words=0)

    def found(n: int, numbers: int) -> tuple[int, int]:
        units = np.arange(n, dtype=np.uint64)
        x = np.zeros((n, numbers))
        seen = Subset(x, np.arange(n), np.zeros(n), None, None, None, lambda: units)
        plan = planned(asked, Values(numbers), seen, 1.0, timed=False)
        steps = plan.schedule.max_epochs * (n // plan.schedule.batch_size)
        return plan.architecture.width, round(steps, -3)

    assert found(200, 9) == (64, 4000)
    assert found(800, 9) == (128, 8000)
    assert found(800, 2) == (64, 4000)
    assert found(8000, 9) == (128, 10_000)
