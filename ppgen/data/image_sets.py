"""Public sets of images by name, from a local folder or downloaded once.

References:
    LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition"
    (1998), https://doi.org/10.1109/5.726791 (MNIST, CC BY-SA 3.0).
    Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms" (2017), https://arxiv.org/abs/1708.07747 (MIT).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import InputError, unknown
from ..files import sha256
from .dataset import Dataset, as_dataset
from .read_arrays import load_idx

TRAIN = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
TEST = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
_CLOTHES = "T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot"


@dataclass(frozen=True)
class ImageSet:
    """A public set of images.

    Attributes:
        about: what it is.
        hashes: file name -> SHA-256 of the official file.
        mirrors: folders on the web that hold the files.
        classes: what the labels 0, 1, ... stand for.
    """

    about: str
    hashes: dict[str, str]
    mirrors: tuple[str, ...]
    classes: tuple[str, ...]


IMAGE_SETS: dict[str, ImageSet] = {
    "mnist": ImageSet(
        "70,000 handwritten digits, images of 28 x 28; the digit is the target; 12 MB downloaded",
        {
            TRAIN[0]: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            TRAIN[1]: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            TEST[0]: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            TEST[1]: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
        (
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        tuple("0123456789"),
    ),
    "fashion_mnist": ImageSet(
        "70,000 articles of clothing, images of 28 x 28; the kind is the target; 31 MB downloaded",
        {
            TRAIN[0]: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            TRAIN[1]: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            TEST[0]: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            TEST[1]: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        tuple(_CLOTHES.split(", ")),
    ),
}
"""Name -> what it is and where it comes from. Nothing is downloaded before it is loaded."""


def load_images(name: str, folder: str | os.PathLike[str] | None = None) -> Dataset:
    """A public set of images.

    Args:
        name: one of `IMAGE_SETS`.
        folder: where the official gzipped IDX files lie. None looks into the folder `name` in the
            one that the environment variable PPGEN_DATA names, and downloads the files into the
            cache where they are not there.

    Returns:
        `images` (n, 1, 28, 28) as bytes; `target` (n,), the labels 0 to 9, which
        `IMAGE_SETS[name].classes` names. Of the 60,000 images of the training files the first
        50,000 are the `train` part and the others `valid`; the 10,000 of the test files are `test`.
        A local folder may hold the training files alone: `valid` is then the first half of the
        others and `test` the second.

    Raises:
        InputError: if there is no such set, the folder does not hold the files, one of them has
            another SHA-256 than the official one, or cannot be downloaded.
    """
    from .download import fetch

    if name not in IMAGE_SETS:
        raise unknown("set of images", name, IMAGE_SETS)
    official = IMAGE_SETS[name]
    root = os.environ.get("PPGEN_DATA", "")
    place = None if folder is None else Path(folder)
    if place is None and root and all((Path(root) / name / file).is_file() for file in TRAIN):
        place = Path(root) / name
    if place is None:
        files = {
            file: fetch([m + file for m in official.mirrors], digest, Path(name) / file)
            for file, digest in official.hashes.items()
        }
    else:
        files = _checked(official, name, place)
    images, labels = (load_idx(files[file]) for file in TRAIN)
    n = len(images)
    ends = [n * 5 // 6, (n * 5 // 6 + n) // 2, n]
    if TEST[0] in files:
        images = np.concatenate([images, load_idx(files[TEST[0]])])
        labels = np.concatenate([labels, load_idx(files[TEST[1]])])
        ends[1:] = n, len(images)
    parts = (slice(0, ends[0]), slice(ends[0], ends[1]), slice(ends[1], ends[2]))
    return replace(as_dataset(images[:, None]), target=labels.astype(np.int64), parts=parts)


def _checked(official: ImageSet, name: str, folder: Path) -> dict[str, Path]:
    """The official files in a folder: all four, or those of the training images."""
    files = {file: folder / file for file in official.hashes if (folder / file).is_file()}
    needed = (*TRAIN, *TEST) if any(file in files for file in TEST) else TRAIN
    absent = [file for file in needed if file not in files]
    if absent:
        raise InputError(
            f"{folder} does not hold {' and '.join(absent)} of {name}. Put the official files "
            "there, or give no folder: they are then downloaded."
        )
    for file, path in files.items():
        digest, expected = sha256(path), official.hashes[file]
        if digest != expected:
            raise InputError(
                f"{path} is not the official file: its SHA-256 is {digest}, expected {expected}. "
                "Get it again, or read it as a file of your own: ppgen.read(path)."
            )
    return files
