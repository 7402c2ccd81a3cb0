"""Images out of a command: a folder of pictures, one picture, a sheet of many, or arrays."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .output import ARRAY_ENDINGS, say, write_file, write_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import Schema

_DEEP = ("PNG", "TIFF", "PPM")  # formats that hold grey values of 16 bits
_WORDS = (
    "a picture (.png, .jpg, ...), an array (.npy, .npz), or a folder that is not there yet, in "
    "which pictures keep the names of their files"
)


def check_pictures(out: Path | None) -> None:
    """Raise InputError, before any work, where images could not be written to `out`."""
    from ..data.media_sources import PICTURES

    if out is None:
        raise InputError(f"images are no table: write them to a file with -o, {_WORDS}.")
    ending = out.suffix.lower()
    if ending not in ("", *PICTURES, *ARRAY_ENDINGS):
        raise InputError(f"the output {out} ends in {ending}; expected {_WORDS}.")
    if not ending and out.exists():
        raise InputError(f"{out} is there already; give another name, or remove it.")
    if ending and out.is_dir():
        raise InputError(f"the output {out} is a folder; give the name of a file.")
    if not out.parent.is_dir():
        raise InputError(f"the output's folder {out.parent} does not exist; make it first.")


def write_pictures(images: Any, schema: Schema, files: Any, out: Path) -> None:
    """Write images that are rows of a schema, or lie between the values of such.

    Args:
        images: (n, ...) in the layout of the schema.
        schema: of the fit.
        files: (n,) the names of the files that they came from, or None.
        out: what `check_pictures` takes. Several images in one picture are a sheet of them.
    """
    import numpy as np

    from ..files import whole_folder

    images = np.asarray(images)
    if not out.suffix:
        width = len(str(len(images) - 1))
        names = [f"{i:0{width}}.png" for i in range(len(images))] if files is None else files
        with whole_folder(out) as folder:
            for name, content in zip(names, encoded_pictures(images, schema, names), strict=True):
                (folder / str(name)).parent.mkdir(parents=True, exist_ok=True)
                (folder / str(name)).write_bytes(content)
    elif out.suffix.lower() in ARRAY_ENDINGS or len(images) > 1:
        if out.suffix.lower() not in (*ARRAY_ENDINGS, ".png"):
            raise InputError(f"a sheet of {len(images)} images is a PNG; {out} is none.")
        write_rows(images, schema, out)
    else:
        write_file(out, encoded_pictures(images, schema, [out.name])[0])


def encoded_pictures(images: Any, schema: Schema, names: Sequence[Any]) -> list[bytes]:
    """The files of images, which their names' endings say the formats of: 8 bits a value, or 16
    where those fitted were grey and had them, and the format has."""
    import numpy as np
    from PIL import Image

    from ..data.stacking import in_shape

    assert schema.image_shape is not None
    assert schema.pixels is not None
    pixels = schema.pixels
    shares = in_shape(np.asarray(images), schema.image_shape, schema.layout).astype(np.float64)
    shares = ((shares - pixels.low) / max(pixels.high - pixels.low, 1e-300)).clip(0, 1)
    if shares.shape[1] not in (1, 3):
        say(f"of {shares.shape[1]} channels, the first three are shown as red, green and blue.")
        blank = np.zeros((len(shares), 1, *shares.shape[2:]))
        shares = np.concatenate([shares, blank], axis=1)[:, :3]
    deep = pixels.levels > 256 and shares.shape[1] == 1
    made = []
    for image, name in zip(shares, names, strict=True):
        kind = Image.registered_extensions()[Path(str(name)).suffix.lower()]
        as_deep = deep and kind in _DEEP
        values: NDArray[Any] = np.rint(image * (65535 if as_deep else 255))
        values = values.astype(np.uint16 if as_deep else np.uint8)
        stream = io.BytesIO()
        picture = Image.fromarray(values[0] if len(values) == 1 else values.transpose(1, 2, 0))
        picture.save(stream, format=kind)
        made.append(stream.getvalue())
    return made
