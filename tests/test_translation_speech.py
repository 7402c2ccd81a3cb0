"""Recordings as domains of a translation: pictures of them, statistics, and a fit."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch

import ppgen
from ppgen import CycleGAN, InputError, sequences
from ppgen.data import RecordingCodec
from ppgen.data.recording_codec import waveforms
from ppgen.models.translation.kinds import check_sides, domain_from_json, domain_of
from ppgen.models.translation.nets import _Normed, check_halvings

SETTINGS: dict[str, Any] = {
    "width": 2,
    "blocks": 1,
    "pool": 4,
    "max_epochs": 2,
    "bands": 12,
    "frames": 8,
    "random_state": 0,
}


def voices(n: int, pitch: float, level: float = 0.3, seed: int = 0) -> list[Any]:
    """Recordings of several lengths, of tones around a pitch that fade in and out."""
    rng, made = np.random.default_rng(seed), []
    for _ in range(n):
        t = np.arange(rng.integers(1500, 3000)) / 8000
        tone = sum(np.sin(2 * np.pi * k * pitch * rng.uniform(0.9, 1.1) * t) / k for k in (1, 2, 3))
        made.append(level * np.sin(np.pi * t / t[-1]) * tone + 1e-3 * rng.normal(size=len(t)))
    return made


def side(rows: list[Any], **how: Any) -> Any:
    data = sequences(rows, rate=8000)
    codec = RecordingCodec.fit(data, 8000)
    domain, encoded = domain_of(codec, **how), codec.encode(data)
    return domain.fitted(domain.pictures(encoded)), encoded


def test_each_band_is_standardised_by_its_own_statistics() -> None:
    domain, encoded = side(voices(10, 200))
    assert domain.shape == (40, 1, 32)
    x = domain.encode(encoded)
    torch.testing.assert_close(x.mean((0, 2, 3)), torch.zeros(40), atol=1e-4, rtol=0)
    torch.testing.assert_close(x.std((0, 2, 3), correction=0), torch.ones(40), atol=1e-4, rtol=0)


@pytest.mark.parametrize("phase", ["gain", "input", "griffin_lim"])
def test_what_is_not_changed_comes_back(phase: Any) -> None:
    domain, encoded = side(voices(3, 200), phase=phase)
    made = domain.decode(domain.encode(encoded), encoded)
    assert made.codes.tolist() == encoded.codes.tolist()
    if phase == "gain":
        np.testing.assert_allclose(made.x, encoded.x, atol=1e-4)
    off = domain.encode(made) - domain.encode(encoded)
    assert float(off.abs().mean()) < (0.01 if phase == "gain" else 0.5)


def test_translations_leave_by_the_statistics_of_the_domain_that_they_go_to() -> None:
    (quiet, rows), (loud, _) = side(voices(8, 200, 0.02)), side(voices(8, 200, 0.2))
    x = quiet.encode(rows)
    level = [
        np.mean([np.abs(v).max() for v in waveforms(d.decode(x, rows))]) for d in (quiet, loud)
    ]
    assert 5 < level[1] / level[0] < 15


def test_domains_are_written_and_read() -> None:
    domain, encoded = side(voices(4, 200), bands=20, frames=16, phase="input")
    again = domain_from_json(json.loads(json.dumps(domain.to_json())), domain.codec)
    assert again == domain
    torch.testing.assert_close(again.encode(encoded), domain.encode(encoded))


def test_kinds_are_not_mixed_and_frames_can_be_halved() -> None:
    images = ppgen.as_dataset(np.random.default_rng(0).integers(0, 256, (9, 8, 8), np.uint8))
    with pytest.raises(InputError, match="X holds recordings, y images"):
        CycleGAN(**SETTINGS).fit(sequences(voices(9, 200), rate=8000), images)
    domain, _ = side(voices(4, 200))
    check_sides(domain, domain)
    with pytest.raises(InputError, match="set frames=32"):
        check_halvings((40, 1, 30), 2)


def test_what_bands_are_on_average_over_time_is_kept_by_nets() -> None:
    steady = torch.tensor([[3.0, 1.0, -1.0, -3.0]])[:, :, None, None].expand(-1, -1, 1, 8)
    of_sequences, of_images = (_Normed(4, flat)(steady) for flat in (True, False))
    expected = torch.relu(steady / 5**0.5)
    torch.testing.assert_close(of_sequences, expected, atol=1e-4, rtol=0)
    assert float(of_images.detach().max()) < 1e-3


@pytest.fixture(scope="module")
def fit() -> CycleGAN:
    x, y = (sequences(voices(24, pitch), rate=8000) for pitch in (150, 300))
    return CycleGAN(**SETTINGS).fit(x, y)


def test_a_fit_translates_there_and_back_and_is_saved(fit: CycleGAN, tmp_path: Any) -> None:
    given = voices(3, 150, seed=1)
    made = fit.translate(given)
    assert [row.shape for row in made] == [row.shape for row in given]
    assert all(np.isfinite(row).all() for row in made)
    assert [row.shape for row in fit.translate_back(made)] == [row.shape for row in given]
    fit.save(tmp_path / "run")
    loaded: Any = ppgen.load(tmp_path / "run")
    for one, other in zip(made, loaded.translate(given), strict=True):
        np.testing.assert_array_equal(one, other)
    assert loaded.nets_.domains[0].transform.bands == 12
    assert loaded.nets_.domains[0].phase == "gain"


def test_translations_do_not_depend_on_the_rows_beside_them(fit: CycleGAN) -> None:
    given = voices(5, 150, seed=1)
    alone = [fit.translate([row])[0] for row in given]
    for one, other in zip(alone, fit.translate(given), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_stereo_comes_out_as_stereo_and_other_rates_are_resampled(fit: CycleGAN) -> None:
    (v,) = voices(1, 150, seed=2)
    both = np.column_stack([v, 0.5 * v])
    (made,) = fit.translate([both])
    np.testing.assert_allclose(made[:, 1], 0.5 * made[:, 0], atol=1e-12)
    with pytest.warns(UserWarning, match="16000 samples per second are resampled to 8000"):
        (short,) = fit.translate(sequences([v], rate=16000))
    assert len(short) == math.ceil(len(v) / 2)
    with pytest.raises(InputError, match="silent"):
        fit.translate([np.zeros(2000)])
    with pytest.warns(UserWarning, match=r"of 1.0 s is brought to 8 frames .* raise frames"):
        fit.translate([np.resize(v, 8000)])
