"""Separated attribute predictability: whether each factor is predicted by one latent alone.

With S_jv how well latent j alone predicts factor v, and j1, j2 the latents that do it best,

    SAP = mean over v of ( S_j1v - S_j2v ).

For an ordered factor S is the squared correlation. For a categorical one it is the balanced
accuracy, on the half of the rows not learnt from, of thresholds on the latent (as many pieces as
levels, each called by one level), moved so that guessing has 0 and no error 1, as the squared
correlation has; the paper's plain accuracy would tie the score of a perfect latent to the number of
levels.

Reference: Variational inference of disentangled latent concepts from unlabeled observations (Kumar,
Sattigeri, Balakrishnan, 2018) https://arxiv.org/abs/1711.00848
"""

from __future__ import annotations

import numpy as np

from ..arrays import Floats, Ints
from .factors import Factors, chance_corrected, gap, halves


def attribute_predictability_gap(codes: Floats, factors: Factors, seed: int = 0) -> Floats:
    """(f,) the gap of each factor in [0, 1]; their mean is the SAP.

    Args:
        codes: (n, k).
        factors: of the same n rows.
        seed: of the two halves for categorical factors.
    """
    return gap(predictability(codes, factors, seed))


def predictability(codes: Floats, factors: Factors, seed: int = 0) -> Floats:
    """(k, f) how well each latent alone predicts each factor, in [0, 1]."""
    scores = np.empty((codes.shape[1], len(factors.names)))
    learn, score = halves(len(factors), seed)
    for j, unordered in enumerate(factors.categorical):
        for i, latent in enumerate(codes.T):
            if unordered:
                scores[i, j] = _thresholds(latent, factors.levels(j), learn, score)
            else:
                scores[i, j] = _squared_correlation(latent, factors.values[:, j])
    return scores


def _squared_correlation(x: Floats, v: Floats) -> float:
    x, v = x - x.mean(), v - v.mean()
    both = float(x @ x) * float(v @ v)
    return min(1.0, float(x @ v) ** 2 / both) if both > 0 else 0.0


def _thresholds(x: Floats, levels: Ints, learn: Ints, score: Ints) -> float:
    from sklearn.tree import DecisionTreeClassifier

    pieces = max(2, len(np.unique(levels[learn])))
    tree = DecisionTreeClassifier(max_leaf_nodes=pieces, class_weight="balanced", random_state=0)
    # Ranks: the tree keeps single precision, in which a shifted latent would lose its values.
    ranks = np.unique(x, return_inverse=True)[1].astype(np.float64)[:, None]
    tree.fit(ranks[learn], levels[learn])
    return chance_corrected(tree.predict(ranks[score]), levels[score])
