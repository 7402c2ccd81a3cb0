"""The parts of nets that families share, and what the machine can hold."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from ppgen.data.mapped import is_mapped
from ppgen.errors import FitError, InputError
from ppgen.models.nets.batches import Batches, shrinking
from ppgen.models.nets.conditioned import GAIN, conditioned
from ppgen.models.nets.conv import ConvDecoder, ConvEncoder, Residual, sizes
from ppgen.models.nets.device import device_for, device_to_load
from ppgen.models.nets.mlp import ACTIVATIONS, mlp

SHAPES = [(1, 8, 8), (3, 17, 12), (2, 5, 1), (1, 28, 20), (4, 7, 9)]


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


# Perceptrons


def test_a_perceptron_has_the_layers_asked_for():
    net = mlp(5, (7, 3), 2, activation="tanh", dropout=0.5)
    kinds = [type(layer) for layer in net]
    assert kinds == [nn.Linear, nn.Tanh, nn.Dropout, nn.Linear, nn.Tanh, nn.Dropout, nn.Linear]
    assert net(torch.zeros(4, 6, 5)).shape == (4, 6, 2)


def test_without_hidden_layers_it_is_a_linear_map():
    net = mlp(4, (), 3)
    x, y = torch.randn(2, 10, 4)
    torch.testing.assert_close(net(x) - net(y), (x - y) @ net[0].weight.T)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_one(activation):
    x = torch.linspace(-3, 3, 9)[:, None]
    out = mlp(1, (8,), 1, activation=activation)(x)
    assert torch.isfinite(out).all()
    bend = out[2:] - 2 * out[1:-1] + out[:-2]
    assert bend.abs().max() > 1e-4


# Convolutions


def test_sizes_are_halved_upwards():
    assert sizes(28, 7, 3) == [(28, 7), (14, 4), (7, 2), (4, 1)]


def test_a_residual_block_starts_as_the_identity():
    block, h = Residual(3, "silu"), torch.randn(2, 3, 5, 5)
    torch.testing.assert_close(block(h), h)


@pytest.mark.parametrize(("shape", "halvings"), list(itertools.product(SHAPES, [1, 2, 3])))
def test_encoder_and_decoder_fit_images_of_any_size(shape, halvings):
    channels, values = (4, 6, 8)[:halvings], int(np.prod(shape))
    encoder = ConvEncoder(shape, channels, 5, hidden=8)
    decoder = ConvDecoder(5, channels, shape, hidden=8)
    x = torch.randn(2, 3, values)
    z = encoder(x)
    assert z.shape == (2, 3, 5)
    assert decoder(z).shape == x.shape
    torch.testing.assert_close(encoder(x[1]), z[1])
    torch.testing.assert_close(decoder(z[1]), decoder(z)[1])


def test_the_bias_is_each_values_own_and_in_its_order():
    shape, per_pixel = (2, 3, 4), 3
    decoder = ConvDecoder(5, (4,), shape, per_pixel=per_pixel, hidden=8)
    own = torch.arange(24.0 * per_pixel)
    z = torch.randn(2, 5)
    before = decoder(z)
    with torch.no_grad():
        decoder.bias.copy_(own)
    torch.testing.assert_close(decoder(z) - before, own.expand(2, -1), atol=1e-4, rtol=0)


def test_parameters_of_one_value_stand_together():
    shape, per_pixel = (2, 3, 4), 3
    decoder = ConvDecoder(5, (4,), shape, per_pixel=per_pixel, hidden=8)
    last = decoder.net[-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.arange(6.0))  # (parameter, channel): 0 ... 5
    found = decoder(torch.randn(1, 5)).reshape(*shape, per_pixel)
    for channel, parameter in itertools.product(range(2), range(3)):
        torch.testing.assert_close(
            found[channel, ..., parameter], torch.full((3, 4), 2.0 * parameter + channel)
        )


def test_channels_last_changes_nothing():
    shape = (3, 9, 10)
    encoder, decoder = ConvEncoder(shape, (4, 8), 5), ConvDecoder(5, (4, 8), shape)
    x = torch.randn(4, 270)
    before = decoder(encoder(x))
    encoder.to(memory_format=torch.channels_last)
    decoder.to(memory_format=torch.channels_last)
    torch.testing.assert_close(decoder(encoder(x)), before, atol=1e-5, rtol=1e-4)


def test_every_weight_is_trained():
    shape = (1, 9, 9)
    nets = nn.ModuleList([ConvEncoder(shape, (4, 4), 3), ConvDecoder(3, (4, 4), shape)])
    for _ in range(2):  # the last layer of a residual block is 0 at first
        nets.zero_grad()
        nets[1](nets[0](torch.randn(5, 81))).square().sum().backward()
        with torch.no_grad():
            for p in nets.parameters():
                p -= 1e-4 * p.grad
    assert all(p.grad.abs().sum() > 0 for p in nets.parameters())


def moved(net):
    """The net with every parameter off its start."""
    with torch.no_grad():
        for p in net.parameters():
            p += 0.1 * torch.randn(p.shape)
    return net


def test_every_layer_is_told_the_context():
    net = moved(conditioned(mlp(3, (4,), 2, activation="tanh"), 5))
    h, c = torch.randn(6, 7, 3), torch.randn(7, 5)
    (w, b, w_last, b_last), told = net.layers.parameters(), net.told
    u, u_last = told["0"].weight, told["2"].weight
    hidden = (h @ w.T + b + GAIN * c @ u.T).tanh()
    torch.testing.assert_close(net(h, c), hidden @ w_last.T + b_last + GAIN * c @ u_last.T)


@pytest.mark.parametrize("made", ["encoder", "decoder"])
def test_every_convolution_is_told_the_context_of_its_row(made):
    shape = (2, 9, 7)
    kind = ConvEncoder(shape, (4, 6), 5, hidden=8, context=3)
    net = moved(kind if made == "encoder" else ConvDecoder(126, (4, 6), shape, context=3))
    x, c = torch.randn(2, 3, 126), torch.randn(3, 3)
    found = net(x, c)
    torch.testing.assert_close(found[1, 2], net(x[1, 2:], c[2:])[0], atol=1e-5, rtol=1e-4)
    found.square().sum().backward()
    told = {name: p for name, p in net.named_parameters() if ".told." in name}
    assert len(told) == 4  # two convolutions, two linear maps
    assert all(p.grad.abs().sum() > 0 for p in told.values())


def test_dropout_is_on_in_training_only():
    net = ConvEncoder((1, 8, 8), (4,), 3, dropout=0.5)
    x = torch.randn(2, 64)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


# The machine


def test_the_processor_is_what_none_and_cpu_mean():
    assert device_for(None) == device_for("cpu") == torch.device("cpu")


def test_auto_is_a_gpu_that_torch_can_use(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_for("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device_for("auto") == device_for("cuda") == torch.device("cuda", 0)
    assert device_for("auto", "numpyro") == torch.device("cpu")
    with pytest.raises(InputError, match="numpyro"):
        device_for("cuda", "numpyro")


def test_what_was_fitted_on_a_device_that_is_not_here_goes_to_the_processor(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_to_load("cuda:3") == device_to_load(None) == torch.device("cpu")


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "mps", "meta"])
def test_an_unknown_device_is_refused(device):
    with pytest.raises(InputError, match="device is"):
        device_for(device)


@pytest.mark.parametrize(
    ("there", "asked", "said"), [(0, "cuda", "none that"), (1, "cuda:1", "has 1 of them")]
)
def test_a_gpu_that_is_not_there_is_refused(monkeypatch, there, asked, said):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    with pytest.raises(InputError, match=said):
        device_for(asked)


def _holds(most, error):
    tried = []

    def work(size):
        tried.append(size)
        if size > most:
            raise error
        return f"{size} rows"

    return work, tried


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
    ],
)
def test_fewer_rows_are_tried_until_they_fit(error):
    work, tried = _holds(30, error)
    assert shrinking(work, 100, "training") == ("25 rows", 25)
    assert tried == [100, 50, 25]


def test_where_not_one_row_fits_it_says_so():
    work, tried = _holds(0, MemoryError())
    with pytest.raises(FitError, match="training is out of memory with a batch of one row"):
        shrinking(work, 4, "training")
    assert tried == [4, 2, 1]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        FitError("encoding is out of memory with a batch of one row."),
        ValueError("memory"),
    ],
)
def test_other_errors_are_passed_on(error):
    work, tried = _holds(0, error)
    with pytest.raises(type(error)):
        shrinking(work, 4, "training")
    assert tried == [4]


# Batches


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "u4", "i8", "?", "f4", ">f8", "f2"])
@pytest.mark.parametrize("mapped", [False, True])
def test_batches_are_the_rows_as_floats(tmp_path, dtype, mapped):
    x = (np.arange(24).reshape(6, 2, 2) % 2).astype(dtype)
    if mapped:
        np.save(tmp_path / "x.npy", x)
        x = np.load(tmp_path / "x.npy", mmap_mode="r")
    rows = x.reshape(6, 4)
    batches = Batches(rows, np.eye(6), np.arange(6.0))
    assert len(batches) == 6
    which = torch.tensor([4, 1])
    for of in (which, slice(2, 5)):
        values, context, weights = batches.take(of)
        at = of.numpy() if isinstance(of, torch.Tensor) else of
        assert values.dtype == context.dtype == weights.dtype == torch.float32
        np.testing.assert_array_equal(values, rows[at])
        np.testing.assert_array_equal(context, np.eye(6)[at])
        np.testing.assert_array_equal(weights, np.arange(6.0)[at])


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("rows", [np.array([5, 3, 0]), np.arange(6) % 2 == 1])
def test_batches_of_some_rows_count_from_0(tmp_path, mapped, rows):
    x = np.arange(12, dtype=np.uint8).reshape(6, 2)
    source = x
    if mapped:
        np.save(tmp_path / "x.npy", x)
        source = np.load(tmp_path / "x.npy", mmap_mode="r")
    batches = Batches(source, None, np.arange(6.0), rows=rows)
    assert len(batches) == 3
    values, context, weights = batches.take(torch.tensor([2, 0]))
    np.testing.assert_array_equal(values, x[rows][[2, 0]])
    np.testing.assert_array_equal(weights, np.arange(6.0)[rows][[2, 0]])
    assert context is None


def test_a_mapped_file_is_not_read_whole(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((8, 4), np.uint8))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    batches = Batches(x.reshape(8, 2, 2).reshape(8, -1), rows=np.arange(4))
    assert is_mapped(batches.x)
    assert is_mapped(np.asarray(x)[1:].view())
    assert not is_mapped(np.array(x))


def test_rows_in_memory_are_kept_as_they_are_stored():
    x = np.zeros((8, 4), np.uint8)
    assert Batches(x).x.data_ptr() == x.ctypes.data
    x.flags.writeable = False
    assert Batches(x).x.dtype == torch.uint8


def test_text_is_no_rows():
    with pytest.raises(TypeError, match="no numbers"):
        Batches(np.array([["a"]]))
