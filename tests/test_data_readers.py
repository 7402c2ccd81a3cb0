"""Files and folders into data sets, and what is said about bad ones."""

from __future__ import annotations

import gzip
import io
import struct
import sys
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import wavfile

from ppgen.data import hashing, memory_budget, memory_limit, read, read_arrays, row_hashes
from ppgen.data import pixels as module_of_pixels
from ppgen.data.read_images import read_tar_images
from ppgen.data.stacking import stack_images
from ppgen.errors import InputError

RNG = np.random.default_rng(0)


def write(folder, text: str, name: str = "t.csv"):
    path = folder / name
    path.write_text(text)
    return path


# Text ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " ", ", "])
@pytest.mark.parametrize("zipped", [False, True])
def test_delimited_text(tmp_path, delimiter, zipped):
    frame = pd.DataFrame(
        {"a": RNG.normal(size=30), "name": ["u", "v", "w"] * 10, "n": np.arange(30)}
    )
    lines = [
        delimiter.join(map(str, row)) for row in [frame.columns, *frame.itertuples(index=False)]
    ]
    content = "\n".join(lines).encode()
    path = tmp_path / ("t.csv.gz" if zipped else "t.csv")
    path.write_bytes(gzip.compress(content) if zipped else content)
    data = read(path)
    assert data.schema.names == ("a", "name", "n")
    pd.testing.assert_frame_equal(data.to_native(), frame, check_dtype=False)
    np.testing.assert_array_equal(data.columns["a"], frame["a"])  # to the last digit


def test_a_first_line_with_a_number_is_a_row(tmp_path):
    data = read(write(tmp_path, "39, Private, 4.5\n50, ?, 1.5\n38, State, 2.5\n"))
    assert data.schema.names == ("c0", "c1", "c2")
    assert len(data) == 3
    assert data.columns["c1"].tolist() == ["Private", None, "State"]
    data = read(write(tmp_path, "x,,z\n1,2,3\n"))
    assert data.schema.names == ("x", "c1", "z")


def test_missing_in_every_spelling(tmp_path):
    gaps = ["", "NA", "NaN", "nan", "null", "?", "None", " ? ", " NA"]
    text = "x,t\n1.5,a\n" + "".join(f"{gap},{gap}\n" for gap in gaps) + "2.5,b\n"
    data = read(write(tmp_path, text))
    assert np.isnan(data.columns["x"]).sum() == len(gaps)
    assert data.columns["t"].tolist() == ["a", *[None] * len(gaps), "b"]
    assert data.schema["x"].missing
    # Text is no number because it looks like one to a parser, nor a truth value.
    data = read(write(tmp_path, "b,i\nTRUE,1_0\nFALSE,2_0\nTRUE,3_0\n"))
    assert data.schema["b"].levels == ("FALSE", "TRUE")
    assert data.schema["i"].levels == ("1_0", "2_0", "3_0")


