"""Pictures as people have them: folders, archives, orientations, depths, sizes, torch data sets."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ppgen
from ppgen.data import as_dataset, read
from ppgen.data.folder_layout import arranged
from ppgen.data.read_images import LeftOut
from ppgen.data.stacking import layout_of
from ppgen.errors import InputError

RNG = np.random.default_rng(0)


def save(path: Path, values: Any = 7, size: tuple[int, int] = (4, 5), **how: Any) -> Path:
    """A picture of values (h, w) or (h, w, 3), or of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.full(size, values, np.uint8) if np.isscalar(values) else values
    Image.fromarray(values).save(path, **how)
    return path


def names(*given: str) -> list[PurePosixPath]:
    return [PurePosixPath(name) for name in given]


# What names say


def test_a_stray_picture_beside_classes_is_left_out_and_said(tmp_path: Path) -> None:
    for kind in ("cat", "dog"):
        for i in range(10):
            save(tmp_path / kind / f"{i}.png", i)
    save(tmp_path / "preview.png")
    save(tmp_path / "cat" / "._a.png")
    save(tmp_path / "cat" / ".ipynb_checkpoints" / "0-checkpoint.png")
    save(tmp_path / "__MACOSX" / "cat" / "0.png")
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.warns(LeftOut, match=r"left out 1 picture beside.*\(preview\.png\)") as said:
        data = read(tmp_path)
    (line,) = [str(one.message) for one in said]
    assert "3 hidden files and folders" in line
    assert "1 file that is no picture (notes.txt)" in line
    assert "\n" not in line
    assert line == f"{tmp_path}: {data.notes[0]}"
    assert data.notes[0] in repr(data)
    assert len(data) == 20
    assert data.target.tolist() == ["cat"] * 10 + ["dog"] * 10
    assert data.files[[0, 19]].tolist() == ["cat/0.png", "dog/9.png"]
    some = data.take([19, 0])
    assert (some.files.tolist(), some.notes) == (["dog/9.png", "cat/0.png"], data.notes)


def test_folders_of_parts_are_parts_and_the_classes_are_below_them(tmp_path: Path) -> None:
    for at, n in (("train/cat", 6), ("train/dog", 5), ("test/cat", 2), ("test/dog", 3)):
        for i in range(n):
            save(tmp_path / at / f"{i}.png", RNG.integers(0, 255, (4, 5)).astype(np.uint8))
    data = read(tmp_path)
    assert set(data.target.tolist()) == {"cat", "dog"}
    assert data.test.target.tolist() == ["cat"] * 2 + ["dog"] * 3
    assert sorted(data.test.files) == [f.as_posix() for f in sorted(_below(tmp_path, "test"))]
    assert len(data.train) + len(data.valid) == 11
    assert len(data.valid) == 1  # a tenth of the training pictures
    assert {f.split("/")[0] for f in [*data.train.files, *data.valid.files]} == {"train"}


def _below(folder: Path, name: str) -> list[Path]:
    return [f.relative_to(folder) for f in (folder / name).rglob("*.png")]


@pytest.mark.parametrize(
    ("given", "classes", "parts"),
    [
        (["a.png", "b.png"], None, None),
        (["set/a.png", "set/b.png"], None, None),  # one folder is no class
        (["set/cat/a.png", "set/dog/x/b.png"], ["cat", "dog"], None),
        (["a/1.png", "a/x/2.png", "b/y/3.png"], ["a", "a", "b"], None),
        (["Train/images/a.png", "val/images/b.png"], None, {"train": [0], "valid": [1]}),
        (
            ["training/cat/a.png", "training/dog/b.png", "testing/cat/c.png"],
            ["cat", "dog", "cat"],
            {"train": [0, 1], "test": [2]},
        ),
        (["d/train/cat/a.png", "d/train/dog/b.png"], ["cat", "dog"], None),
    ],
)
def test_names_say_classes_and_parts(given: list[str], classes: Any, parts: Any) -> None:
    found = arranged(names(*given))
    assert found.left_out == ()
    assert (None if found.classes is None else found.classes.tolist()) == classes
    got = found.parts and {name: at.tolist() for name, at in found.parts.items()}
    assert got == parts


