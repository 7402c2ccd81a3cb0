"""Images as users give them: in other types, as lists, one alone, none, or in a large file."""

from __future__ import annotations

import tempfile
import tracemalloc

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score

import ppgen
from ppgen.analysis.latents import arithmetic
from ppgen.data import Encoded, ImageCodec, as_dataset, mapped, read, read_arrays, row_hashes
from ppgen.data.mapped import is_mapped
from ppgen.errors import InputError
from ppgen.models.autoencoder import Autoencoder
from ppgen.models.vae import VAE

SMALL = {"hidden": (8,), "max_epochs": 2, "random_state": 0}
RNG = np.random.default_rng(0)
LEVELS = RNG.integers(0, 256, (40, 7, 9), dtype=np.uint8)
BITS = RNG.integers(0, 2, (40, 7, 9), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (40, 3, 6, 6), dtype=np.uint8)
NAMES = ["bits", "bytes", "words"]
TYPES = (np.uint8, np.int64, np.uint16, np.float32, np.float64, ">f8", ">u2")


@pytest.fixture(scope="module")
def fits():
    return [VAE(3, **SMALL).fit(LEVELS), Autoencoder(3, **SMALL).fit(LEVELS)]


@pytest.fixture(scope="module")
def colour():
    return Autoencoder(2, kind="mlp", **SMALL).fit(COLOUR)


# Types of the same values


def test_a_level_that_is_rounded_from_below_is_no_negative_zero() -> None:
    codec = ImageCodec(as_dataset(LEVELS.astype(float)).schema)
    made = codec.decode(Encoded(np.full((1, 63), -0.2), np.empty((1, 0), np.int32), np.zeros(1)))
    assert not made.any()
    assert not np.signbit(made).any()


@pytest.mark.parametrize("images", [BITS, LEVELS, LEVELS * np.uint16(200)], ids=NAMES)
def test_the_type_of_the_values_is_not_hashed(images):
    types = [t for t in TYPES if t != np.uint8 or images.max() < 256]
    types += [bool] if images.max() == 1 else []
    seen = [row_hashes(as_dataset(images.astype(t)), seed=3) for t in types]
    for other in seen[1:]:
        np.testing.assert_array_equal(other, seen[0])
    assert len(set(seen[0].tolist())) == len(images)


def test_a_hash_is_of_the_row_alone():
    images = np.concatenate([BITS, LEVELS, LEVELS * np.uint16(200)]).astype(np.float64)
    images = np.concatenate([images, LEVELS / 7])
    hashes = row_hashes(as_dataset(images))
    for at in (0, 41, 85, 130):
        np.testing.assert_array_equal(row_hashes(as_dataset(images[at : at + 1])), hashes[[at]])
    assert len(set(hashes.tolist())) == len(images)


