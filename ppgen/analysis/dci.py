"""Disentanglement, completeness and informativeness, by what a learner of each factor reads.

A random forest predicts factor v from all latents; R_jv is the importance of latent j in it (the
share of the impurity that splits on j take away, summing to 1 over j). With H_b the entropy to
base b,

    disentanglement   D = sum_j rho_j (1 - H_f(R_j. / sum_v R_jv)),   rho_j = sum_v R_jv / sum R:
                      1 where each latent serves one factor;
    completeness      C = mean_v (1 - H_k(R_.v)): 1 where each factor is served by one latent;
    informativeness   I = mean_v of how well v is predicted on the half of the rows not learnt from:
                      R^2 for ordered factors, for categorical ones the balanced accuracy moved so
                      that guessing has 0; 1 is best (the paper prints the error).

Reference: A framework for the quantitative evaluation of disentangled representations (Eastwood,
Williams, 2018) https://openreview.net/forum?id=By-7dz-AZ
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, Ints
from .factors import Factors, chance_corrected, explained, halves

TREES = 50


@dataclass(frozen=True, eq=False)
class Dci:
    """Disentanglement, completeness and informativeness, each in [0, 1].

    Attributes:
        completeness_of, informativeness_of: (f,) of each factor.
        disentanglement_of: (k,) of each latent; 0 where a latent is never read.
        importance: (k, f) R.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    disentanglement_of: Floats
    completeness_of: Floats
    informativeness_of: Floats
    importance: Floats


def dci(codes: Floats, factors: Factors, *, trees: int = TREES, seed: int = 0) -> Dci:
    """Disentanglement, completeness and informativeness of codes (n, k).

    Args:
        factors: of the same n rows.
        trees: of each forest.
        seed: of the two halves and the forests.
    """
    learn, score = halves(len(factors), seed)
    # Ranks: forests see order alone, and keep single precision, in which values could collapse.
    ranked = np.column_stack([np.unique(z, return_inverse=True)[1] for z in codes.T])
    importance = np.empty((codes.shape[1], len(factors.names)))
    informed = np.empty(len(factors.names))
    for j in range(len(factors.names)):
        importance[:, j], informed[j] = _forest(ranked, factors, j, learn, score, trees, seed)
    of_latents = 1 - _entropies(importance, base=importance.shape[1])
    of_factors = 1 - _entropies(importance.T, base=importance.shape[0])
    of_latents[importance.sum(axis=1) == 0] = 0.0
    of_factors[importance.sum(axis=0) == 0] = 0.0
    total = float(importance.sum()) or 1.0
    return Dci(
        float(importance.sum(axis=1) @ of_latents / total),
        float(of_factors.mean()),
        float(informed.mean()),
        of_latents,
        of_factors,
        informed,
        importance,
    )


def _forest(
    z: NDArray[np.intp], factors: Factors, j: int, learn: Ints, score: Ints, trees: int, seed: int
) -> tuple[Floats, float]:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    # Every latent is offered at every split: a subset would hand importance to those beside.
    shared = {"n_estimators": trees, "min_samples_leaf": 5, "random_state": seed}
    if factors.categorical[j]:
        levels = factors.levels(j)
        forest = RandomForestClassifier(max_features=None, class_weight="balanced", **shared)
        forest.fit(z[learn], levels[learn])
        right = chance_corrected(forest.predict(z[score]), levels[score])
    else:
        v = factors.values[:, j]
        v = (v - v.mean()) / v.std()
        forest = RandomForestRegressor(max_features=None, **shared)
        forest.fit(z[learn], v[learn])
        right = explained(forest.predict(z[score]), v[score])
    return np.asarray(forest.feature_importances_, np.float64), right


def _entropies(rows: Floats, base: int) -> Floats:
    """(r,) entropies to a base of the rows, each made to sum to 1; 0 where base is 1."""
    if base < 2:
        return np.zeros(len(rows))
    total = rows.sum(axis=1, keepdims=True)
    p = rows / np.where(total > 0, total, 1.0)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    return np.asarray(np.clip(-(p * logs).sum(axis=1) / np.log(base), 0.0, 1.0), np.float64)
