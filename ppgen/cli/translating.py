"""`ppgen translate`: images and recordings to the other domain of a fit; and the two domains that
`ppgen fit --to` reads."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from .options import Run
from .output import ARRAY_ENDINGS, say
from .pictures import encoded_pictures
from .reading import read_data
from .runs import load_run, tell_verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import Dataset
    from ..estimator import Estimator

Parts = tuple["Dataset", "Dataset | None", "Dataset | None"]


def translate(
    run: Run,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="An image, an .npy or .npz file of images, a WAV file, or a folder of images or "
            "of WAV files.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUTPUT",
            help="What is not there yet: a file of the same kind, or a folder, in which files keep "
            "their names.",
            show_default=False,
        ),
    ],
    back: Annotated[
        bool, typer.Option("--back", help="From the second domain of the fit to the first.")
    ] = False,
) -> None:
    """Translate images or recordings to the other domain of a fit.

    A recording comes out as long as it went in, at the rate of the recordings that were fitted.
    """
    given = Given.of(source, output)
    model = load_run(run, "translates", "translates nothing")
    schema = (model.target_ if back else model).schema_
    rows = read_data(str(source), schema=schema if schema.reading.pictures else None)
    tell_verdict(model)
    made = model.translate_back(rows) if back else model.translate(rows)
    side = model if back else model.target_
    if rows.schema.sequence:
        given.write([_sound(row, side.codec_.own) for row in made], output)
    elif given.names:
        pictures = encoded_pictures(made, side.schema_, given.names)
        given.write([(content, 0) for content in pictures], output)
    else:
        _write_arrays(made, rows.target, output)
    what = "recording" if rows.schema.sequence else "image"
    say(f"{len(rows)} {what}{'s' * (len(rows) != 1)} translated: {output}")


@dataclass(frozen=True)
class Given:
    """What is to be translated.

    Attributes:
        names: of the files of images or recordings, below their folder; none for arrays.
        folder: whether they lie in a folder.
    """

    names: tuple[Path, ...]
    folder: bool

    @classmethod
    def of(cls, source: Path, output: Path) -> Given:
        """What `source` holds; InputError if it is nothing that is translated, or what comes of it
        cannot be written to `output`."""
        from ..data.read_images import ENDINGS
        from ..data.read_media import media_files

        if not source.exists():
            raise InputError(f"there is no file or folder {str(source)!r} to translate.")
        if output.exists():
            raise InputError(f"{output} is there already; give another name, or remove it.")
        if source.is_dir():
            files = media_files(source)
            names = tuple(file.relative_to(source) for file in files)
            if output.suffix.lower() in (*ENDINGS, *ARRAY_ENDINGS, ".wav"):
                raise InputError(
                    f"{source} is a folder, and {output} would be a file; give the name of a "
                    "folder."
                )
            return cls(names, folder=True)
        ending = source.suffix.lower()
        able = next((kind for kind in (ENDINGS, ARRAY_ENDINGS, (".wav",)) if ending in kind), None)
        if able is None:
            raise InputError(
                f"{source} ends in {ending or 'nothing'}; expected an image ({', '.join(ENDINGS)}),"
                " .npy or .npz, .wav, or a folder of images or WAV files."
            )
        if output.suffix.lower() not in able:
            raise InputError(
                f"the output {output} ends in {output.suffix or 'nothing'}; of {source.name} comes "
                f"{' or '.join(able)}."
            )
        if not output.parent.is_dir():
            raise InputError(f"the output's folder {output.parent} does not exist; make it first.")
        return cls(() if able is ARRAY_ENDINGS else (Path(output.name),), folder=False)

    def write(self, contents: Sequence[tuple[bytes, int]], output: Path) -> None:
        """Write files, and say how many samples of recordings were clipped."""
        from ..files import whole_folder, write_bytes

        if self.folder:
            with whole_folder(output) as folder:
                for name, (content, _) in zip(self.names, contents, strict=True):
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    (folder / name).write_bytes(content)
        else:
            write_bytes(output, contents[0][0])
        clipped = [count for _, count in contents if count]
        if clipped:
            say(
                f"{sum(clipped)} samples of {len(clipped)} recordings were louder than full scale "
                "and are clipped."
            )


def _sound(v: NDArray[Any], rate: int) -> tuple[bytes, int]:
    """The file of a recording, and how many of its samples are clipped."""
    import numpy as np

    from ..data.write_wav import wav

    return wav(v, rate, whole=v.dtype != np.float32)


def _write_arrays(rows: Any, labels: Any, output: Path) -> None:
    import numpy as np

    from ..files import write_bytes

    stream, images = io.BytesIO(), np.asarray(rows)
    if output.suffix.lower() == ".npy":
        np.save(stream, images, allow_pickle=False)
    elif labels is None:
        np.savez(stream, X=images)
    else:
        np.savez(stream, X=images, y=np.asarray(labels))
    write_bytes(output, stream.getvalue())


# The two domains of a fit


def check_domains(chosen: type[Estimator], to: str | None) -> None:
    """Raise InputError unless a second domain is given to what translates, and only to that."""
    from ..models import registry

    if to is None and chosen.capabilities.translates:
        raise InputError(
            f"{chosen.name} translates DATA to a second domain; give that with --to OTHER."
        )
    if to is not None and not chosen.capabilities.translates:
        able = (m for m in registry.names() if registry.get(m).capabilities.translates)
        raise InputError(
            f"{chosen.name} has no second domain; {', '.join(able)} translate to one. Take one of "
            "them, or leave --to out."
        )


def parted_pairs(rows: Dataset, other: Dataset, seed: int) -> tuple[Parts, Parts]:
    """The parts of two domains, row i of one paired with row i of the other: pairs stay together,
    with all that hold a copy of either of their rows."""
    from ..data import split

    if len(rows) != len(other):
        raise InputError(
            f"there are {len(rows)} rows and {len(other)} to translate them to; pairs need as many "
            "of both, in one order."
        )
    parts = split(rows.grouped(other.units), seed=seed)
    (a, b, c), (d, e, f) = ([side.take(part) for part in parts] for side in (rows, other))
    return (a, b, c), (d, e, f)
