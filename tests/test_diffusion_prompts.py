"""Prompts: how they are read, encoded, kept and refused, and what they do to samples."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import ppgen
from ppgen.errors import InputError
from ppgen.models.diffusion.prompts import Prompts, texts
from ppgen.models.diffusion.text_encoder import TextEncoder
from ppgen.models.diffusion.vocabulary import Vocabulary, parts

from .bars import bars, side

SAID = ["A dim bar, left", "a bar left", "a bar right", "a bright bar right"]


@pytest.fixture(autouse=True)
def _torch_as_it_was() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def test_a_prompt_is_its_words_and_marks_in_small_letters() -> None:
    assert parts("A dim bar, left!") == ["a", "dim", "bar", ",", "left", "!"]
    assert parts(" Über 7 ") == ["über", "7"]
    assert parts("ab c", characters=True) == ["a", "b", " ", "c"]


def test_numbers_of_words_go_by_how_common_they_are() -> None:
    found = Vocabulary.fit(SAID)
    assert found.words[:2] == ("a", "bar")
    assert found.length == 5
    assert found.size == len(found.words) + 1
    numbers = found.read(["bar left a"])
    assert [found.words[int(i) - 1] for i in numbers[0, :3]] == ["bar", "left", "a"]
    assert numbers[0, 3:].tolist() == [0, 0]


def test_prompts_of_words_that_never_recur_are_read_by_characters() -> None:
    found = Vocabulary.fit(["anna", "bert", "cleo", "cleo bert anna dora"])
    assert not found.characters
    names = Vocabulary.fit(["anna", "bert", "cleo", "dora"])
    assert names.characters
    assert names.read(["nab"]).astype(bool).sum() == 3


def test_unknown_words_are_named_and_left_out() -> None:
    found = Vocabulary.fit(SAID)
    with pytest.warns(UserWarning, match="'purple', 'brigth'.*left out|left out: 'purple'") as told:
        numbers = found.read(["a purple brigth bar"])
    assert "'purple', 'brigth'" in str(told[0].message)
    assert np.array_equal(numbers, found.read(["a bar"]))


@pytest.mark.parametrize(
    ("prompt", "said"),
    [("lefd", "no word that the fit saw.*Did you mean 'left'"), ("a " * 6, "6 words.*at most 5")],
)
def test_prompts_that_say_nothing_or_too_much_are_refused(prompt: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Vocabulary.fit(SAID).read([prompt])


def test_texts_come_as_lists_arrays_and_series() -> None:
    import pandas as pd

    for given in (SAID, tuple(SAID), np.array(SAID), np.array(SAID)[:, None], pd.Series(SAID)):
        assert texts(given, 4) == SAID
    assert texts("one prompt") == ["one prompt"]
    assert texts({"y": ["one"]}) == ["one"]
    for wrong in ([1, 2], np.zeros((2, 2)), ["a", None]):
        with pytest.raises(InputError, match="one text a row"):
            texts(wrong)
    with pytest.raises(InputError, match="4 prompts, X has 3 rows"):
        texts(SAID, 3)


def test_fitted_prompts_are_kept_with_their_shares_and_come_back_from_json() -> None:
    found = Prompts.fit([*SAID, SAID[0]], 5, np.array([1.0, 1.0, 1.0, 0.0, 2.0]))
    assert len(found.values) == 3
    assert sorted(found.shares.tolist()) == pytest.approx([0.2, 0.2, 0.6])
    again = Prompts.from_json(found.to_json())
    assert again.reader == found.reader
    assert np.array_equal(again.values, found.values)
    assert np.array_equal(again.encode("a bar"), found.encode(["a bar"]))


def test_a_new_encoder_is_a_bag_of_words_and_reads_no_padding() -> None:
    net = TextEncoder(8, 4, 16).eval()
    one, other = torch.tensor([[1.0, 2, 0, 0]]), torch.tensor([[2.0, 1, 0, 0]])
    assert torch.allclose(net(one), net(other), atol=1e-6)
    h = net.words.weight[1] + net.words.weight[2]
    assert torch.allclose(net(one), net.last(h[None] / 3**0.5), atol=1e-6)
    torch.nn.init.normal_(net.output.weight)
    torch.nn.init.normal_(net.places)
    assert not torch.allclose(net(one), net(other), atol=1e-3)
    with torch.no_grad():
        net.words.weight[0] += 5  # what stands where no word is
        before = net(torch.tensor([[1.0, 0, 0, 0]]))
        net.words.weight[0] += 5
    assert torch.allclose(net(torch.tensor([[1.0, 0, 0, 0]])), before)
    assert torch.isfinite(net(torch.zeros(1, 4))).all()


def test_words_are_left_out_in_training_alone() -> None:
    net = TextEncoder(8, 4, 16)
    some = torch.tensor([[1.0, 2, 3, 4]]).expand(50, -1)
    assert len(torch.unique(net(some), dim=0)) > 1
    assert len(torch.unique(net.eval()(some), dim=0)) == 1


@cache
def fitted() -> Any:
    x, y = bars()
    said = [f"a {'big ' * (i % 2)}bar {word}" for i, word in enumerate(y)]
    how = {"max_epochs": 100, "batch_size": 27, "learning_rate": 1e-2, "ema": 0.97, "dropout": 0.0}
    return ppgen.Diffusion(prompts=True, channels=(8,), random_state=0, **how).fit(x, said)


def test_samples_are_of_the_prompt_and_a_loaded_run_reads_it_alike(tmp_path: Path) -> None:
    fit, how = fitted(), {"steps": 10, "random_state": 1}
    assert side(fit.sample(20, y="right", **how)).mean() >= 0.9
    made = fit.sample(20, y="a bar left", guidance=1.5, **how)
    assert side(made).mean() <= 0.1
    again = ppgen.load(fit.save(tmp_path / "run"))
    assert np.array_equal(again.sample(20, y="a bar left", guidance=1.5, **how), made)
    assert again.sample(3, **how).shape == (3, 12, 12)
    with pytest.warns(UserWarning, match="'green'"):
        again.sample(1, y="a green bar", **how)


def test_what_is_wrong_with_prompts_is_said() -> None:
    x, y = bars()
    with pytest.raises(InputError, match="prompts is True, and no y"):
        ppgen.Diffusion(prompts=True).fit(x)
    with pytest.raises(InputError, match="one text a row"):
        ppgen.Diffusion(prompts=True).fit(x, np.arange(60))
    with pytest.raises(InputError, match="prompts is False"):
        ppgen.Diffusion(text_encoder="folder").fit(x, y)
    with pytest.raises(InputError, match="the same for all rows"):
        ppgen.Diffusion(prompts=True).fit(x, ["a bar"] * 60)


# A pre-trained encoder


class Tokenizer:
    """Numbers of letters."""

    @classmethod
    def from_pretrained(cls, folder: str, *, local_files_only: bool) -> Tokenizer:
        assert local_files_only
        return cls()

    def __call__(self, said: list[str], **how: Any) -> dict[str, torch.Tensor]:
        rows = [torch.tensor([ord(letter) % 7 + 1 for letter in text]) for text in said]
        numbers = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        return {"input_ids": numbers, "attention_mask": (numbers > 0).long()}


class Model(torch.nn.Module):
    """One vector a letter."""

    @classmethod
    def from_pretrained(
        cls, folder: str, *, local_files_only: bool, use_safetensors: bool
    ) -> Model:
        assert local_files_only
        assert use_safetensors
        return cls()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        hidden = torch.eye(8)[input_ids] + 9 * (1 - attention_mask[:, :, None])
        return SimpleNamespace(last_hidden_state=hidden)


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    stand_in = ModuleType("transformers")
    stand_in.AutoTokenizer, stand_in.AutoModel = Tokenizer, Model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "transformers", stand_in)
    (tmp_path / "config.json").write_text("{}")
    return str(tmp_path)


def test_a_local_encoder_gives_means_over_words_standardised(encoder: str) -> None:
    found = Prompts.fit(SAID, 4, None, encoder)
    assert found.reader.size == 0
    assert np.allclose(found.encode(SAID).mean(0), 0)
    counts = np.eye(8)[[ord(letter) % 7 + 1 for letter in SAID[1]]].mean(0)
    expected = (counts - found.reader.mean) / found.reader.scale
    assert np.allclose(found.encode(SAID[1])[0], expected)
    again = Prompts.from_json(found.to_json())
    assert np.allclose(again.encode(SAID[1])[0], expected)
    (Path(encoder) / "config.json").write_text("{'other': 1}")
    with pytest.raises(InputError, match="not the model that the fit took"):
        found.encode("a bar")


def test_a_fit_takes_a_local_encoder(encoder: str) -> None:
    x, y = bars()
    fit = ppgen.Diffusion(prompts=True, text_encoder=encoder, channels=(4,), max_epochs=1)
    fit.fit(x, [f"a bar {word}" for word in y])
    assert (fit.architecture_.context, fit.architecture_.words) == (8, 0)
    assert fit.sample(2, y="never seen", steps=10).shape == (2, 12, 12)


def test_what_a_local_encoder_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"no config\.json"):
        Prompts.fit(SAID, 4, None, str(tmp_path / "nowhere"))
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match="package transformers, which is not installed"):
        Prompts.fit(SAID, 4, None, str(tmp_path))
