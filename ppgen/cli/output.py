"""Tables to standard output as CSV, tables and images to a file by its ending; messages to standard
error."""

from __future__ import annotations

import io
import math
import os
import sys
import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import InputError
from ..text_table import aligned, terminal_width
from .delimited import Columns, text_rows, texts, write_text
from .wording import told

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from ..data import Schema
    from ..data.reading import Reading

_TEXTS = (".csv", ".tsv")
ENDINGS = (*_TEXTS, ".parquet", ".npy", ".npz")
FIGURE_ENDINGS = (".png", ".svg")
ARRAY_ENDINGS = (".npy", ".npz")
IMAGE_ENDINGS = (*ARRAY_ENDINGS, ".png")
INTERRUPTED = 130  # the exit status where the user ended it
_ACROSS = 32  # images side by side in a picture, at most


def say(message: str) -> None:
    """A message for the reader, on standard error, in the terms of the command."""
    print(told(message), file=sys.stderr, flush=True)


def check_output(out: Path | None, endings: Sequence[str] = ENDINGS, what: str = "output") -> None:
    """Raise InputError, before any work, where nothing could be written to `out`."""
    if out is None:
        return
    if out.suffix.lower() not in endings:
        raise InputError(
            f"the {what} {out} ends in {out.suffix or 'nothing'}; expected {', '.join(endings)}."
        )
    if out.is_dir():
        raise InputError(f"the {what} {out} is a folder; give the name of a file.")
    if not out.parent.is_dir():
        raise InputError(f"the {what}'s folder {out.parent} does not exist; make it first.")
    if out.suffix.lower() == ".parquet":
        _pyarrow()


def write_figure(made: Figure, out: Path, title: str) -> None:
    """Write a figure, whose ending says how; `title` is what it shows."""
    from ..plotting.style import png, svg

    as_png = out.suffix.lower() == ".png"
    write_file(out, png(made) if as_png else svg(made, "figure", title).encode())


def write_table(
    columns: Columns,
    out: Path | None = None,
    *,
    pretty: bool = False,
    computed: Collection[str] = (),
    like: Reading | None = None,
) -> None:
    """Write columns of equal length.

    Args:
        columns: name -> values.
        out: a file, whose ending says how; None for standard output.
        pretty: align the columns where standard output is a terminal.
        computed: columns that did not come with the data, and are as text no longer than they are
            right; other files hold them whole.
        like: the text that these are rows of, whose numbers and fields are written as there.
    """
    if computed and (out is None or out.suffix.lower() in _TEXTS):
        from ..digits import significant

        columns = {k: significant(v) if k in computed else v for k, v in columns.items()}
    if out is None:
        if pretty and sys.stdout.isatty():
            print_quietly(_aligned(_to_its_error(columns)))
        else:
            to_stdout(lambda stream: write_text(columns, stream, "", like))
        return
    write_file(out, _content(columns, out.suffix.lower(), like))


def write_file(out: Path, content: bytes) -> None:
    """Write a file of what a command made; that it takes the place of another is said."""
    from ..files import write_bytes

    there = out.exists()
    write_bytes(out, content)
    if there:
        say(f"{out} was there and is replaced.")


def check_rows(out: Path | None, schema: Schema) -> None:
    """Raise InputError where rows of this schema cannot be written to `out`.

    Images and sequences need a file: a table cannot hold them. A picture holds nothing but images.
    """
    ending = None if out is None else out.suffix.lower()
    if schema.sequence and ending not in ARRAY_ENDINGS:
        raise InputError(
            "the rows are sequences, which no table holds; write them to a file: -o FILE, which "
            f"ends in {' or '.join(ARRAY_ENDINGS)}."
        )
    if schema.image_shape is None:
        if ending == ".png":
            raise InputError(f"{out} is a picture, and the rows are a table; write a .csv.")
    elif ending not in IMAGE_ENDINGS:
        raise InputError(
            f"the rows are images, which no table holds; write them to a file: -o FILE, which ends "
            f"in {', '.join(IMAGE_ENDINGS)}."
        )


