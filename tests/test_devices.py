"""Two processes that train together give the fit of one device, and agree on it bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ppgen.errors import InputError
from ppgen.inference.torch_state import as_found
from ppgen.models.autoencoder import Autoencoder
from ppgen.models.debias import DebiasingVAE
from ppgen.models.gan import GAN

# 33 rows a step are dealt out unevenly.
SMALL = {"hidden": (8,), "max_epochs": 6, "batch_size": 33, "device": "cpu", "random_state": 0}


def rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 2)) @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(150, 5))
    return x, (x[:, 0] > 0).astype(int)


def fits(devices):
    """Name -> fit. An autoencoder's loss draws nothing, and so is that of one device."""
    x, y = rows()
    settings = {**SMALL, "devices": devices}
    weights = np.linspace(0.5, 2, len(x))
    yield "weighted", Autoencoder(2, **settings).fit(x, sample_weight=weights)
    yield "classifier", DebiasingVAE(2, dropout=0.2, **settings).fit(x, y)
    players = {**settings, "discriminator_steps": 2, "pack": 2, "batch_size": 17}
    yield "players", GAN(2, **players).fit(x)
    timed = Autoencoder(2, noise="gaussian", **{**settings, "max_epochs": 10_000})
    yield "timed", timed.fit(x, budget="0.6s")


def fit_in_a_group(rank, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2
    )
    x, _ = rows()
    for name, fit in fits(2):
        codes = fit.encode(x) if fit.capabilities.latents else fit.sample(20)
        steps = fit.n_steps_
        losses = [record["loss"] for record in fit.trace_]
        np.savez(f"{folder}/{name}-{rank}.npz", codes=codes, steps=steps, losses=losses)
    for differs, settings, some in (("seed", {"random_state": rank}, x), ("rows", {}, x + rank)):
        with pytest.raises(InputError, match="differ in seed, rows or settings"):
            Autoencoder(2, **{**SMALL, **settings}, devices=2).fit(some)
        Path(f"{folder}/{differs}-{rank}").touch()
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    with as_found():
        pytest.importorskip("lightning_fabric")
    folder = tmp_path_factory.mktemp("two")
    torch.multiprocessing.spawn(fit_in_a_group, args=(str(folder),), nprocs=2)
    fits = {file.stem: dict(np.load(file)) for file in folder.glob("*.npz")}
    return fits | {"refused": {file.name for file in folder.iterdir() if "." not in file.name}}


def test_two_processes_give_the_fit_of_one_device(together):
    x, _ = rows()
    _, alone = next(fits(1))
    np.testing.assert_allclose(together["weighted-0"]["codes"], alone.encode(x), atol=1e-5)
    losses = [record["loss"] for record in alone.trace_]
    np.testing.assert_allclose(together["weighted-0"]["losses"], losses, rtol=1e-5)


def test_every_process_refuses_a_fit_of_another_seed_or_other_rows(together):
    expected = {f"{differs}-{rank}" for differs in ("seed", "rows") for rank in range(2)}
    assert together["refused"] - {"rendezvous"} == expected


@pytest.mark.parametrize("name", ["weighted", "classifier", "players", "timed"])
def test_the_processes_agree_bit_for_bit(together, name):
    first, second = (together[f"{name}-{rank}"] for rank in range(2))
    assert first["steps"] == second["steps"] > 0
    for key in ("codes", "losses"):
        np.testing.assert_array_equal(first[key], second[key])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "torchrun --nproc-per-node=2"),
        ({"device": "cuda:1"}, "which is one device"),
    ],
)
def test_processes_that_are_not_there_are_said(settings, said):
    pytest.importorskip("lightning_fabric")
    with pytest.raises(InputError, match=said):
        Autoencoder(2, **{**SMALL, **settings}, devices=2).fit(rows()[0])
