"""What a flow is made of: read by both backends, and kept in saved runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...plain_json import PlainFields


@dataclass(frozen=True)
class Architecture(PlainFields):
    """The layers of a flow.

    Attributes:
        kind: "nsf", "nsf-ar", "maf" or "realnvp".
        features, context: d and k.
        n_transforms: layers.
        hidden: sizes of the hidden layers of each layer's net; FlowJAX wants them to be equal.
        bins, tail_bound: of the splines; outside [-tail_bound, tail_bound] they are the identity.
        lu: whether there is an LU linear map for each layer.
        dropout: share of hidden units dropped while training, on torch.
        whitened: whether the first layer is a whitening that is not trained.
        reach: deviations from which on nets see a value as this one, on torch; None for no limit.
    """

    kind: str
    features: int
    context: int = 0
    n_transforms: int = 3
    hidden: Sequence[int] = (64, 64)
    bins: int = 8
    tail_bound: float = 5.0
    lu: bool = True
    dropout: float = 0.0
    whitened: bool = False
    reach: float | None = None
