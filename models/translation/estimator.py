"""`PairedTranslation` and `CycleGAN`: the classes users meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...arrays import Array, Floats
from ...artifact import Arrays
from ...capabilities import TRAINED, Capabilities
from ...data import AnyCodec, Dataset, Encoded, RecordingCodec, as_dataset
from ...errors import InputError
from ...fitting import Fit
from ...rows import Rows
from ...translator import Side, Translator
from ...verdict import Reason
from ..nets.sheeted import Sheeted
from ..nets.sheets import Sheets
from ..nets.trained import Trained
from .settings import SETTINGS, PairedSettings, UnpairedSettings

if TYPE_CHECKING:
    from .trained import TorchTranslation


_TRANSLATES = Capabilities(
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


class _Translation(Trained, Sheeted, Translator):
    """What both kinds of translation do alike.

    Attributes:
        nets_: the trained nets.
    """

    nets_: TorchTranslation
    rate: int
    shown = "Held-out rows, their translations by the averaged weights, and the way back or pairs."

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

    def _architecture(self) -> Any:
        return self.nets_.architecture

    def _sheet(self, name: str, rows: Array) -> Dataset:
        return as_dataset(self._looked_at(name, rows))

    def _looked_at(self, name: str, rows: Array) -> Floats:
        import torch

        from .trained import OWN

        _, _, target = name.partition(" to ")
        domain = self.nets_.domains[OWN.index(target or name[0])]
        return domain.shown(torch.from_numpy(np.asarray(rows)))

    def strips(self) -> dict[str, Floats]:
        """Rows of a domain, their translations at each step, and at the end the way back, or the
        pairs that were wanted."""
        from .trained import AGAIN, MADE, OWN

        kept, strips = self.sheets_, {}
        for own, made, again in zip(OWN, MADE, AGAIN, strict=True):
            if made not in kept.rows:
                continue
            strips[own] = self._looked_at(own, kept.rows[own][-1])
            for step, rows in kept:
                strips[f"{made}, step {step}"] = self._looked_at(made, rows[made])
            if again in kept.rows:
                strips[again] = self._looked_at(again, kept.rows[again][-1])
            if self.capabilities.paired:
                pair = OWN[1 - OWN.index(own)]
                strips[f"wanted of {own}"] = self._looked_at(pair, kept.rows[pair][-1])
        most = max((images.shape[1] for images in strips.values()), default=1)
        return {name: np.repeat(x, most // x.shape[1], 1) for name, x in strips.items()}

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
        from .trained import TorchTranslation

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
        self.sheets_ = Sheets.of(arrays)
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
    capabilities: ClassVar[Capabilities] = replace(
        _TRANSLATES, paired=True, objective="minus the held-out error"
    )

    @property
    def _both(self) -> bool:
        return self.both_ways

    def _translated(self, rows: Encoded, *, back: bool) -> Encoded:
        if back and not self.both_ways:
            raise InputError(
                "the fit is of one way; for translate_back fit with both_ways=True, or fit(y, X) "
                "and translate."
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
    capabilities: ClassVar[Capabilities] = replace(
        _TRANSLATES, objective="held-out score (training rows: 0)"
    )