def test_two_bytes_are_not_two_pixels():
    pairs = [[256, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [257, 0, 0, 0], [1, 1, 0, 0]]
    images = np.array(pairs, dtype=np.uint16).reshape(-1, 1, 2, 2)
    assert len(set(row_hashes(as_dataset(images)).tolist())) == len(pairs)


@pytest.mark.parametrize(
    ("images", "likelihood"),
    [(BITS, "auto"), (LEVELS, "auto"), (LEVELS, "gaussian"), (LEVELS / 255, "auto")],
    ids=["bits", "levels", "levels filled", "levels from 0 to 1"],
)
def test_a_score_does_not_depend_on_the_type(images, likelihood):
    fit = VAE(2, likelihood=likelihood, n_importance=4, **SMALL).fit(images)
    given = images[:5] if images.dtype == np.uint8 else BITS[:5]
    expected = fit.score_samples(given)
    for dtype in (*TYPES, *([bool] if given.max() == 1 else [])):
        np.testing.assert_array_equal(fit.score_samples(given.astype(dtype)), expected)


def test_whole_numbers_may_be_floats(fits):
    for fit in fits:
        expected = fit.score_samples(LEVELS[:4])
        for rows in (LEVELS[:4].astype(float), as_dataset(LEVELS[:4].astype(np.float32))):
            np.testing.assert_array_equal(fit.score_samples(rows), expected)
            np.testing.assert_array_equal(fit.encode(rows), fit.encode(LEVELS[:4]))
        with pytest.warns(UserWarning, match="values from 0 to 1 given.*256 levels.*all but black"):
            assert np.isfinite(fit.score_samples(BITS[:4].astype(float))).all()


@pytest.mark.parametrize(
    ("change", "way_out"),
    [
        (lambda x: x * 0.99, r"Make them whole numbers: X.round\(\).astype\('uint8'\)"),
        (lambda x: x / 255, r"\(255 \* X\).round\(\).astype\('uint8'\)"),
        (lambda x: x * 257.0, r"\(X / 257\).round\(\)"),
        (lambda x: x.astype(np.uint16) * 257, r"\(X / 257\).round\(\)"),
        (lambda x: x - 5.0, r"X.clip\(0, 255\).round\(\)"),
        (lambda x: x + 5.0, r"X.clip\(0, 255\).round\(\)"),
        (lambda x: x / 127.5 - 1, "whole numbers from 0 to 255.$"),
    ],
)
def test_other_values_are_refused_with_a_way_out(fits, change, way_out):
    for fit in fits:
        with pytest.raises(InputError, match=f"was fitted to 256 levels.*{way_out}"):
            fit.score_samples(change(LEVELS[:4]))


# One image, lists, none


def test_one_image_is_a_data_set_of_one(fits, colour):
    for fit in fits:
        expected = [use(LEVELS[:1]) for use in (fit.encode, fit.reconstruct, fit.score_samples)]
        for one in (LEVELS[0], LEVELS[0].tolist(), LEVELS[0][..., None], LEVELS[0][None]):
            found = [use(one) for use in (fit.encode, fit.reconstruct, fit.score_samples)]
            for each, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(each.ravel(), other.ravel())
        assert fit.reconstruct(LEVELS[0]).shape == (1, 7, 9)
        with pytest.raises(InputError, match=r"one image was given.*Give X\[None\]"):
            fit.encode(as_dataset(LEVELS[0]))  # read as a table, without the fit
        with pytest.raises(InputError, match="expects images"):
            fit.encode(LEVELS[0][:5])
    for one in (COLOUR[0], np.moveaxis(COLOUR[0], 0, -1)):
        np.testing.assert_array_equal(colour.encode(one), colour.encode(COLOUR[:1]))


def test_a_table_given_for_images(fits):
    for fit in fits:
        with pytest.raises(InputError, match=r"a table given.*Reshape the rows to \(n, 1, 7, 9\)"):
            fit.encode(LEVELS.reshape(-1, 63))
        with pytest.raises(InputError, match=r"a table given.*12 features.*63 features"):
            fit.encode(np.zeros((9, 12)))


def test_walks_start_at_one_image(fits, colour):
    for fit in fits:
        expected = ppgen.interpolate(fit, LEVELS[:1], LEVELS[1:2], steps=3)
        for one in (lambda i: LEVELS[i], lambda i: LEVELS[i][None], lambda i: LEVELS[i].tolist()):
            found = ppgen.interpolate(fit, one(0), one(1), steps=3)
            np.testing.assert_array_equal(found.codes, expected.codes)
            walk = ppgen.traverse(fit, at=one(0), steps=3)
            np.testing.assert_array_equal(walk.codes[0, :, 1:], expected.codes[[0] * 3, 1:])
            added = arithmetic(fit, one(1), one(0), one(0))
            np.testing.assert_allclose(added.codes, expected.codes[[-1]], atol=1e-9)
        with pytest.raises(InputError, match="a has 2 rows; give one"):
            ppgen.interpolate(fit, LEVELS[:2], LEVELS[1])
    code = colour.encode(COLOUR[:1])
    for one in (COLOUR[0], np.moveaxis(COLOUR[0], 0, -1)):
        np.testing.assert_array_equal(ppgen.interpolate(colour, one, one).codes[:1], code)


@pytest.mark.parametrize("listed", [lambda x: x.tolist(), list, lambda x: [r.tolist() for r in x]])
def test_lists_of_images_are_arrays_of_them(listed):
    whole = Autoencoder(2, **SMALL).fit(LEVELS.astype(np.int64))
    fit = Autoencoder(2, **SMALL).fit(listed(LEVELS.astype(np.int64)))
    assert fit.n_features_in_ == whole.n_features_in_ == 63
    assert fit.schema_ == whole.schema_
    expected = whole.encode(LEVELS)
    np.testing.assert_array_equal(fit.encode(LEVELS), expected)
    np.testing.assert_array_equal(whole.encode(listed(LEVELS)), expected)


def test_lists_of_rows_are_a_table():
    table = LEVELS.reshape(40, -1)[:, :5].astype(float)
    fit = Autoencoder(2, **SMALL).fit(table.tolist())
    assert fit.n_features_in_ == 5
    np.testing.assert_array_equal(fit.encode(table), fit.encode(table.tolist()))
    with pytest.raises(ValueError, match=r"4 features.*5 features"):
        fit.encode(table[:, :4].tolist())
    with pytest.raises(InputError, match="Reshape your data"):
        fit.encode([1.0, 2.0])


@pytest.mark.parametrize("shape", [(0, 7, 9), (0, 1, 7, 9), (0, 7, 9, 1), (4, 0, 9), (4, 1, 7, 0)])
def test_no_images_are_said_in_their_shape(fits, shape):
    said = ", ".join(map(str, shape))
    for fit in fits:
        with pytest.raises(InputError, match=rf"shape=\({said}\)"):
            fit.score_samples(np.zeros(shape, np.uint8))


def test_codes_that_are_none(fits):
    for fit in fits:
        with pytest.raises(InputError, match=r"no codes given \(shape \(0, 3\)\)"):
            fit.decode(np.zeros((0, 3)))
        for wrong in ([], [[1.0, 2.0]], [[1.0], [1.0, 2.0]], [["a", "b", "c"]]):
            with pytest.raises(InputError, match=r"expected \(n, 3\)"):
                fit.decode(wrong)


# Choosing by the reconstruction


def test_the_score_of_an_autoencoder_is_minus_its_error():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(90, 3)) @ rng.normal(size=(3, 6)) + 1e-3 * rng.normal(size=(90, 6))
    fit = Autoencoder(2, kind="linear", random_state=0).fit(x)
    assert fit.score(x) == fit.score(x, np.zeros(90)) == -fit.reconstruction_error(x).mean()
    found = GridSearchCV(Autoencoder(kind="linear", random_state=0), {"latent_dim": [1, 2, 3]})
    assert found.fit(x).best_params_ == {"latent_dim": 3}
    assert cross_val_score(fit, x, cv=3).shape == (3,)


