"""How `DebiasingVAE` is trained, gone on with and what it never trains on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone

import ppgen
from ppgen.data import row_hashes
from ppgen.errors import InputError
from ppgen.models.debias import DebiasingVAE, fitting
from ppgen.models.debias.backend import TorchDebias
from ppgen.models.nets.held_out import held_out

from .debias_rows import SMALL, few_digits, table
from .interrupts import killed


@pytest.fixture(scope="module")
def digits():
    return few_digits()


def test_rows_of_weight_0_are_never_drawn_nor_held_out():
    x, y, rare = table()
    spoilt = x.copy()
    spoilt[rare, 1] += 5 * np.sign(spoilt[rare, 1])
    w = np.where(rare, 0.0, 1.0)
    fits = [DebiasingVAE(**SMALL).fit(x, np.where(rare, v, y), w) for v in ("yes", "no")]
    arrays = [fit.nets_.arrays() for fit in fits]
    for name, array in arrays[0].items():
        if "centre" not in name and "gain" not in name:
            np.testing.assert_array_equal(arrays[1][name], array)
    assert (fits[0].sampling_weights_[rare] == 0).all()


def test_held_out_rows_are_never_trained_on(monkeypatch):
    x, y, _ = table()
    seen: set[int] = set()
    made = TorchDebias.learner

    def spy(self, rows, unseen, *of, **settings):
        kept, others = rows.values()[0], unseen.values()[0]
        assert len(kept) + len(others) == 300
        assert not {r.tobytes() for r in kept} & {r.tobytes() for r in others}
        seen.add(len(others))
        return made(self, rows, unseen, *of, **settings)

    monkeypatch.setattr(TorchDebias, "learner", spy)
    DebiasingVAE(**SMALL).fit(x, y)
    hashes = row_hashes(ppgen.as_dataset(x), 0)
    assert seen == {int(held_out(hashes, np.random.default_rng(0)).sum())}


def test_validation_rows_are_given_with_their_labels():
    x, y, _ = table()
    fit = DebiasingVAE(**SMALL | {"batch_size": 50}).fit(
        x[:200], y[:200], validation=(x[200:], y[200:])
    )
    assert fit.n_steps_ == 20 * (200 // 50)
    assert len(fit.sampling_weights_) == 200


def test_the_same_seed_gives_the_same_fit_and_another_another():
    x, y, _ = table()
    a, b = (DebiasingVAE(**SMALL).fit(x, y).encode(x) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    c = DebiasingVAE(**{**SMALL, "random_state": 1}).fit(x, y).encode(x)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize(("net", "killed_after"), [("mlp", 2), ("conv", 4)])
def test_a_killed_fit_goes_on_bit_for_bit(digits, tmp_path, monkeypatch, net, killed_after):
    x, y = digits
    model = DebiasingVAE(
        3,
        net=net,
        hidden=(16,),
        channels=(4, 8) if net == "conv" else None,
        dropout=0.2,
        augment={"shift": 1},
        class_shares="equal",
        batch_size=64,
        max_epochs=7,
        random_state=3,
    )
    made = fitting.sizes_for

    def sizes_for(*of, **settings):
        sizes = made(*of, **settings)
        return replace(sizes, training=replace(sizes.training, evaluate_every=1))

    monkeypatch.setattr(fitting, "sizes_for", sizes_for)
    whole = clone(model).fit(x, y)
    with killed(killed_after):
        clone(model).fit(x, y, checkpoint_dir=tmp_path)
    assert list(tmp_path.glob("step-*"))
    with pytest.raises(InputError, match="other data or settings"):
        clone(model).fit(x, y[::-1], checkpoint_dir=tmp_path)
    resumed = clone(model).fit(x, y, checkpoint_dir=tmp_path)
    assert len(resumed.trace_) < len(whole.trace_)
    arrays, expected = resumed.nets_.arrays(), whole.nets_.arrays()
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array)
    np.testing.assert_array_equal(resumed.sampling_weights_, whole.sampling_weights_)
    assert not list(tmp_path.glob("step-*"))


def test_a_budget_is_kept():
    x, y, _ = table()
    fit = DebiasingVAE(2, hidden=(16,), random_state=0).fit(x, y, budget="1.5s")
    assert fit.n_steps_ > 10
    assert fit.fit_seconds_ < 4.5
