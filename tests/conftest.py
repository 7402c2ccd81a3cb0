"""What every test runs under: few threads, no display, and a guard against leaked global state."""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

# Before torch, jax or BLAS are loaded: workers that each take every core are slower together.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# Programs run once or twice here, on few rows: most of their time is XLA's optimisation.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
# A program that XLA compiled once is compiled again by no fit, worker or subprocess of this run.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _compiled = tempfile.TemporaryDirectory(prefix="ppgen-compiled-", ignore_cleanup_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _compiled.name
    os.environ["JAX_COMPILATION_CACHE_MAX_SIZE"] = str(2**31)  # with a limit, files are locked
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"

import pytest
import sklearn.cluster  # noqa: F401 (its import draws from `random`, which is not a leak of ours)
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

if "PYTEST_XDIST_WORKER" in os.environ:
    threadpool_limits(1)  # NumPy's BLAS, which plugins of pytest load before the lines above

# The same examples on every run and machine, and no timing: a slow machine is no fault.
settings.register_profile(
    "ppgen",
    deadline=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ppgen")


# What a module that is loaded in the middle of a test should have set.
_DEFAULTS = {
    "torch.dtype": "torch.float32",
    "torch.grad": True,
    "torch.deterministic": False,
    "torch.validation": True,
    "jax.x64": False,
    "jax.debug_nans": False,
    "pyro.params": (),
    "pyro.stack": 0,
    "numpyro.stack": 0,
    "numpyro.validation": True,
}
# What pytest sets, and the imports of jax, of lightning_fabric and of polars.
_NOT_OURS = (
    "PYTEST_CURRENT_TEST",
    "TF_CPP_MIN_LOG_LEVEL",
    "TPU_SKIP_MDS_QUERY",
    "PYTORCH_NVML_BASED_CUDA_CHECK",
    "_RJEM_MALLOC_CONF",
)
_Key = pytest.StashKey[dict[str, Any]]()


def _global_state() -> dict[str, Any]:
    """Whatever a library call must leave as it found it, of the modules loaded so far."""
    state: dict[str, Any] = {
        "random": random.getstate(),
        **{f"environment: {k}": v for k, v in os.environ.items() if k not in _NOT_OURS},
        "working folder": os.getcwd(),
        "signal handlers": [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)],
    }
    modules = sys.modules
    if "numpy" in modules:
        numpy = modules["numpy"]
        kind, keys, *rest = numpy.random.get_state()
        state["numpy.random"] = (kind, keys.tobytes(), *rest)
        state["numpy.errstate"] = tuple(sorted(numpy.geterr().items()))
    if "torch" in modules:
        torch = modules["torch"]
        state["torch.random"] = torch.get_rng_state().numpy().tobytes()
        state["torch.dtype"] = str(torch.get_default_dtype())
        state["torch.grad"] = torch.is_grad_enabled()
        state["torch.deterministic"] = torch.are_deterministic_algorithms_enabled()
        state["torch.threads"] = torch.get_num_threads()
        state["torch.validation"] = torch.distributions.Distribution._validate_args
    if "jax" in modules:
        jax = modules["jax"]
        state["jax.x64"] = jax.config.jax_enable_x64
        state["jax.debug_nans"] = jax.config.jax_debug_nans
    if "pyro.infer" in modules:
        pyro = modules["pyro"]
        state["pyro.params"] = tuple(sorted(pyro.get_param_store().keys()))
        state["pyro.settings"] = pyro.settings.get()
        state["pyro.stack"] = len(pyro.poutine.runtime._PYRO_STACK)
    if "numpyro.infer" in modules:
        numpyro = modules["numpyro"]
        state["numpyro.validation"] = numpyro.distributions.Distribution._validate_args
        state["numpyro.stack"] = len(numpyro.primitives._PYRO_STACK)
    if "matplotlib" in modules:
        state["matplotlib.rc"] = repr(sorted(modules["matplotlib"].rcParams.items()))
    return state


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Keep the global state from before any fixture of a test, a module's own included.

    Each starts from the same random states, whatever ran before it in this process.
    """
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
    item.stash[_Key] = _global_state()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that leaves a filter of warnings, unless it loads a library, which may."""
    filters, loaded = list(warnings.filters), set(sys.modules)
    yield
    threaded = item.get_closest_marker("threads") is not None  # of which each keeps filters
    if set(sys.modules) == loaded and not threaded:
        assert list(warnings.filters) == filters, "filters of warnings were changed"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Fail any test after which a random state, a default or a global store is another."""
    yield
    state = item.stash[_Key]
    before, after = _DEFAULTS | state, _global_state()
    if "jax.x64" in after and "jax.x64" not in state:
        after.pop("numpy.random", None)  # importing jax draws from it
    leaked = [name for name in after if name in before and after[name] != before[name]]
    leaked += [name for name in {*after} ^ {*state} if name.startswith("environment")]
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None and pyplot.get_fignums():
        pyplot.close("all")
        leaked.append("open pyplot figures")
    assert not leaked, f"global state was changed: {', '.join(leaked)}"