def test_what_lies_beside_the_others_is_left_out_where_it_is_less() -> None:
    many = [f"{i}.png" for i in range(9)]
    found = arranged(names(*many, "old/a.png", "old/b.png"))
    assert (found.kept.tolist(), found.classes) == (list(range(9)), None)
    assert "2 pictures in folders below the others (old/a.png, old/b.png)" in found.left_out
    # Pictures to be labelled lie in no class folder.
    found = arranged(names("train/cat/a.png", "train/dog/b.png", *(f"test/{m}" for m in many)))
    assert found.kept.tolist() == [0, 1]
    assert found.parts is None
    assert found.classes is not None
    assert found.left_out[0].startswith("9 pictures beside")


# One picture


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "tif"])
def test_pictures_are_upright_whatever_their_orientation_tag(
    tmp_path: Path, tag: int, kind: str
) -> None:
    grey = np.kron(np.arange(6).reshape(2, 3) * 50, np.ones((8, 8))).astype(np.uint8)
    stored = {
        1: grey,
        2: grey[:, ::-1],
        3: grey[::-1, ::-1],
        4: grey[::-1],
        5: grey.T,
        6: np.rot90(grey),
        7: grey[::-1, ::-1].T,
        8: np.rot90(grey, -1),
    }[tag]
    exif = Image.Exif()
    exif[274] = tag
    save(tmp_path / f"a.{kind}", grey, **({"quality": 95} if kind == "jpg" else {}))
    save(
        tmp_path / f"b.{kind}",
        np.ascontiguousarray(stored),
        exif=exif,
        **({"quality": 95} if kind == "jpg" else {}),
    )
    data = read(tmp_path)
    assert data.schema.image_shape == (1, 16, 24)
    near = 12 if kind == "jpg" else 0
    assert np.abs(data.images[0].astype(int) - data.images[1]).max() <= near
    assert read(tmp_path, crop=True).schema.image_shape == (1, 16, 24)  # sizes are upright, too