def test_quotes_blank_lines_and_endings(tmp_path):
    text = 'name,x\r\n"Smith, ""J""",1.5\r\n\r\n"two\nlines",2.5\r\nplain,3.5\r\n'
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    data = read(path)
    assert data.schema.names == ("name", "x")
    assert data.columns["name"].tolist() == ['Smith, "J"', "two\nlines", "plain"]
    path.write_bytes("stadt,x\nKöln,1.5\nBonn,2.5\n".encode("latin-1"))
    assert read(path).columns["stadt"][0] == "Köln"
    assert len(read(write(tmp_path, "value\n1.5\n2.5\n"))) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n\n1,2,3\n4,5\n", r"line 4: 3 fields, expected 2 as in line 1"),
        ("a,b\n1,2\n3\n4,5\n6,7\n", r"line 3: 1 field, expected 2"),
        ('a,b\n"x,y",2\n"z",2,3\n', r"line 3: 3 fields, expected 2"),
        ("1 2 3\n1 2\n4 5 6\n7 8 9\n", r"line 2: 2 fields, expected 3"),
        ('a,b\n"x,2\n3,4\n', "quoted field"),
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("a,b\n", "no rows"),
        (",\n,\n", "separators and no values"),
        ("a,a\n1,2\n", "columns 1 and 2 .* named 'a'"),
        ("a,b\n1.5,2\ninf,3\n", "'a' holds infinity in line 3"),
        ("a\0b", "not text"),
    ],
)
def test_bad_text_is_explained(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(write(tmp_path, text))


def test_damaged_gzip(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1.5,2\n" * 1000)[:-9])
    with pytest.raises(InputError, match="damaged"):
        read(path)


# Arrays ----------------------------------------------------------------------------------------


def test_npy(tmp_path):
    for array in (RNG.normal(size=(9, 3)), np.asfortranarray(RNG.random((9, 3), np.float32))):
        np.save(tmp_path / "t.npy", array)
        data = read(tmp_path / "t.npy")
        assert data.matrix().dtype == array.dtype
        np.testing.assert_array_equal(data.matrix(), array)
    np.save(tmp_path / "t.npy", np.zeros((4, 6, 5), np.uint8))
    assert read(tmp_path / "t.npy").schema.image_shape == (1, 6, 5)
    np.save(tmp_path / "t.npy", np.arange(7.0))
    assert read(tmp_path / "t.npy").matrix().shape == (7, 1)
    (tmp_path / "t.npy.gz").write_bytes(gzip.compress((tmp_path / "t.npy").read_bytes()))
    assert len(read(tmp_path / "t.npy.gz")) == 7


def header(shape, dtype="<f8", version=b"\x01\x00") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header((10**12, 10)), "80,000,000,000,000 bytes; 0 follow"),
        (header((5, 2)) + bytes(79), "80 bytes; 79 follow"),
        (header((-5, 2)) + bytes(80), "cut off or damaged"),
        (header((5, 2), "|O") + bytes(80), "Python objects"),
        (b"\x93NUMPY\x01\x00\xff\xff", "no NPY file"),
        (b"", "no NPY file"),
        (header((5, 2), "<c16") + bytes(160), "Complex data not supported"),
        (header((0, 2)), r"0 sample\(s\)"),
    ],
)
def test_bad_npy_is_explained(tmp_path, content, message):
    path = tmp_path / "t.npy"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(path)
    path = tmp_path / "t.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", content)
    with pytest.raises(InputError, match=message):
        read(path)


def test_sizes_are_checked_against_memory(tmp_path, monkeypatch):
    assert 0 < memory_budget() < 1 << 62
    np.save(tmp_path / "t.npy", np.zeros((100, 10)))
    np.savez(tmp_path / "t.npz", X=np.zeros((100, 10)))
    (tmp_path / "t.csv").write_text("1.5,2\n" * 1000)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"1.5,2\n" * 10000))
    monkeypatch.setattr(memory_limit, "memory_budget", lambda: 4000)
    for name in ("t.npy", "t.npz", "t.csv", "t.csv.gz"):
        with pytest.raises(InputError, match="in memory"):
            read(tmp_path / name)


