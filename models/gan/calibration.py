"""The margins of a trained generator of tables, brought to those of the rows.

A number made, s, becomes Phi^-1(F_G(s)) with F_G its own distribution over many generated rows, so
that it is normal, as the scores of the rows are (see `margins`); a level's logit is shifted until
its mean probability is the share of the rows that have it (see `table_nets`). Both maps are
monotone and of one column each: what the columns have to do with each other stays as it was
learnt.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ...arrays import Floats
from ..nets.batches import blockwise
from ..nets.held_out import Subset
from ..nets.margins import Margins
from ..nets.table_view import TableView
from ..nets.tables import features
from .nets import Generator
from .trained import TrainedGAN

ROWS = 10_000  # generated to look at


def calibrated(nets: TrainedGAN, view: TableView, seen: Subset, seed: int) -> TableView:
    """The view by which a trained generator has the margins of the rows trained on; its levels are
    shifted."""
    generator, values = nets.generator, view.values
    assert isinstance(generator, Generator)
    rng = np.random.default_rng([seed, 0xCA])
    z = nets.noise(ROWS, seed)
    x, context = seen.values()
    p = None if seen.shares is None else seen.shares / len(seen)
    c = None if context is None else context[rng.choice(len(seen), size=ROWS, p=p)]

    def single(part: Floats) -> Tensor:
        return torch.as_tensor(part, dtype=torch.float32, device=nets.device)

    def made(at: slice) -> Tensor:
        return generator.outputs(single(z[at]), None if c is None else single(c[at]))

    outputs = blockwise(made, ROWS)
    if generator.levels is not None:
        shares = np.average(features(values, x), axis=0, weights=seen.shares)
        generator.levels.calibrate(torch.from_numpy(outputs), torch.from_numpy(shares))
    if not view.ranked:
        return view
    return replace(view, drawn=Margins.fit(outputs[:, : values.numbers]))