# Rows of a large file


@pytest.fixture
def large(tmp_path, monkeypatch):
    pixels = RNG.integers(0, 256, (3000, 20, 20), dtype=np.uint8)
    np.save(tmp_path / "t.npy", pixels)
    monkeypatch.setattr(read_arrays, "MAPPED", 1000)
    monkeypatch.setattr(mapped, "COPIED", 1 << 16)
    monkeypatch.setattr(mapped, "_BLOCK", 1 << 14)
    return pixels, read(tmp_path / "t.npy")


def test_rows_of_a_mapped_file_are_mapped(large):
    pixels, data = large
    order = RNG.permutation(3000)[:2500]
    taken = [order, order.tolist(), np.sort(order), pixels[:, 0, 0] > 20]
    tracemalloc.start()
    try:
        found = [data.take(rows) for rows in taken]
        native = found[0].to_native()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < pixels.nbytes / 4
    for rows, some in zip(taken, found, strict=True):
        assert is_mapped(some.images)
        np.testing.assert_array_equal(some.images[:, 0], pixels[rows])
    assert is_mapped(native)
    np.testing.assert_array_equal(native, pixels[order])
    again = found[0].take(np.arange(2000)[::-1])  # of the temporary file, which is mapped too
    assert is_mapped(again.images)
    np.testing.assert_array_equal(again.images[:, 0], pixels[order[:2000][::-1]])
    assert all(is_mapped(part.images) for part in (data.train, data.valid, data.test))
    with pytest.raises(ValueError, match="read-only"):
        found[0].images[0] = 0


def test_rows_that_follow_one_another_are_a_view(large):
    _, data = large
    for rows in (slice(5, 900), np.arange(5, 900), np.arange(3000) < 900, slice(None, None, 2)):
        some = data.take(rows)
        assert np.shares_memory(some.images, data.images)
    assert not is_mapped(data.take([7, 9]).images)  # few


def test_colour_and_column_order_of_a_mapped_file(tmp_path, monkeypatch):
    monkeypatch.setattr(read_arrays, "MAPPED", 1000)
    monkeypatch.setattr(mapped, "COPIED", 1000)
    monkeypatch.setattr(mapped, "_BLOCK", 1000)
    pixels = np.asfortranarray(RNG.random((60, 6, 5, 3)).astype(np.float32))
    np.save(tmp_path / "t.npy", pixels)
    some = read(tmp_path / "t.npy").take([50, 3, 3, *range(10, 40)])
    assert is_mapped(some.images)
    expected = np.moveaxis(pixels, 3, 1)[[50, 3, 3, *range(10, 40)]]
    np.testing.assert_array_equal(some.images, expected)


def test_a_temporary_folder_without_room_is_named(large, monkeypatch):
    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(InputError, match=r"temporary folder.*No space left.*Set TMPDIR"):
        large[1].take(np.arange(3000)[::-1])