def test_npz(tmp_path):
    X, y = RNG.normal(size=(9, 3)), np.arange(9)
    np.savez(tmp_path / "t.npz", X=X, y=y)
    data = read(tmp_path / "t.npz")
    np.testing.assert_array_equal(data.matrix(), X)
    np.testing.assert_array_equal(data.target, y)
    np.testing.assert_array_equal(data.take([4, 2]).target, [4, 2])
    np.savez(tmp_path / "t.npz", faces=np.zeros((4, 6, 5), np.uint8), labels=np.arange(4))
    assert read(tmp_path / "t.npz").target.tolist() == [0, 1, 2, 3]
    np.savez(tmp_path / "t.npz", a=X, b=X)
    with pytest.raises(InputError, match="holds the arrays a, b"):
        read(tmp_path / "t.npz")
    np.savez(tmp_path / "t.npz", X=X, y=y[:5])
    with pytest.raises(InputError, match="5 labels"):
        read(tmp_path / "t.npz")
    (tmp_path / "t.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match="no readable NPZ"):
        read(tmp_path / "t.npz")


def test_npz_with_its_own_parts(tmp_path):
    path = tmp_path / "t.npz"
    rows = {n: RNG.normal(size=(k, 2)) for n, k in (("train", 60), ("valid", 20), ("test", 11))}
    np.savez(path, **rows)
    data = read(path)
    assert len(data) == 91
    for name, part in rows.items():
        np.testing.assert_array_equal(getattr(data, name).matrix(), part)
    # What is not there is cut from what was held out, or else from the training rows.
    np.savez(path, train=rows["train"], valid=rows["valid"])
    data = read(path)
    np.testing.assert_array_equal(data.train.matrix(), rows["train"])
    held = np.concatenate([data.valid.matrix(), data.test.matrix()])
    assert len(data.valid) == len(data.test) == 10
    assert {tuple(r) for r in held} == {tuple(r) for r in rows["valid"]}
    np.savez(path, train=rows["train"], test=rows["test"])
    data = read(path)
    np.testing.assert_array_equal(data.test.matrix(), rows["test"])
    assert (len(data.train), len(data.valid)) == (54, 6)
    np.savez(path, train=rows["train"], valid=np.zeros((5, 3)))
    with pytest.raises(InputError, match="the same in each"):
        read(path)


def idx(array, code: int) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape) + array.tobytes()


def test_idx(tmp_path):
    images = RNG.integers(0, 255, (6, 5, 4)).astype(np.uint8)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx(images, 8)))
    data = read(path)
    assert data.target is None
    np.testing.assert_array_equal(data.images[:, 0], images)
    labels = tmp_path / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(gzip.compress(idx(np.arange(6, dtype=np.uint8), 8)))
    assert read(path).target.tolist() == list(range(6))
    table = RNG.normal(size=(7, 2)).astype(">f8")
    (tmp_path / "t.idx").write_bytes(idx(table, 14))
    np.testing.assert_array_equal(read(tmp_path / "t.idx").matrix(), table)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (struct.pack(">HBB3I", 0, 8, 3, 10**6, 10**4, 10**4), "cut off or damaged"),
        (struct.pack(">HBB", 0, 8, 3), "header is cut off"),
        (struct.pack(">HBBI", 0, 8, 1, 4) + b"abcde", "5 follow"),
        (struct.pack(">HBBI", 0, 99, 1, 4) + b"abcd", "no IDX file"),
        (b"", "no IDX file"),
    ],
)
def test_bad_idx_is_explained(tmp_path, content, message):
    path = tmp_path / "images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(path)


def chain(array) -> list[type]:
    """The types of the arrays that an array is a view of, itself first."""
    types = []
    while isinstance(array, np.ndarray):
        types.append(type(array))
        array = array.base
    return types


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(60, 6, 5), (60, 3, 6, 5), (60, 6, 5, 3)])
def test_large_images_are_mapped(tmp_path, monkeypatch, shape, order):
    pixels = np.asarray(RNG.integers(0, 256, shape), np.uint8, order=order)
    path = tmp_path / "t.npy"
    np.save(path, pixels)
    whole = read(path)
    monkeypatch.setattr(read_arrays, "MAPPED", pixels.nbytes)
    data = read(path)
    assert np.memmap in chain(data.images)
    assert np.memmap not in chain(whole.images)
    assert np.memmap in chain(data.take(slice(5, 9)).images)
    assert np.memmap not in chain(data.take([5, 7]).images)
    assert data.fingerprint() == whole.fingerprint()
    for part in ("train", "valid", "test"):
        np.testing.assert_array_equal(getattr(data, part).images, getattr(whole, part).images)
    with pytest.raises(ValueError, match="read-only"):
        data.images[0] = 0
    monkeypatch.setattr(read_arrays, "MAPPED", pixels.nbytes + 1)
    assert np.memmap not in chain(read(path).images)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(1, 20, 20), (20, 20, 3)])
