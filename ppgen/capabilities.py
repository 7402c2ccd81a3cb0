"""What a family can do, declared in one place.

The study, the command line, the documentation's table and the contract tests read these fields;
nothing finds out by trying.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .density import Kind
from .settings import Settings

REACH = 1e10  # deviations that nets in single precision bear
TRAINED = ("validation", "budget", "checkpoint_dir")  # what nets use of what `fit` takes


@dataclass(frozen=True)
class Capabilities:
    """What a family models and answers.

    Attributes:
        density: how its log density is known, or None where it has none.
        method: how it is computed, in words.
        scoring, imputing, sampling: the options of `log_density`, of `impute` and of `sample`.
        discrete: "native" where discrete columns are modelled as such, "dequantised" where they are
            filled with noise.
        scaling: "standard" where columns are standardised before the model sees them, "none" where
            it wants data units.
        missing: whether gaps are modelled (marginalised), in fitting and in scoring.
        weights: whether `sample_weight` is used.
        conditional: whether `fit(X, y)` models p(X | y); elsewhere `y` is ignored, as in
            scikit-learn's densities.
        conditions: whether `condition`, `impute` and `sample(given=...)` answer p(rest | some
            columns).
        holds: whether `sample(given=...)` and `condition` draw rows with some columns held fixed
            though their conditionals are no models of the same kind.
        told: whether a setting `condition_on` names columns that the model is told and does not
            make, which `sample(given=...)` then holds.
        imputes: whether `impute` fills gaps though `conditions` is not answered.
        samples: whether `sample` gives rows like those fitted; by default what has a density does.
        remedy: what makes it more flexible, for advice.
        objective: what `validation` in the trace is, in words, where it has not the loss's unit.
        supervised: whether `fit` needs labels y.
        translates: whether `fit(X, y)` takes rows of two domains, which `translate` and
            `translate_back` bring to each other.
        paired: whether the rows of two domains belong together one by one.
        distribution: whether `as_distribution` gives the density as a distribution of Pyro and
            NumPyro: "differentiable", or "values" where its log density has no gradient; None where
            there is none.
        draws: whether a posterior over parameters can be drawn.
        decodes: whether `decode` makes rows of codes, (n, k) numbers; what has latents does. Where
            rows have no codes, `sample_latents` draws them.
        latents: whether rows have latent variables to look at.
        prior: whether latents have a prior and rows a posterior of them: `sample_latents` and
            `sample_posterior` draw from these.
        bounds: whether `bound` gives the parts of a variational bound on log p(x).
        errors: whether `reconstruction_error` says how far each row is from its reconstruction.
        predicts: what `predict` says of each row: its "class" or "component", of which
            `predict_proba` has the probabilities, or "inlier", 1 or -1; None where there is none.
        surprises: whether `surprises` says of each value how unlikely it is given those that its
            column depends on.
        graph: whether a fit has a directed graph of its columns (`dag_`, `edges_`).
        tables: whether tables are modelled.
        sheets: whether a fit keeps rows as they were made at some points of its training
            (`sheets`).
        denoises: whether it makes rows out of noise by steps that can be looked at
            (`forward_film`, `reverse_film`, `by_steps`, `sampling_quality`).
        images: whether images are modelled as such.
        sequences: whether sequences of one length are modelled as such.
        engines: names of the inference engines, the default first.
        backends: where the model is written as a pair, the default first.
        uses: which of `validation`, `budget` and `checkpoint_dir` play a part in `fit`.
        reach: |encoded value| up to which its arithmetic holds; a row beyond has density 0.
        min_rows: the fewest rows that can be fitted.
    """

    density: Kind | None
    method: str = "closed form"
    scoring: Settings = field(default_factory=Settings)
    imputing: Settings = field(default_factory=Settings)
    sampling: Settings = field(default_factory=Settings)
    discrete: Literal["native", "dequantised"] = "dequantised"
    scaling: Literal["standard", "none"] = "standard"
    missing: bool = False
    weights: bool = True
    conditional: bool = False
    conditions: bool = False
    holds: bool = False
    told: bool = False
    imputes: bool = False
    samples: bool | None = None
    remedy: str = "more components, a flow, more training"
    objective: str = ""
    supervised: bool = False
    translates: bool = False
    paired: bool = False
    distribution: Literal["differentiable", "values"] | None = None
    draws: bool = False
    decodes: bool | None = None
    latents: bool = False
    prior: bool = False
    bounds: bool = False
    errors: bool = False
    predicts: Literal["class", "component", "inlier"] | None = None
    surprises: bool = False
    graph: bool = False
    sheets: bool = False
    denoises: bool = False
    tables: bool = True
    images: bool = False
    sequences: bool = False
    engines: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    reach: float = 1e140
    min_rows: int = 2

    def __post_init__(self) -> None:
        if self.samples is None:
            object.__setattr__(self, "samples", self.density is not None)
        if self.decodes is None:
            object.__setattr__(self, "decodes", self.latents)

    @property
    def unit(self) -> str:
        """The unit of `validation` in the trace."""
        return self.objective or ("minus the loss" if self.density is None else "nats a row")

    @property
    def options(self) -> dict[str, Settings]:
        """The options that methods take, by the method's name."""
        return {
            "log_density": self.scoring,
            "impute": self.imputing,
            "sample": self.sampling,
        }

    @property
    def fills_gaps(self) -> bool:
        """Whether there is an `impute`."""
        return self.conditions or self.imputes
