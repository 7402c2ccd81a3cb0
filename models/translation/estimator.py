"""`PairedTranslation` and `CycleGAN`: the classes users meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...arrays import Array, Floats
from ...artifact import Arrays
from ...capabilities import TRAINED, Capabilities
from ...coded import Coded, made_rows
from ...data import AnyCodec, Dataset, Encoded, RecordingCodec
from ...errors import InputError
from ...fitting import Fit
from ...rows import Rows
from ...translator import Side, Translator
from ...verdict import Reason
from ..nets.sheeted import Sheeted
from ..nets.sheets import Sheets
from ..nets.trainer import Trained
from .settings import SETTINGS, PairedSettings, UnpairedSettings

if TYPE_CHECKING:
    from .trained import TorchTranslation


class _Translation(Trained, Sheeted, Translator):
    """What both kinds of translation do alike.

    Attributes:
        nets_: the trained nets.
    """

    nets_: TorchTranslation
    rate: int
    shown: ClassVar[str] = (
        "Held-out pictures and what they were translated to, at some evaluations."
    )

    @property
    def _both(self) -> bool:
        """Whether there is a way back."""
        return True

    def _fit_codec(self, data: Dataset, weights: Floats | None) -> AnyCodec:
        if data.schema.sequence:
            return RecordingCodec.fit(data, self.rate)
        return super()._fit_codec(data, weights)

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        from .fitting import fit_translation

        fitted = fit_translation(
            self._chosen(),
            (self.codec_, self.target_.codec_),
            rows,
            fit,
            self._machine(),
            paired=self.capabilities.paired,
        )
        self.nets_ = fitted.nets
        self.sheets_ = fitted.sheets
        self._keep(fitted.training)
        return fitted.reasons

    def _sheet(self, name: str, rows: Array) -> Dataset:
        import torch

        from .trained import MADE, PAIR

        there = name in (MADE, PAIR)
        side: Coded = self.target_ if there else self
        empty = Encoded(rows[:, :0], np.empty((len(rows), 0), np.int32), np.zeros(len(rows)))
        encoded = self.nets_.domains[int(there)].decode(torch.from_numpy(rows), empty)
        return made_rows(side, side._decoded(encoded))

    def _translated(self, rows: Encoded, *, back: bool) -> Encoded:
        source, target = self.nets_.domains[:: -1 if back else 1]
        made = self.nets_.translated(source.encode(rows), back=back)
        return target.decode(made, rows)

    def _state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        nets = self.nets_
        state = {
            "target": self.target_.to_json(),
            "domains": [domain.to_json() for domain in nets.domains],
            "architecture": nets.architecture.to_json(),
            **self._training_state(),
        }
        arrays = {f"nets.{name}": value for name, value in nets.arrays().items()}
        return state, arrays | self.sheets_.arrays()

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        from .kinds import domain_from_json
        from .nets import Architecture
        from .trained import SHOWN, TorchTranslation

        side = Side.from_json(state["target"], type(self).__name__, self.capabilities)
        self.target_ = side
        codecs = self.codec_, side.codec_
        self.nets_ = TorchTranslation(
            Architecture.from_json(state["architecture"]),
            tuple(map(domain_from_json, state["domains"], codecs)),
            pairs=self.capabilities.paired,
            both=self._both,
            device=self._device(),
        )
        self.nets_.load(
            {k.removeprefix("nets."): v for k, v in arrays.items() if k.startswith("nets.")}
        )
        kept = Sheets.of(arrays)  # by name, in no order
        rows = {name: kept.rows[name] for name in SHOWN if name in kept.rows}
        self.sheets_ = Sheets(kept.steps, rows)
        self._restore_training(state)


class PairedTranslation(PairedSettings, _Translation):
    """Pictures or recordings of one kind to those of another, learnt from pairs (pix2pix).

    A U-Net translates; a discriminator sees pairs, patch by patch; and the absolute error against
    the pair is lowered. Channels may differ between the domains, such as grey edges and colour
    photographs. A tenth of the pairs is held out, unless `fit` is given `validation=(X, y)`: by
    their absolute error the best weights are kept and the training is stopped. Each domain is
    standardised by its own statistics. Recordings are translated as log-mel spectrograms (see
    `ppgen.data.spectrogram`), and come out as long as they went in.

    Attributes:
        target_: the second domain: its schema, codec and container.
        batch_size_, n_steps_, n_epochs_: of the training.
    """

    name: ClassVar[str] = "pix2pix"
    settings = SETTINGS["pix2pix"]
    capabilities: ClassVar[Capabilities] = Capabilities(
        density=None,
        translates=True,
        paired=True,
        weights=False,
        tables=False,
        images=True,
        sequences=True,
        sheets=True,
        engines=("adversarial",),
        uses=TRAINED,
        min_rows=4,
    )

    @property
    def _both(self) -> bool:
        return self.both_ways

    def _translated(self, rows: Encoded, *, back: bool) -> Encoded:
        if back and not self.both_ways:
            raise InputError(
                "the fit is of one way; for translate_back fit PairedTranslation(both_ways=True), "
                "or fit(y, X) and translate."
            )
        return super()._translated(rows, back=back)


class CycleGAN(UnpairedSettings, _Translation):
    """Pictures or recordings of one kind to those of another and back, learnt without pairs.

    Two generators translate, one each way; two discriminators say which pictures are of their
    domain, patch by patch; and what goes there and back is to be what it was. An epoch is the rows
    of the longer domain. A tenth of each domain is held out, unless `fit` is given
    `validation=(X, y)`: the weights are kept under which translations of held-out rows are
    distributed most like held-out rows of the other domain, and come back best. Each domain is
    standardised by its own statistics. Recordings are translated as log-mel spectrograms (see
    `ppgen.data.spectrogram`), and come out as long as they went in.

    Attributes:
        target_: the second domain: its schema, codec and container.
        batch_size_, n_steps_, n_epochs_: of the training.
    """

    name: ClassVar[str] = "cyclegan"
    settings = SETTINGS["cyclegan"]
    capabilities: ClassVar[Capabilities] = Capabilities(
        density=None,
        translates=True,
        weights=False,
        tables=False,
        images=True,
        sequences=True,
        sheets=True,
        engines=("adversarial",),
        uses=TRAINED,
        min_rows=4,
    )