def test_mapped_images_are_hashed_in_blocks(tmp_path, monkeypatch, kind, shape):
    pixels = RNG.integers(0, 256, (4000, *shape)).astype(kind)
    np.save(tmp_path / "t.npy", pixels)
    monkeypatch.setattr(read_arrays, "MAPPED", 1000)
    monkeypatch.setattr(memory_limit, "memory_budget", lambda: 1000)  # nothing of it is allocated
    monkeypatch.setattr(hashing, "_WORDS", 1 << 12)
    monkeypatch.setattr(module_of_pixels, "_BLOCK", 1 << 14)
    tracemalloc.start()
    try:
        data = read(tmp_path / "t.npy")
        data.take(slice(0, 3000)).fingerprint()
        row_hashes(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < pixels.nbytes / 2


def test_large_idx_is_mapped(tmp_path, monkeypatch):
    images = RNG.integers(0, 256, (60, 6, 5)).astype(np.uint8)
    path, zipped = tmp_path / "t-images-idx3-ubyte", tmp_path / "z-images-idx3-ubyte.gz"
    path.write_bytes(idx(images, 8))
    zipped.write_bytes(gzip.compress(idx(images, 8)))
    (tmp_path / "t-labels-idx1-ubyte").write_bytes(idx(np.arange(60, dtype=np.uint8), 8))
    monkeypatch.setattr(read_arrays, "MAPPED", images.nbytes)
    data = read(path)
    assert np.memmap in chain(data.images)
    assert data.target.tolist() == list(range(60))
    np.testing.assert_array_equal(data.images[:, 0], images)
    assert np.memmap not in chain(read(zipped).images)
    # Values of more bytes stand in the other order in these files: they are read.
    (tmp_path / "f.idx").write_bytes(idx(images.astype(">f4"), 13))
    assert np.memmap not in chain(read(tmp_path / "f.idx").images)
    path.write_bytes(idx(images, 8)[:-1])
    with pytest.raises(InputError, match="cut off or damaged"):
        read(path)


# Images and recordings -------------------------------------------------------------------------


def test_image_folder(tmp_path):
    pixels = RNG.integers(0, 255, (3, 5, 4)).astype(np.uint8)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    (tmp_path / "notes.txt").write_text("no image")
    data = read(tmp_path)
    assert data.schema.image_shape == (1, 5, 4)
    np.testing.assert_array_equal(data.images[:, 0], pixels)
    Image.new("RGB", (4, 5), (1, 2, 3)).save(tmp_path / "3.png")
    data = read(tmp_path)
    assert data.schema.image_shape == (3, 5, 4)
    assert data.images[3, :, 0, 0].tolist() == [1, 2, 3]
    Image.new("L", (9, 5)).save(tmp_path / "4.png")
    with pytest.raises(InputError, match=r"4\.png is 9 x 5 pixels"):
        read(tmp_path)
    (tmp_path / "4.png").write_bytes(b"\x89PNG no more")
    with pytest.raises(InputError, match=r"4\.png is no readable image"):
        read(tmp_path)


def test_lists_of_images_are_alike():
    images = [RNG.random((5, 4)) for _ in range(3)]
    for given in (images, tuple(images)):
        np.testing.assert_array_equal(stack_images(given), np.array(images))
    objects = np.empty(3, dtype=object)
    objects[:] = images
    assert stack_images(objects).shape == (3, 5, 4)
    for other, message in (
        (np.zeros((6, 4)), r"image 2 has shape \(6, 4\), image 0 \(5, 4\); expected images of one"),
        (np.zeros((5, 4, 3)), r"image 2 has shape \(5, 4, 3\), image 0 \(5, 4\)"),
        (np.zeros((5, 4), np.uint8), "image 2 is of type uint8, image 0 of type float64"),
    ):
        objects[2] = other
        for mixed in ([*images[:2], other], objects):
            with pytest.raises(InputError, match=message):
                stack_images(mixed)
    # What is no list of images stays what it is.
    for X in ([[1, 2], [3, 4]], [], np.zeros((3, 2)), {"a": images[0]}, [np.zeros(3), np.zeros(3)]):
        assert stack_images(X) is X


def test_a_plain_ppm_of_16_bits_is_refused(tmp_path):
    (tmp_path / "deep.ppm").write_bytes(b"P3 1 1 65535\n1 2 3\n")
    with pytest.raises(InputError, match=r"deep\.ppm is a plain PPM of more than 8 bits"):
        read(tmp_path)


def test_transparency_is_shown_on_white(tmp_path):
    clear = Image.new("RGBA", (4, 5), (10, 20, 30, 0))
    clear.putpixel((1, 2), (10, 20, 30, 255))
    clear.save(tmp_path / "a.png")
    Image.new("LA", (4, 5), (100, 51)).save(tmp_path / "b.png")
    palette = Image.new("P", (4, 5), 1)
    palette.putpalette([9, 9, 9, 1, 2, 3])
    palette.save(tmp_path / "c.png", transparency=0)
    data = read(tmp_path)
    assert data.images[0, :, 0, 0].tolist() == [255, 255, 255]
    assert data.images[0, :, 2, 1].tolist() == [10, 20, 30]
    assert set(np.unique(data.images[1])) == {224}  # 255 - 0.2 * 155
    assert data.images[2, :, 0, 0].tolist() == [1, 2, 3]
    # Grey ones stay grey.
    (tmp_path / "a.png").unlink()
    (tmp_path / "c.png").unlink()
    assert read(tmp_path).images.shape == (1, 1, 5, 4)


def tar(path, members, mode: str = "w"):
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            if isinstance(content, Image.Image):
                stream = io.BytesIO()
                content.save(stream, "png")
                content = stream.getvalue()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize(("name", "mode"), [("t.tar", "w"), ("t.tar.gz", "w:gz"), ("data", "w")])
def test_tar_of_images(tmp_path, name, mode):
    pixels = RNG.integers(0, 255, (3, 6, 4)).astype(np.uint8)
    members = {f"faces/{9 - i}_x.png": Image.fromarray(image) for i, image in enumerate(pixels)}
    members |= {"notes.txt": b"no image", "faces/._9_x.png": b"hidden"}
    path = tar(tmp_path / name, members, mode)
    data = read(path)
    assert data.target is None
    np.testing.assert_array_equal(data.images[:, 0], pixels)
    images, names = read_tar_images(path, limit=2)
    assert names == ["faces/9_x.png", "faces/8_x.png"]
    np.testing.assert_array_equal(images, pixels[:2, None])
    half = read_tar_images(path, size=(3, 2))[0]
    means = pixels.reshape(3, 1, 3, 2, 2, 2).mean(axis=(3, 5))
    assert np.abs(half - means).max() <= 1  # rounded along each axis
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]  # nothing is extracted


