"""Prompts as vectors by a pre-trained encoder in a local folder, which nothing is downloaded for.

A prompt is the mean over its words of the last hidden layer, standardised over the prompts that
were fitted. The encoder itself is not trained and not saved with a run: the run keeps the folder's
path and a digest of its configuration and weights, by which another one in its place is noticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import Floats
from ...errors import InputError

_AT_ONCE = 64
_CONFIG = "config.json"


@dataclass(frozen=True)
class LocalEncoder:
    """A pre-trained encoder.

    Attributes:
        folder: of the model, as transformers' `save_pretrained` writes it, in safetensors.
        digest: of its configuration and weights.
        mean, scale: (k,) of the vectors of the prompts fitted.
    """

    folder: str
    digest: str
    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(cls, folder: str, prompts: Sequence[str]) -> LocalEncoder:
        """The encoder, with the mean and the scale of the vectors of these prompts.

        Raises:
            InputError: if transformers is not installed, or the folder holds no model.
        """
        digest, vectors = _digest(folder), _vectors(folder, prompts)
        scale = np.maximum(vectors.std(0), 1e-6)
        return cls(str(folder), digest, tuple(vectors.mean(0).tolist()), tuple(scale.tolist()))

    @property
    def size(self) -> int:
        """How many numbers of words there are: none."""
        return 0

    def read(self, prompts: Sequence[str], *, fitting: bool = False) -> Floats:
        """(n, k) standardised vectors.

        Raises:
            InputError: if the encoder is not there, or is not that of the fit.
        """
        if _digest(self.folder) != self.digest:
            raise InputError(
                f"text_encoder is {self.folder!r}, and what lies there is not the model that the "
                "fit took. Put that one back, or fit again."
            )
        return np.asarray((_vectors(self.folder, prompts) - self.mean) / self.scale)

    def to_json(self) -> dict[str, Any]:
        """What a saved run keeps."""
        return {
            "folder": self.folder,
            "digest": self.digest,
            "mean": list(self.mean),
            "scale": list(self.scale),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> LocalEncoder:
        """What `to_json` gave."""
        return cls(body["folder"], body["digest"], tuple(body["mean"]), tuple(body["scale"]))


def _digest(folder: str) -> str:
    file = Path(folder) / _CONFIG
    if not file.is_file():
        raise InputError(
            f"text_encoder is {str(folder)!r}, and there is no {_CONFIG}; expected the folder of "
            "a model as transformers' save_pretrained writes it."
        )
    found = hashlib.sha256()
    for part in (file, *sorted(Path(folder).glob("*.safetensors"))):
        with part.open("rb") as content:
            found.update(hashlib.file_digest(content, "sha256").digest())
    return found.hexdigest()


def _vectors(folder: str, prompts: Sequence[str]) -> Floats:
    """(n, k) means over words of the last hidden layer."""
    try:
        transformers: Any = import_module("transformers")
    except ImportError:
        raise InputError(
            "text_encoder needs the package transformers, which is not installed. Install it: pip "
            "install transformers; or leave text_encoder out, and a small encoder is trained with "
            "the model."
        ) from None
    distinct, place = np.unique(np.asarray(prompts, dtype=object), return_inverse=True)
    import torch

    from ...inference.torch_state import seeded

    found = []
    with seeded(0), torch.no_grad():
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = transformers.AutoModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True
        )
        model.eval()
        for start in range(0, len(distinct), _AT_ONCE):
            some = [str(prompt) for prompt in distinct[start : start + _AT_ONCE]]
            tokens = tokenizer(some, padding=True, truncation=True, return_tensors="pt")
            hidden = model(**tokens).last_hidden_state.double()
            there = tokens["attention_mask"][:, :, None].double()
            found.append(((hidden * there).sum(1) / there.sum(1).clamp(min=1)).numpy())
    return np.asarray(np.concatenate(found)[place.reshape(-1)])