def deep_png(values: Any) -> bytes:
    """A PNG of values (h, w, c) of 16 bits."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    height, width, channels = values.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def deep_tiff(values: Any, order: str) -> bytes:
    """An uncompressed TIFF of colours (h, w, 3) of 16 bits, little or big end first."""
    height, width, _ = values.shape
    tags = [(256, 3, width), (257, 3, height), (258, 3, 0), (259, 3, 1), (262, 3, 2), (277, 3, 3)]
    tags += [(273, 4, 0), (278, 3, height), (279, 4, values.size * 2)]
    tags.sort()
    bits = 8 + 2 + 12 * len(tags) + 4
    at = {273: bits + 6, 258: bits}
    body = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HI", 42, 8)
    body += struct.pack(order + "H", len(tags))
    for tag, kind, value in tags:
        count, value = (3, at[tag]) if tag == 258 else (1, at.get(tag, value))
        wide = kind == 4 or count > 1
        body += struct.pack(order + "HHI", tag, kind, count)
        body += struct.pack(order + ("I" if wide else "HH"), *([value] if wide else [value, 0]))
    body += struct.pack(order + "I", 0) + struct.pack(order + "3H", 16, 16, 16)
    return body + values.astype(order + "u2").tobytes()


@pytest.mark.parametrize("kind", ["1.png", "3.png", "3.ppm", "<.tif", ">.tif", "1.tif", "1.pgm"])
def test_files_of_16_bits_keep_their_values(tmp_path: Path, kind: str) -> None:
    values = RNG.integers(0, 1 << 16, (5, 4, 3)).astype(np.uint16)
    path = tmp_path / f"a{Path(kind).suffix}"
    if kind.endswith("png"):
        values = values[..., : int(kind[0])]
        path.write_bytes(deep_png(values))
    elif kind == "3.ppm":
        path.write_bytes(b"P6 4 5 65535\n" + values.astype(">u2").tobytes())
    elif kind[0] in "<>":
        path.write_bytes(deep_tiff(values, kind[0]))
    else:
        values = values[..., :1]
        Image.fromarray(values[..., 0]).save(path)
    data = read(path)
    assert data.images.dtype == np.uint16
    np.testing.assert_array_equal(np.moveaxis(data.images[0], 0, 2), values)
    assert data.schema.pixels.levels == 65536
    half = read(path, size=(5, 2)).images[0]
    expected = values.astype(float).reshape(5, 2, 2, -1).mean(axis=2)
    assert np.abs(np.moveaxis(half, 0, 2) - expected).max() <= 1


def test_what_is_transparent_is_shown_on_white_in_16_bits(tmp_path: Path) -> None:
    values = np.zeros((2, 2, 4), np.uint16)
    values[0, 0] = (100, 200, 300, 65535)
    values[0, 1] = (0, 0, 0, 32768)
    (tmp_path / "a.png").write_bytes(deep_png(values))
    shown = read(tmp_path / "a.png").images[0]
    assert shown[:, 0, 0].tolist() == [100, 200, 300]
    assert shown[:, 0, 1].tolist() == [32767] * 3
    assert shown[:, 1, 1].tolist() == [65535] * 3
    (tmp_path / "b.png").write_bytes(deep_png(values[..., [0, 3]]))
    grey = read(tmp_path / "b.png").images[0]
    assert grey.tolist() == [[[100, 32767], [65535, 65535]]]


def test_pictures_of_8_and_16_bits_share_a_scale(tmp_path: Path) -> None:
    eight = RNG.integers(0, 256, (5, 4)).astype(np.uint8)
    sixteen = RNG.integers(0, 1 << 16, (5, 4)).astype(np.uint16)
    for order in ((eight, sixteen), (sixteen, eight)):
        for name, values in zip("ab", order, strict=True):
            Image.fromarray(values).save(tmp_path / f"{name}.png")
        images = read(tmp_path).images[:, 0]
        expected = [v * np.uint16(257) if v.dtype == np.uint8 else v for v in order]
        expected = [v.astype(np.uint16) for v in expected]
        expected[0 if order[0] is eight else 1] = eight.astype(np.uint16) * 257
        np.testing.assert_array_equal(images, expected)
    Image.fromarray(RNG.random((5, 4)).astype(np.float32)).save(tmp_path / "c.tif")
    with pytest.raises(InputError, match=r"c\.tif holds values of type float32, a\.png uint16"):
        read(tmp_path)
    real = read(tmp_path / "c.tif")
    assert (real.schema.pixels.kind, real.images.dtype) == ("real", np.float32)


def test_two_valued_pictures_are_two_valued_and_palettes_may_be_grey(tmp_path: Path) -> None:
    bits = RNG.integers(0, 2, (6, 5)).astype(bool)
    Image.fromarray(bits).save(tmp_path / "a.png")
    data = read(tmp_path)
    assert (data.schema.pixels.kind, data.schema.pixels.high) == ("binary", 255)
    np.testing.assert_array_equal(data.images[0, 0], bits * 255)
    Image.fromarray((bits * 255).astype(np.uint8)).convert("P").save(tmp_path / "b.gif")
    assert read(tmp_path).schema.image_shape == (1, 6, 5)
    assert len(read(tmp_path / "a.png")) == 1


# Sizes


def test_pictures_are_brought_to_a_size_while_they_are_read(tmp_path: Path) -> None:
    wide = np.zeros((4, 12), np.uint8)
    wide[:, 4:8] = 200
    save(tmp_path / "a.png", wide)
    save(tmp_path / "b.png", 200, (6, 6))
    with pytest.raises(InputError, match=r"b\.png is 6 x 6.*a\.png 12 x 4.*size=4, and crop=True"):
        read(tmp_path)
    squeezed = read(tmp_path, size=(2, 6))
    assert squeezed.schema.image_shape == (1, 2, 6)
    assert squeezed.images[0, 0].tolist() == [[0, 0, 200, 200, 0, 0]] * 2
    cropped = read(tmp_path, size=4, crop=True)
    assert cropped.schema.image_shape == (1, 4, 4)
    assert (cropped.images == 200).all()
    least = read(tmp_path, crop=True)
    assert least.schema.image_shape == (1, 4, 6)
    assert least.images[0, 0, 0].tolist() == [0, 200, 200, 200, 200, 0]
    for size in (0, (3,), (2, -1), "x", 2.5, (2, 3, 4)):
        with pytest.raises(InputError, match="expected pixels"):
            read(tmp_path, size=size)
    (tmp_path / "t.csv").write_text("a\n1\n2\n")
    for given in (tmp_path / "t.csv", "wine", np.zeros((3, 4, 4))):
        with pytest.raises(InputError, match="leave them out"):
            read(given, size=4)


def test_a_fit_reads_pictures_as_its_own_were(tmp_path: Path) -> None:
    for i in range(20):
        values = RNG.integers(0, 255, (6 + i % 2, 8, 3)).astype(np.uint8)
        save(tmp_path / "many" / f"{i}.png", values)
    data = read(tmp_path / "many", size=(4, 4), crop=True)
    schema = type(data.schema).from_json(data.schema.to_json())
    assert schema.reading == data.schema.reading
    assert (schema.reading.size, schema.reading.crop) == ((4, 4), True)
    again = read(tmp_path / "many", schema=schema)
    np.testing.assert_array_equal(again.images, data.images)
    save(tmp_path / "grey.png", 9, (20, 30))
    one = read(tmp_path / "grey.png", schema=schema)  # of a fit in colour
    assert (one.images.shape, set(one.images.ravel().tolist())) == ((1, 3, 4, 4), {9})
    fit = ppgen.Autoencoder(2, kind="linear", random_state=0).fit(data)
    assert fit.encode(one).shape == (1, 2)


def test_unreadable_pictures_are_named_or_skipped(tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / f"{i}.png", RNG.integers(0, 255, (40, 40)).astype(np.uint8))
    whole = (tmp_path / "2.png").read_bytes()
    (tmp_path / "2.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"2\.png is no readable image.*skip_unreadable=True"):
        read(tmp_path)
    with pytest.warns(LeftOut, match=r"left out 2 unreadable pictures \(2\.png, empty\.jpg\)"):
        data = read(tmp_path, skip_unreadable=True)
    assert data.files.tolist() == ["0.png", "1.png", "3.png"]
    with pytest.warns(LeftOut):
        assert read(tmp_path, crop=True, skip_unreadable=True).images.shape == (3, 1, 40, 40)
    for name in ("0", "1", "3"):
        (tmp_path / f"{name}.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="none of 5 pictures can be read"):
        read(tmp_path, skip_unreadable=True)


# Archives and arrays


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_zip_of_pictures(tmp_path: Path) -> None:
    def png(value: int) -> bytes:
        stream = io.BytesIO()
        Image.new("L", (4, 5), value).save(stream, "png")
        return stream.getvalue()

    members = {"set/dog/1.png": png(2), "set/cat/0.png": png(1), "__MACOSX/set/._0.png": b"x"}
    members |= {"set/.DS_Store": b"x", "set/dog/read.me": b"x"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no picture is left out
        data = read(zipped(tmp_path / "t.zip", members))
    assert data.target.tolist() == ["cat", "dog"]
    assert data.images[:, 0, 0, 0].tolist() == [1, 2]
    assert data.files.tolist() == ["set/cat/0.png", "set/dog/1.png"]
    assert "2 hidden files and folders (__MACOSX, set/.DS_Store)" in data.notes[0]
    with pytest.raises(InputError, match=r"holds no images.*1 other file \(a\.txt\)"):
        read(zipped(tmp_path / "t.zip", {"a.txt": b"text"}))
    broken = zipped(tmp_path / "t.zip", {"a.png": png(1), "b.png": b"\x89PNG no more"})
    with pytest.raises(InputError, match=r"t\.zip/b\.png is no readable image"):
        read(broken)


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ({"imgs": (6, 4, 4), "latents_classes": (6,), "latents_values": (6, 2)}, (6,)),
        ({"images": (6, 4, 4), "labels": (6, 1)}, (6,)),
        ({"arr_0": (6, 4, 4), "arr_1": (6,)}, (6,)),
        ({"X": (6, 3), "y": (6,), "names": (3,)}, (6,)),
        ({"data": (6, 3), "feature_names": (3,), "target": (6,), "target_names": (2,)}, (6,)),
    ],
)
def test_usual_names_in_npz(tmp_path: Path, given: dict[str, Any], target: Any) -> None:
    arrays = {name: RNG.integers(0, 9, shape) for name, shape in given.items()}
    np.savez(tmp_path / "t.npz", **arrays, metadata=np.array([{"a": 1}], dtype=object))
    data = read(tmp_path / "t.npz")
    assert len(data) == 6
    assert data.target.shape == target
    assert "'metadata'" in data.notes[0]
    np.savez(tmp_path / "t.npz", X=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="Python objects are not loaded"):
        read(tmp_path / "t.npz")


@pytest.mark.parametrize("style", ["x_{}", "{}_images", "X{}", "x{}"])
def test_parts_in_npz_with_their_labels(tmp_path: Path, style: str) -> None:
    sizes = {"train": 20, "val": 5, "test": 7}
    arrays = {}
    for part, n in sizes.items():
        name = style.format(part.capitalize() if style == "X{}" else part)
        arrays[name] = RNG.integers(0, 255, (n, 4, 4)).astype(np.uint8)
        label = name.replace("images", "labels").replace("x", "y").replace("X", "y")
        arrays[label] = np.full((n, 1), len(arrays))
    np.savez(tmp_path / "t.npz", **arrays)
    data = read(tmp_path / "t.npz")
    for part, label in (("train", 1), ("valid", 3), ("test", 5)):
        rows = getattr(data, part)
        assert set(rows.target.tolist()) == {label}
        assert len(rows) == sizes["val" if part == "valid" else part]


@pytest.mark.parametrize(
    ("given", "fitted", "said"),
    [
        ((4, 8, 8, 3), (4, 8, 8), r'They are in colour, and those fitted grey\. Convert.*"L"'),
        ((4, 8, 8), (4, 8, 8, 3), r"They are grey, and those fitted in colour\. Convert them\.$"),
        ((4, 9, 9, 3), (4, 8, 8), r"Convert them and resize them"),
        ((4, 9, 9), (4, 8, 8), r"Resize them\.$"),
    ],
)
def test_pictures_of_other_colours_are_to_be_converted(given: Any, fitted: Any, said: str) -> None:
    rng = np.random.default_rng(0)
    schema = ppgen.as_dataset(rng.integers(0, 256, fitted).astype(np.uint8)).schema
    with pytest.raises(InputError, match=said):
        ppgen.as_dataset(rng.integers(0, 256, given).astype(np.uint8), schema)


def test_any_number_of_channels() -> None:
    for shape, layout, size in (
        ((9, 2, 8, 8), "chw", (2, 8, 8)),
        ((9, 8, 8, 2), "hwc", (2, 8, 8)),
        ((9, 13, 20, 30), "chw", (13, 20, 30)),
        ((9, 20, 30, 10), "hwc", (10, 20, 30)),
        ((9, 64, 8, 8), "chw", (64, 8, 8)),
        ((9, 5, 6, 3), "hwc", (3, 5, 6)),
    ):
        assert layout_of(shape) == layout
        images = RNG.random(shape)
        data = as_dataset(images)
        assert data.schema.image_shape == size
        np.testing.assert_array_equal(data.to_native(), images)
    with pytest.raises(InputError, match="does not tell"):
        as_dataset(np.zeros((9, 7, 6, 7)))


@pytest.mark.parametrize("shape", [(30, 5, 6, 6), (30, 6, 6, 2)])
@pytest.mark.parametrize("model", ["vae", "autoencoder"])
def test_pictures_of_other_channels_are_fitted_and_come_back(
    shape: tuple[int, ...], model: str
) -> None:
    X = RNG.integers(0, 256, shape).astype(np.uint8)
    kind = {"vae": ppgen.VAE, "autoencoder": ppgen.Autoencoder}[model]
    fit = kind(2, max_epochs=1, random_state=0).fit(X)
    assert fit.reconstruct(X[:3]).shape == (3, *shape[1:])
    if model == "vae":
        assert fit.sample(2).shape == (2, *shape[1:])


def test_a_torch_data_set_is_rows_and_their_labels() -> None:
    import torch
    from torch.utils.data import DataLoader, Subset, TensorDataset

    X = torch.arange(2 * 3 * 4 * 4, dtype=torch.float32).reshape(6, 1, 4, 4)
    pairs = TensorDataset(X, torch.arange(6))
    data = as_dataset(pairs)
    np.testing.assert_array_equal(data.images, X.numpy())
    assert data.target.tolist() == [0, 1, 2, 3, 4, 5]
    assert read(Subset(pairs, [4, 1])).target.tolist() == [4, 1]
    assert as_dataset(TensorDataset(X)).target is None
    table = TensorDataset(torch.randn(30, 2, generator=torch.Generator().manual_seed(0)))
    fit = ppgen.Gaussian().fit(table)
    assert fit.score(table) == fit.score(table.tensors[0].numpy())
    np.testing.assert_array_equal(as_dataset(X.clone().requires_grad_()).images, X.numpy())
    with pytest.raises(InputError, match=r"loader\.dataset"):
        as_dataset(DataLoader(pairs))

    class Pictures(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return 3

        def __getitem__(self, i: int) -> Any:
            return Image.new("RGB", (4, 5), (i, 2, 3)), "ab"[i % 2]

    shown = as_dataset(Pictures())
    assert shown.schema.image_shape == (3, 5, 4)
    assert shown.target.tolist() == ["a", "b", "a"]


def test_pictures_of_pillow_are_images() -> None:
    pictures = [Image.new("RGB", (4, 5), (i, 2, 3)) for i in range(3)]
    data = as_dataset(pictures)
    assert data.schema.image_shape == (3, 5, 4)
    assert data.images[:, 0, 0, 0].tolist() == [0, 1, 2]
    one = as_dataset(pictures[1])  # a data set of one
    np.testing.assert_array_equal(one.images, data.images[1:2])