def test_tar_of_classes_and_colours(tmp_path):
    grey, colour = Image.new("L", (4, 5), 7), Image.new("RGB", (4, 5), (1, 2, 3))
    path = tar(tmp_path / "t.tar", {"b/0.png": grey, "a/1.png": colour, "../../b/2.png": grey})
    data = read(path)
    assert data.target.tolist() == ["b", "a", "b"]
    assert data.images[:, :, 0, 0].tolist() == [[7, 7, 7], [1, 2, 3], [7, 7, 7]]


def test_bad_tar_is_explained(tmp_path, monkeypatch):
    grey = Image.new("L", (4, 5), 7)
    members = {"a/0.png": grey, "a/1.png": Image.new("L", (6, 5))}
    path = tar(tmp_path / "t.tar", members)
    with pytest.raises(InputError, match=r"a/1\.png is 6 x 5 pixels, a/0\.png 4 x 5"):
        read(path)
    assert read_tar_images(path, size=(8, 8))[0].shape == (2, 1, 8, 8)
    with pytest.raises(InputError, match="expected positive"):
        read_tar_images(path, limit=0)
    with pytest.raises(InputError, match=r"a/1\.png is no readable image"):
        read(tar(tmp_path / "t.tar", {"a/0.png": grey, "a/1.png": b"\x89PNG no more"}))
    with pytest.raises(InputError, match="holds no images"):
        read(tar(tmp_path / "t.tar", {"a.txt": b"text"}))
    content = tar(tmp_path / "t.tar", {"a/0.png": RNG.bytes(5000)}).read_bytes()
    for damaged in (content[:2000], b"", b"no archive"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="no readable TAR file"):
            read(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_tar_images(tmp_path / "absent.tar")
    path = tar(tmp_path / "t.tar", {"a/0.png": grey})
    monkeypatch.setattr(memory_limit, "memory_budget", lambda: 10)
    with pytest.raises(InputError, match="in memory"):
        read(path)


def test_folder_of_classes(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.new("L", (4, 4), i).save(tmp_path / name / f"{i}.png")
    data = read(tmp_path)
    assert data.target.tolist() == ["cat", "cat", "dog", "dog"]
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no images or WAV"):
        read(tmp_path / "none")


def test_recordings(tmp_path):
    wavfile.write(tmp_path / "a.wav", 8000, (np.sin(np.arange(100)) * 2**14).astype(np.int16))
    wavfile.write(tmp_path / "b.wav", 16000, RNG.uniform(-1, 1, (50, 2)).astype(np.float32))
    wavfile.write(tmp_path / "c.wav", 8000, np.full(20, 128, np.uint8))
    data = read(tmp_path)
    assert data.schema.sequence
    assert [s.shape for s in data.sequences] == [(100,), (50, 2), (20,)]
    assert data.rates == (8000, 16000, 8000)
    assert np.abs(data.sequences[0]).max() == pytest.approx(0.5, abs=0.01)
    assert (data.sequences[2] == 0).all()
    assert data.take([2, 0]).rates == (8000, 8000)
    assert len(data.fingerprint()) == 64
    assert len(read(tmp_path / "a.wav")) == 1
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "b.wav").write_bytes(content[:-50])
    with pytest.raises(InputError, match=r"b\.wav says that"):
        read(tmp_path)
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match=r"b\.wav is no WAV file"):
        read(tmp_path)