def write_rows(rows: Any, schema: Schema, out: Path | None, *, plain: bool = False) -> None:
    """Write what `sample` or `impute` returned, images in their layout or as one picture; numbers
    of a table as the text had them that was fitted, unless `plain`."""
    if schema.columns:
        like = None if plain else schema.reading
        write_table(native_columns(rows, schema.names), out, like=like)
        return
    import numpy as np

    assert out is not None  # see `check_rows`
    images, stream = np.asarray(rows), io.BytesIO()
    if out.suffix.lower() == ".png":
        from PIL import Image

        from ..data.stacking import in_shape
        from ..plotting.images import image_pixels, shown_limits

        assert schema.image_shape is not None
        pixels, images = schema.pixels, in_shape(images, schema.image_shape, schema.layout)
        across = min(_ACROSS, math.ceil(math.sqrt(len(images))))
        limits = None if pixels is None else shown_limits(images, pixels.low, pixels.high)
        picture = image_pixels(images, across=across, limits=limits)
        Image.fromarray(picture).save(stream, format="PNG")
    elif out.suffix.lower() == ".npy":
        np.save(stream, images, allow_pickle=False)
    else:
        np.savez(stream, X=images)
    write_file(out, stream.getvalue())


def print_quietly(text: str) -> None:
    """Print, minding a reader that has left."""
    to_stdout(lambda stream: print(text, file=stream))


def to_stdout(write: Callable[[TextIO], None]) -> None:
    """Let `write` write; a reader that has what it wanted (`| head`) ends it without a word."""
    try:
        write(sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def native_columns(native: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The columns of what `sample` or `impute` returned; `names` are for arrays."""
    import numpy as np

    if isinstance(native, np.ndarray):
        return {name: native[:, j] for j, name in enumerate(names)}
    if isinstance(native, Mapping):
        return dict(native)
    import narwhals as nw

    frame = nw.from_native(native, eager_only=True)
    columns = {str(s.name): _values(s) for s in frame.iter_columns()}
    return index_columns(getattr(native, "index", None)) | columns


def _values(series: Any) -> Any:
    """A column's values: times that have a zone as objects, which keep it."""
    import numpy as np

    if getattr(series.dtype, "time_zone", None) is None:
        return series.to_numpy()
    out = np.empty(len(series), dtype=object)
    out[:] = series.to_list()
    return out


def index_columns(index: Any) -> dict[str, Any]:
    """The labels of the rows of a pandas frame as columns; none where they only number the rows."""
    from ..tree import coordinates

    if coordinates(index) is None:
        return {}
    levels = [index.get_level_values(i) for i in range(index.nlevels)]
    return {
        str(level.name) if level.name is not None else f"index{i or ''}": level.to_numpy()
        for i, level in enumerate(levels)
    }


def _content(columns: Columns, ending: str, like: Reading | None) -> bytes:
    import numpy as np

    if ending in _TEXTS:
        text = io.StringIO(newline="")
        write_text(columns, text, "" if ending == ".csv" else "\t", like)
        return text.getvalue().encode()
    stream = io.BytesIO()
    if ending == ".npy":
        np.save(stream, _matrix(columns), allow_pickle=False)
    elif ending == ".npz":
        with zipfile.ZipFile(stream, "w") as archive:  # np.savez takes no column called "file"
            for name, values in columns.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, _plain(values), allow_pickle=False)
    else:
        arrow, parquet = _pyarrow()
        arrays = {k: _for_arrow(np.asarray(v)) for k, v in columns.items()}
        table = {k: arrow.array(v, from_pandas=True) for k, v in arrays.items()}
        parquet.write_table(arrow.table(table), stream)
    return stream.getvalue()


def _for_arrow(values: NDArray[Any]) -> Any:
    return values if values.dtype.kind in "mM" else values.tolist()


def _matrix(columns: Columns) -> NDArray[Any]:
    import numpy as np

    for name, values in columns.items():
        if np.asarray(values).dtype.kind not in "fiub":
            raise InputError(
                f"column {name!r} holds text, and an .npy file one array of numbers. Write a "
                ".csv, .parquet or .npz."
            )
    return np.column_stack([np.asarray(v, dtype=np.float64) for v in columns.values()])


def _plain(values: Any) -> NDArray[Any]:
    """Without objects, which need code to be read: text as text, a gap as an empty one."""
    import numpy as np

    array = np.asarray(values)
    return np.array(texts(array)) if array.dtype.kind == "O" else array


def _to_its_error(columns: Columns) -> Columns:
    """For readers: numbers beside their `stderr` to the digits that it leaves."""
    from ..digits import with_error

    shown = dict(columns)
    for name, beside in pairwise(columns):
        if beside == "stderr":
            pairs = zip(columns[name], columns[beside], strict=True)
            shown[name], shown[beside] = zip(*(with_error(*pair) for pair in pairs), strict=True)
    return shown


def _aligned(columns: Columns) -> str:
    """The columns side by side, as wide as the terminal."""
    return aligned([tuple(columns), *text_rows(columns)], terminal_width())


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(
            "writing Parquet needs pyarrow, which is not installed. Install it: pip install "
            "'ppgen[parquet]'; or write a .csv."
        ) from None
    return pyarrow, pyarrow.parquet
