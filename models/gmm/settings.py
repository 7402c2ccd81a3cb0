"""The settings of a mixture, and of the engines that draw from the posterior of its parameters."""

from __future__ import annotations

from typing import Any

from ...errors import InputError
from ...settings import Setting, Settings, array, choice, flag, integer, mapping, number, seed
from .parameters import COVARIANCE_TYPES

ENGINES = ("em", "svi", "nuts")
BACKENDS = ("numpyro", "pyro")
CONCENTRATIONS = ("alpha", "beta", "eta")

_PRIOR = (
    Setting("alpha", number(above=0), 1.0, "concentration of the weights."),
    Setting("beta", number(above=0), 1.0, "concentration of the tables."),
    Setting("eta", number(above=0), 1.0, "concentration of the correlations, 1 for uniform."),
)
ENGINE_SETTINGS = {
    "svi": Settings(
        *_PRIOR,
        Setting("num_steps", integer(1), 1000, "steps."),
        Setting("batch_size", integer(1), 256, "rows a step."),
        Setting("learning_rate", number(above=0), 0.02, "the highest."),
        Setting("num_draws", integer(1), 500, "draws from the guide that was fitted."),
    ),
    "nuts": Settings(
        *_PRIOR,
        Setting("num_warmup", integer(1), 500, "draws a chain to adapt with."),
        Setting("num_samples", integer(1), 500, "draws a chain to keep."),
        Setting("num_chains", integer(1), 4, "chains."),
        Setting("target_accept", number(above=0, below=1), 0.8, "share of proposals to accept."),
        Setting("max_tree_depth", integer(1), 10, "doublings of a path at most."),
        Setting(
            "chain_method",
            choice("sequential", "vectorized"),
            "sequential",
            "one chain after the other within a block of draws, or all at once.",
        ),
    ),
}


def check(given: Any) -> None:
    """Raise InputError if settings do not go together."""
    if given.engine == "nuts" and given.backend != "numpyro":
        raise InputError("engine 'nuts' runs on NumPyro; give backend='numpyro', or engine='svi'.")
    if given.engine == "em":
        if given.engine_settings:
            raise InputError(
                'engine_settings are given, and engine="em" has none. Leave engine_settings out, '
                'or take engine="svi" or "nuts".'
            )
        return
    engine = ENGINE_SETTINGS[given.engine]
    engine.check_names(f"engine {given.engine!r}", given.engine_settings or {})
    engine.check(given.engine_settings or {})


TOL = Setting(
    "tol", number(least=0), 1e-4, "gain of the mean log density a row, in nats, that ends EM."
)
REG_COVAR = Setting(
    "reg_covar",
    number(least=0),
    1e-6,
    "correlations within a component are multiplied by 1 - reg_covar^2, and its variances are at "
    "least reg_covar times the square of the narrowest interval that holds a hundredth of a "
    "column's values: both matter only where a covariance is singular.",
)
MAX_ITER = Setting("max_iter", integer(1), 200, "most iterations of EM.")
_START = "of a start of your own"
_UNITS = "in the units of the data (of the logarithm of positive columns)."

SETTINGS = {
    "gmm": Settings(
        Setting(
            "n_components",
            integer(1) | choice("bic", "icl"),
            "bic",
            'components; "bic" and "icl" choose how many.',
        ),
        Setting("covariance_type", choice(*COVARIANCE_TYPES), "full", "of each component."),
        TOL,
        REG_COVAR,
        MAX_ITER,
        Setting("n_init", integer(1), 4, "starts that are tried."),
        Setting(
            "init_params",
            choice("k-means++", "random"),
            "k-means++",
            "the rows that starts are made of; k-means++ is refined by k-means.",
        ),
        Setting("weights_init", array, None, f"(k,) {_START}."),
        Setting("means_init", array, None, f"(k, d) {_START}, {_UNITS}"),
        Setting("precisions_init", array, None, f"{_START}, in scikit-learn's shapes, {_UNITS}"),
        Setting("warm_start", flag, False, "whether a second `fit` starts where the first ended."),
        Setting(
            "max_components",
            integer(1),
            None,
            "most components that are tried; None goes on as far as the criterion gains.",
        ),
        Setting(
            "split_merge", flag, True, "whether components are split and merged after a start."
        ),
        Setting(
            "categorical_prior",
            number(least=0),
            1.0,
            "pseudo-rows a component, spread evenly over the levels of each table.",
        ),
        Setting(
            "engine", choice(*ENGINES), "em", '"svi" and "nuts" fit a posterior of the parameters.'
        ),
        Setting("backend", choice(*BACKENDS), "numpyro", 'of engine "svi".'),
        Setting(
            "engine_settings",
            mapping,
            None,
            'of the engine and its prior, such as {"num_samples": 1000}; see `docs/settings.md`.',
            ENGINE_SETTINGS,
        ),
        Setting("random_state", seed, None, "seed."),
        together=check,
    )
}
