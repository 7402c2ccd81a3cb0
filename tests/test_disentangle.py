"""Disentanglement scores: 1 for the factors themselves, chance for noise, between for a mixture."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import ortho_group

from ppgen.analysis.dci import dci
from ppgen.analysis.disentangle import disentanglement, scores_of_codes
from ppgen.analysis.factors import Factors, binned, gap
from ppgen.analysis.factorvae import Rendering, factor_vae_score
from ppgen.analysis.mig import entropy, information, mutual_information_gap
from ppgen.analysis.sap import attribute_predictability_gap, predictability
from ppgen.errors import InputError

from .linear_latents import Factor, render

NAMES = ("shape", "scale", "x", "y")
LEVELS = (3, 6, 12, 12)


def factors(n=1200, seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.integers(0, m, n) for m in LEVELS]).astype(float)


def known(v):
    return Factors.of(v, NAMES, ["shape"])


def rotated(v, seed=1):
    z = (v - v.mean(axis=0)) / v.std(axis=0)
    return z @ ortho_group.rvs(v.shape[1], random_state=seed)


def permuted(v):
    """Factors out of order, scaled, shifted and turned around, and a latent of noise."""
    noise = np.random.default_rng(5).normal(size=len(v))
    return np.column_stack([-3e3 * v[:, 2], noise, v[:, 0] / 7 + 100, v[:, 3], 2 - v[:, 1]])


def summary(z, v):
    found = scores_of_codes(z, known(v), trees=10)
    return np.array([found.mig, found.sap, found.dci.disentanglement, found.dci.completeness])


def test_factors_themselves_score_one():
    v = factors()
    found = scores_of_codes(permuted(v), known(v), trees=20)
    assert found.mig > 0.95
    assert found.sap > 0.95
    assert found.dci.disentanglement > 0.95
    assert found.dci.completeness > 0.95
    assert found.dci.informativeness > 0.97
    assert 0 <= found.mig_stderr < 0.02
    assert 0 <= found.sap_stderr < 0.05
    assert found.dci.importance.argmax(axis=0).tolist() == [2, 4, 0, 3]


def test_noise_scores_zero():
    v = factors()
    noise = np.random.default_rng(3).normal(size=(len(v), 5))
    found = scores_of_codes(noise, known(v), trees=20)
    assert found.mig < 0.03
    assert found.sap < 0.05
    assert found.dci.disentanglement < 0.05
    assert found.dci.completeness < 0.05
    assert found.dci.informativeness < 0.05


def test_a_rotation_scores_much_lower_though_nothing_is_lost():
    v = factors()
    mixed = [scores_of_codes(rotated(v, seed), known(v), trees=10) for seed in range(3)]
    assert np.mean([m.mig for m in mixed]) < 0.4
    assert np.mean([m.sap for m in mixed]) < 0.65
    assert np.mean([m.dci.disentanglement for m in mixed]) < 0.6
    assert min(m.dci.informativeness for m in mixed) > 0.6


@pytest.mark.parametrize(
    "z", [permuted(factors(400)), rotated(factors(400))], ids=["pure", "mixed"]
)
def test_permutation_scale_and_shift_change_nothing(z):
    v = factors(400)
    order = np.random.default_rng(0).permutation(z.shape[1])
    scale = np.array([1e-3, 10.0, 1.0, 1e4, 0.5])[: z.shape[1]]
    moved = (z * scale)[:, order] + 1000 * scale[order]
    got, same = summary(moved, v), summary(z, v)
    assert got[:2] == pytest.approx(same[:2], abs=1e-6)
    # A forest breaks ties between latents by their order.
    assert got[2:] == pytest.approx(same[2:], abs=0.03)


def test_continuous_factors():
    rng = np.random.default_rng(0)
    v = rng.uniform(size=(2000, 3))
    found = scores_of_codes(v[:, ::-1] ** 3, Factors.of(v), trees=10)
    assert found.mig > 0.9
    assert 0.8 < found.sap < 0.9  # squared correlation of v and v^3 is 0.84
    assert found.dci.disentanglement > 0.95


def test_two_latents_that_share_a_factor_have_no_gap():
    v = factors(800)
    twice = np.column_stack([v, v[:, 2]])
    assert mutual_information_gap(twice, known(v))[2] == pytest.approx(0, abs=1e-9)
    assert attribute_predictability_gap(twice, known(v))[2] == pytest.approx(0, abs=1e-9)
    assert dci(twice, known(v), trees=5).completeness_of[2] < 1


def test_one_latent_for_two_factors_is_complete_but_not_disentangled():
    v = factors(1500)[:, 2:]
    both = (v[:, 0] + 12 * v[:, 1])[:, None]
    found = dci(both, Factors.of(v), trees=10)
    assert found.disentanglement == pytest.approx(0, abs=1e-9)
    assert found.completeness == 1.0


def test_entropy_and_information_against_closed_forms():
    levels = np.repeat(np.arange(8), 500)
    assert entropy(levels) == pytest.approx(np.log(8) + 7 / 8000)
    # A fair bit read with error rate e: information log 2 - H(e).
    rng = np.random.default_rng(0)
    bit = np.repeat([0.0, 1.0], 20_000)
    read = np.where(rng.random(40_000) < 0.1, 1 - bit, bit)
    known = 1 + (0.1 * np.log(0.1) + 0.9 * np.log(0.9)) / np.log(2)
    assert information(read[:, None], Factors.of(bit))[0, 0] == pytest.approx(known, abs=0.01)


def test_predictability_against_closed_forms():
    rng = np.random.default_rng(0)
    v = rng.normal(size=20_000)
    z = v + 0.5 * rng.normal(size=20_000)
    assert predictability(z[:, None], Factors.of(v))[0, 0] == pytest.approx(0.8, abs=0.01)
    # Two classes at -1 and 1 with unit noise, rare class 10 %: balanced accuracy Phi(1) = 0.841.
    rare = (rng.random(20_000) < 0.1).astype(float)
    z = 2 * rare - 1 + rng.normal(size=20_000)
    found = predictability(z[:, None], Factors.of(rare, categorical=[0]))[0, 0]
    assert found == pytest.approx(2 * 0.8413 - 1, abs=0.03)


def test_bins_hold_equal_shares_and_keep_equal_values_together():
    x = np.random.default_rng(0).normal(size=1000)
    assert np.bincount(binned(x)).tolist() == [50] * 20
    assert (binned(np.exp(x)) == binned(x)).all()
    assert (binned(-x) == 19 - binned(x)).all()
    tied = np.where(x < 0.5, 0.0, x)
    assert len(np.unique(binned(tied)[tied == 0])) == 1
    assert binned(np.array([3.0, 1.0, 3.0])).tolist() == [1, 0, 1]


def test_gap_of_one_latent_is_its_score():
    assert gap(np.array([[0.7, 0.2]])).tolist() == [0.7, 0.2]
    assert gap(np.array([[0.7, 0.2], [0.1, 0.9]])) == pytest.approx([0.6, 0.7])


VALUES = [np.arange(m) for m in LEVELS]


def factor_vae(encode, **more):
    return factor_vae_score(encode, render, VALUES, **{"n_votes": 240, "batch": 32, **more})


def of_images(images):
    return images.reshape(len(images), -1)[:, :4]


def test_factor_vae_of_factors_noise_and_rotation():
    def noise(images):
        return np.random.default_rng(len(images)).normal(size=(len(images), 4))

    turn = ortho_group.rvs(4, random_state=0)
    scale = np.array([m / np.sqrt(12) for m in LEVELS])
    pure = factor_vae(lambda images: permuted(of_images(images))[:, [3, 1, 0, 2, 4]])
    mixed = factor_vae(lambda images: of_images(images) / scale @ turn)
    none = factor_vae(noise)
    assert pure.value == 1.0
    assert pure.stderr == 0.0
    assert none.chance == 0.25
    # Five standard errors of guessing over 120 votes: 1 in a million.
    assert abs(none.value - none.chance) < 5 * np.sqrt(0.25 * 0.75 / 120)
    assert none.value < mixed.value < 0.95


def test_factor_vae_leaves_out_latents_that_say_nothing():
    def encode(images):
        quiet = 1e-9 * np.random.default_rng(len(images)).normal(size=(len(images), 2))
        return np.column_stack([quiet, of_images(images), np.ones(len(images))])

    assert factor_vae(encode).active.tolist() == [True] * 6 + [False]
    found = factor_vae(encode, least_variance=1e-3)
    assert found.active.tolist() == [False, False, True, True, True, True, False]
    assert found.value == 1.0
    assert found.votes[:2].sum() == 0


def test_factor_vae_is_the_seeds():
    turn = ortho_group.rvs(4, random_state=0)

    def encode(images):
        return of_images(images) @ turn

    one, two, other = (factor_vae(encode, seed=s, batch=4) for s in (1, 1, 2))
    assert (one.votes == two.votes).all()
    assert (one.votes != other.votes).any()


def test_front():
    v = factors(600)
    model = Factor(render(v), np.eye(4)[[2, 0, 3, 1]])
    found = disentanglement(
        model,
        render(v),
        Factors.of(v, NAMES, ["shape"]),
        render=Rendering(render, VALUES, n_votes=80),
        trees=5,
    )
    assert found.names == NAMES
    assert found.n == 600
    assert found.mig > 0.95
    assert found.factor_vae.value == 1.0
    body = json.loads(json.dumps(found.to_json()))
    assert body["factor_vae"] == 1.0
    assert body["factors"]["scale"]["mig"] == pytest.approx(found.mig_of[1])
    assert "MIG 0.9" in str(found) or "MIG 1.0" in str(found)
    assert "FactorVAE" in str(found)
    without = disentanglement(model, render(v), v, trees=5)
    assert without.factor_vae is None
    assert without.names[0] == "factor 0"


WRONG = {
    "rows": (lambda: disentanglement(Factor(render(V), np.eye(4)), render(V)[:-1], V), "199 rows"),
    "few": (lambda: Factors.of(V[:20]), "at least 50"),
    "nan": (lambda: Factors.of(np.where(V == 1, np.nan, V)), "finite"),
    "constant": (lambda: Factors.of(np.ones((90, 1)), ["size"]), "'size' has the same value"),
    "names": (lambda: Factors.of(V, ["a"]), "1 names given for 4"),
    "unknown": (lambda: Factors.of(V, NAMES, ["shap"]), "Did you mean 'shape'"),
    "place": (lambda: Factors.of(V, NAMES, [4]), "expected 0 to 3"),
    "codes": (lambda: scores_of_codes(V * np.inf, Factors.of(V)), "finite"),
    "no latents": (lambda: disentanglement(object(), render(V), V), "no latent space"),
    "one value": (lambda: factor_vae_score(of_images, render, [[1], [1, 2]]), "two values"),
    "votes": (lambda: factor_vae(of_images, n_votes=3), "20 votes"),
    "dead": (lambda: factor_vae(lambda x: np.zeros((len(x), 2))), "constant"),
}
V = factors(200)


@pytest.mark.parametrize(("call", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(call, says):
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(InputError, match=says),
    ):
        call()