# The rest --------------------------------------------------------------------------------------


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    frame = pd.DataFrame({"x": RNG.normal(size=40), "t": ["a", "b", None, "a"] * 10, "n": 1})
    frame.to_parquet(tmp_path / "t.parquet")
    data = read(tmp_path / "t.parquet")
    assert [c.kind for c in data.schema.columns] == ["real", "binary", "constant"]
    np.testing.assert_array_equal(data.columns["x"], frame["x"])
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match="no readable Parquet"):
        read(tmp_path / "t.parquet")


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"pip install 'ppgen\[parquet\]'"):
        read(tmp_path / "t.parquet")


def test_formats_are_known_by_their_first_bytes(tmp_path):
    stream = io.BytesIO()
    np.save(stream, np.ones((3, 2)))
    for content, n in ((stream.getvalue(), 3), (b"a b\n1.5 2\n", 1)):
        (tmp_path / "data").write_bytes(content)
        assert len(read(tmp_path / "data")) == n
    (tmp_path / "data").write_bytes(b"\x7fELF\0\0\0")
    with pytest.raises(InputError, match="no known format"):
        read(tmp_path / "data")


def test_unknown_names():
    with pytest.raises(InputError, match=r"'wien'\. Did you mean 'wine'"):
        read("wien")
    with pytest.raises(InputError, match=r"Did you mean 'toy:8gaussians'"):
        read("toy:8gausians")


def test_schema_and_seed(tmp_path):
    path = write(tmp_path, "m,k\n" + "".join(f"{i + 0.5},{i % 3}\n" for i in range(90)))
    data = read(path, schema={"m": "positive", "k": "categorical"}, split_seed=3)
    assert [c.kind for c in data.schema.columns] == ["positive", "categorical"]
    assert data.split_seed == 3
    assert data.train.fingerprint() != read(path, schema=data.schema).train.fingerprint()
    assert read(path, schema=data.schema).schema == data.schema
    with pytest.raises(InputError, match=r"'m' holds 0\.5 in row 0"):
        read(path, schema={"m": {"kind": "interval", "lower": 1, "upper": 99}})
    assert len(read(np.ones((3, 2)))) == 3
