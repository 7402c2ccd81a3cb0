"""How far each latent follows one known factor of variation: four scores together.

| score | asks | best | chance |
|---|---|---|---|
| `mig` | does one latent know a factor, and no other? | 1 | 0 |
| `sap` | does one latent alone predict a factor? | 1 | 0 |
| `dci` | what does a learner of the factors read? | 1 | 0 |
| `factor_vae` | which latent stands still while a factor does? | 1 | 1 / f |

None of them changes when latents are permuted, scaled, shifted or turned around. MIG, SAP and DCI
work on rows with known factors; the FactorVAE score renders its own. The definitions, with what is
done otherwise than in the papers, stand in `mig`, `sap`, `dci` and `factorvae`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Floats
from ..digits import plus_minus
from ..errors import InputError
from .codes import codes_of
from .dci import TREES, Dci, dci
from .factors import BINS, Factors, check_codes
from .factorvae import FactorVaeScore, Rendering, factor_vae_score
from .mig import mutual_information_gap
from .sap import attribute_predictability_gap

_GROUPS = 10


@dataclass(frozen=True, eq=False)
class Disentanglement:
    """Disentanglement scores.

    Attributes:
        names: of the f factors.
        mig, sap: the mean gaps over factors in [0, 1], `mig_of`, `sap_of` (f,) those of each.
        mig_stderr, sap_stderr: standard errors over rows (jackknife of ten groups).
        dci: disentanglement, completeness and informativeness.
        factor_vae: the FactorVAE score, None where nothing could be rendered.
        n: rows scored.
    """

    names: tuple[str, ...]
    mig: float
    mig_stderr: float
    mig_of: Floats
    sap: float
    sap_stderr: float
    sap_of: Floats
    dci: Dci
    factor_vae: FactorVaeScore | None
    n: int

    def to_json(self) -> dict[str, Any]:
        """Numbers, lists and names."""
        by_factor = {
            "mig": self.mig_of,
            "sap": self.sap_of,
            "dci_completeness": self.dci.completeness_of,
            "dci_informativeness": self.dci.informativeness_of,
        }
        body = {name: getattr(self, name) for name in ("mig", "mig_stderr", "sap", "sap_stderr")}
        for name in ("disentanglement", "completeness", "informativeness"):
            body[f"dci_{name}"] = getattr(self.dci, name)
        body["n"] = self.n
        body["factors"] = {
            factor: {name: float(scores[j]) for name, scores in by_factor.items()}
            for j, factor in enumerate(self.names)
        }
        if self.factor_vae is not None:
            body["factor_vae"] = self.factor_vae.value
            body |= {f"factor_vae_{n}": getattr(self.factor_vae, n) for n in ("stderr", "chance")}
        return body

    def __str__(self) -> str:
        dci, votes = self.dci, self.factor_vae
        text = (
            f"MIG {plus_minus(self.mig, self.mig_stderr)}, "
            f"SAP {plus_minus(self.sap, self.sap_stderr)}, DCI {dci.disentanglement:.3f} / "
            f"{dci.completeness:.3f} / {dci.informativeness:.3f}"
        )
        if votes is None:
            return text
        score = plus_minus(votes.value, votes.stderr)
        return f"{text}, FactorVAE {score} (chance {votes.chance:.3f})"


def disentanglement(
    model: Any,
    rows: Any,
    factors: ArrayLike | Factors,
    *,
    y: Any = None,
    render: Callable[[Floats], Any] | Rendering | None = None,
    bins: int = BINS,
    trees: int = TREES,
    seed: int = 0,
) -> Disentanglement:
    """Disentanglement scores of a model's codes.

    Args:
        model: fitted, with `encode`.
        rows: n rows with known factors.
        factors: (n, f) their factors, as numbers; `Factors.of` gives them names, and says which
            have no order.
        y: what the rows are conditioned on, where the fit is conditional.
        render: factors (m, f) -> rows, for the FactorVAE score, or a `Rendering`; None leaves the
            score out.
        bins: the most bins of a latent or factor, for mutual information.
        trees: of each forest.
        seed: of halves, forests and votes.

    Raises:
        InputError: if rows and factors differ in number, a factor never changes, or there are too
            few rows.
    """
    known = factors if isinstance(factors, Factors) else Factors.of(factors)
    codes = check_codes(codes_of(model, rows, y), len(known))
    voted = None
    if render is not None:
        if y is not None and np.size(y) != 1:
            raise InputError("rendered rows need one y for all; give one, or no `render`.")
        how = render if isinstance(render, Rendering) else Rendering(render)
        voted = factor_vae_score(
            lambda made: codes_of(model, made, y),
            how.rows,
            [np.unique(v) for v in known.values.T] if how.values is None else how.values,
            seed=seed,
            n_votes=how.n_votes,
        )
    return scores_of_codes(codes, known, bins=bins, trees=trees, seed=seed, factor_vae=voted)


def scores_of_codes(
    codes: ArrayLike,
    factors: Factors,
    *,
    bins: int = BINS,
    trees: int = TREES,
    seed: int = 0,
    factor_vae: FactorVaeScore | None = None,
) -> Disentanglement:
    """`disentanglement` of codes (n, k) that are at hand."""
    z = check_codes(codes, len(factors))
    mig = partial(mutual_information_gap, bins=bins)
    sap = partial(attribute_predictability_gap, seed=seed)
    mig_of, sap_of = mig(z, factors), sap(z, factors)
    return Disentanglement(
        factors.names,
        float(mig_of.mean()),
        _jackknife(mig, z, factors, seed),
        mig_of,
        float(sap_of.mean()),
        _jackknife(sap, z, factors, seed),
        sap_of,
        dci(z, factors, trees=trees, seed=seed),
        factor_vae,
        len(z),
    )


def _jackknife(
    score: Callable[[Floats, Factors], Floats], codes: Floats, factors: Factors, seed: int
) -> float:
    """Standard error of a mean score by leaving out a tenth of the rows at a time."""
    n = len(factors)
    group = np.random.default_rng([seed, 0x1A]).permutation(np.arange(n) % _GROUPS)
    left = [np.flatnonzero(group != g) for g in range(_GROUPS)]
    scores = np.array([float(score(codes[rows], factors.take(rows)).mean()) for rows in left])
    return float(np.sqrt((_GROUPS - 1) * scores.var()))
