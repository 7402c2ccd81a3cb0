"""The weights of rows under a fit, and what a fit keeps when it is saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...artifact import Arrays
from ...errors import InputError
from .resampling import Histograms, normalised

if TYPE_CHECKING:
    from .estimator import DebiasingVAE

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class Weighing:
    """The weights of rows with labels under the settings of a fit.

    Args:
        of: the settings.
        codes: (n,) numbers of the rows' classes.
        shares: (C,) of the draws.
        modelled: the number of the class that is resampled; None for all.
        weights: (n,) the rows' own, or None.

    Attributes:
        unseen: the weights of held-out rows, whose loss is weighted as if they had been drawn.
    """

    unseen: Weighing | None = None

    def __init__(
        self,
        of: DebiasingVAE,
        codes: Indices,
        shares: Floats,
        modelled: int | None,
        weights: Floats | None = None,
    ) -> None:
        self.of, self.codes, self.shares, self.weights = of, codes, shares, weights
        self.resampled = [modelled] if modelled is not None else list(range(len(shares)))

    def histograms(self, means: Floats, variances: Floats) -> dict[int, Histograms]:
        """The histograms of each class that is resampled."""
        found = {}
        for c in self.resampled:
            rows = self.codes == c
            found[c] = Histograms.of(
                means[rows],
                variances[rows],
                bins=self.of.bins,
                smoothing=self.of.smoothing,
                weights=None if self.weights is None else self.weights[rows],
            )
        return found

    def given(self, histograms: Mapping[int, Histograms], means: Floats) -> Floats:
        """(n,) probabilities of rows with means (n, k)."""
        log_w = np.zeros(len(means))
        if self.of.resample:
            for c, histogram in histograms.items():
                rows = self.codes == c
                if rows.any():
                    log_w[rows] = histogram.log_weights(means[rows], self.of.alpha, self.of.combine)
        return normalised(log_w, self.codes, self.shares, self.weights)

    def __call__(
        self, means: Floats, variances: Floats, others: Floats | None
    ) -> tuple[Floats, Floats | None]:
        """(n,) probabilities of the rows of an epoch, and (m,) those of held-out rows."""
        histograms = self.histograms(means, variances)
        unseen = None
        if self.unseen is not None and others is not None:
            unseen = self.unseen.given(histograms, others)
        return self.given(histograms, means), unseen


def weights_of(of: DebiasingVAE, means: Floats, codes: Indices) -> Floats:
    """(n,) weights of other rows under the histograms fitted; classes as they come."""
    shares = np.bincount(codes, minlength=len(of.classes_)) / len(codes)
    return Weighing(of, codes, shares, None).given(of.histograms_, means)


def state_of(of: DebiasingVAE) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The fitted attributes as JSON and arrays."""
    state = {
        "architecture": of.architecture_.to_json(),
        "layout": of.layout_.to_json(),
        "classes": of.classes_.tolist(),
        "classes_dtype": of.classes_.dtype.str,
        "histograms": list(of.histograms_),
        "effective_share": of.effective_share_,
        "batch_size": of.batch_size_,
        "n_steps": of.n_steps_,
        "n_epochs": of.n_epochs_,
    }
    arrays = {f"nets.{k}": v for k, v in of.nets_.arrays().items()}
    for c, h in of.histograms_.items():
        arrays |= {f"{c}.edges": h.edges, f"{c}.counts": h.counts, f"{c}.density": h.density}
    return state, arrays | {"sampling_weights": of.sampling_weights_}


def restore(of: DebiasingVAE, state: Mapping[str, Any], arrays: Arrays) -> None:
    """Set the fitted attributes from what `state_of` gave."""
    from ..autoencoder.layout import Layout
    from ..nets.machine import device_of
    from .backend import TorchDebias
    from .nets import Architecture

    of.architecture_ = Architecture.from_json(state["architecture"])
    of.layout_ = Layout.from_json(state["layout"])
    of.latent_dim_ = of.architecture_.latent
    of.classes_ = np.array(state["classes"], dtype=state["classes_dtype"])
    of.effective_share_ = float(state["effective_share"])
    of.batch_size_ = int(state["batch_size"])
    of.n_steps_, of.n_epochs_ = state["n_steps"], state["n_epochs"]
    of.sampling_weights_ = np.array(arrays["sampling_weights"])
    of.histograms_ = {
        int(c): Histograms(*(np.array(arrays[f"{c}.{k}"]) for k in ("edges", "counts", "density")))
        for c in state["histograms"]
    }
    try:
        device = device_of(of.device)
    except InputError:  # fitted on another machine
        device = device_of(None)
    of.nets_ = TorchDebias(of.architecture_, of.layout_, 0, device)
    of.nets_.load({k.removeprefix("nets."): v for k, v in arrays.items() if k.startswith("nets.")})
