"""Stochastic variational inference in Pyro: a learner for `gradient.train` whose loss is the ELBO
of a (model, guide) pair.

For rows x_1 ... x_N, latents z and a batch B, the loss a step takes is, in nats a row,

    L(theta, phi) = -1/N E_q [ log p_theta(x_B, z) - log q_phi(z) ],

the terms of B's rows weighted by N / |B|.

The learner calls `model(*batch, n_total=N)` and `guide(*batch, n_total=N)`, where `batch` is the
same rows of each array in `data` (None stays None). The weight N / |B| is the model's plate:
`pyro.plate("rows", n_total, subsample=rows)` with any `rows` of length |B|. A flow is the pair
whose guide is empty.

Parameters belong to the learner: Pyro's global store, the validation flag, the random state and the
default dtype are left as they were.

Reference: Hoffman, Blei, Wang and Paisley, "Stochastic variational inference", 2013,
https://jmlr.org/papers/v14/hoffman13a.html.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pyro
import torch
from pyro.infer import Trace_ELBO

from .learner import Array, Data, Feed, HeldOut, as_feed
from .torch_learner import Optimiser, TorchLearner
from .torch_state import as_found, seeded


class PyroLearner(TorchLearner):
    """Gradient steps on the ELBO of a pair in Pyro.

    What is trained: `pyro.param` sites, and the parameters of model and guide where they are
    modules or `functools.partial` of a function and modules.

    Args:
        model, guide: called with a batch of `data` and `n_total`.
        data: tensors (n, ...) with the same rows, or None in their place; or a `Feed`.
        held: what `evaluate` scores; its `log_density` takes a block of rows.
        elbo: an ELBO of `pyro.infer`; `TraceEnum_ELBO` sums out enumerated sites.
        optimiser: as for `TorchLearner`.
        redraw: gives the data anew for an epoch, or None to keep them.
        seed: of the guide's draws and of any randomness in the pair.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        guide: Callable[..., Any],
        data: Data | Feed,
        *,
        held: HeldOut | None = None,
        elbo: Any = None,
        optimiser: Optimiser | None = None,
        redraw: Callable[[int], Data | None] | None = None,
        seed: int = 0,
    ) -> None:
        feed = as_feed(data)
        self.model, self.guide, self.data, self.held = model, guide, feed.data, held
        self.n_total, self.take, self.renew = feed.n_total, feed.take, redraw
        self.elbo = Trace_ELBO() if elbo is None else elbo
        self._store: Any = {"params": {}, "constraints": {}}
        with seeded(seed), self._own_store(), torch.no_grad():
            # One pass makes what is made lazily: autoguides, `pyro.param` sites.
            self.elbo.loss(
                model, guide, *feed.take(feed.data, slice(feed.first)), n_total=self.n_total
            )
        modules = _modules(model, guide)
        named: dict[int, tuple[str, torch.Tensor]] = {}
        for i, module in enumerate(modules):
            for name, p in module.named_parameters():
                named.setdefault(id(p), (f"module.{i}.{name}", p))
        for name, p in self._store["params"].items():
            named.setdefault(id(p), (f"param.{name}", p))
        super().__init__(
            dict(named.values()),
            self._loss,
            modules=modules,
            log_density=None if held is None else self._densities,
            optimiser=optimiser,
            seed=seed,
        )

    @contextlib.contextmanager
    def _own_store(self) -> Iterator[None]:
        """Within it, Pyro has the learner's parameters and validates nothing."""
        with (
            as_found(),
            pyro.get_param_store().scope(self._store),
            pyro.validation_enabled(False),
            warnings.catch_warnings(),
        ):
            warnings.filterwarnings("ignore", "Encountered NaN")  # `train` sees it in the loss
            yield

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        with self._own_store(), super().inside():
            yield

    def _loss(self, rows: torch.Tensor, step: int) -> torch.Tensor:
        batch = self.take(self.data, rows)
        bound = self.elbo.differentiable_loss(self.model, self.guide, *batch, n_total=self.n_total)
        return bound / self.n_total  # type: ignore[no-any-return]

    def begin_epoch(self, epoch: int) -> None:
        data = None if self.renew is None else self.renew(epoch)
        if data is not None:
            self.data = data

    def _densities(self) -> Array:
        assert self.held is not None
        return np.concatenate(
            [self.held.log_density(*rows).cpu().numpy() for _, rows in self.held.blocks()]
        )

    def params(self) -> dict[str, Array]:
        """Averaged values of the `pyro.param` sites, as the model sees them."""
        with self.averaged(), self.inside(), torch.no_grad():
            return {k: v.detach().cpu().numpy().copy() for k, v in pyro.get_param_store().items()}


def _modules(*functions: Callable[..., Any]) -> list[torch.nn.Module]:
    """The modules among functions and what partial ones were given, each once."""
    parts: list[Any] = [*functions]
    for part in parts:  # which grows
        if isinstance(part, partial):
            parts += [part.func, *part.args, *part.keywords.values()]
    return list(dict.fromkeys(p for p in parts if isinstance(p, torch.nn.Module)))
