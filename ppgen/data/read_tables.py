"""Tables of other programs: spreadsheets, JSON, and what is named though it is not read."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import InputError
from .dataset import Dataset
from .memory_limit import check_memory
from .read_text import decoded, read_bytes, table_of_text
from .reading import Reading
from .text_columns import table_of

SHEETS = {".xlsx": "openpyxl", ".xlsm": "openpyxl", ".xls": "xlrd", ".ods": "odf"}
_PACKAGES = {"odf": "odfpy"}  # of an engine of pandas, where it is called otherwise
UNREAD = {
    ".xlsb": "an Excel workbook in binary form",
    ".sav": "of SPSS",
    ".zsav": "of SPSS",
    ".por": "of SPSS",
    ".dta": "of Stata",
    ".sas7bdat": "of SAS",
    ".xpt": "of SAS",
    ".rds": "of R",
    ".rda": "of R",
    ".rdata": "of R",
    ".mat": "of MATLAB",
    ".h5": "in HDF5",
    ".hdf5": "in HDF5",
    ".nc": "in NetCDF",
    ".arff": "in Weka's ARFF",
    ".feather": "in Feather",
    ".arrow": "in Arrow's format",
    ".orc": "in ORC",
    ".avro": "in Avro",
    ".sqlite": "a database of SQLite",
    ".db": "a database",
    ".pkl": "a pickle, which may hold code and is never read",
    ".pickle": "a pickle, which may hold code and is never read",
    ".xml": "in XML",
    ".html": "in HTML",
    ".pdf": "in PDF",
    ".7z": "an archive of 7-Zip",
    ".rar": "an archive of RAR",
}
_UNZIPPED = 20  # times the size of a spreadsheet's file that its cells may take


def read_sheet(path: Path, said: Reading) -> Dataset:
    """Read the first sheet of a spreadsheet that holds something, through pandas.

    Its cells are read as those of a text are (see `read_text`), so that titles, units and sums
    around the table are left out.

    Raises:
        InputError: if the package for the format is not installed, or the file cannot be read.
    """
    import pandas as pd

    ending = path.suffix.lower()
    engine = SHEETS[ending]
    if find_spec(engine) is None:
        package = _PACKAGES.get(engine, engine)
        raise InputError(
            f"{path} is a spreadsheet ({ending}); pandas reads it with {package}, which is not "
            f"installed. Install it with pip install {package}, or save the sheet as CSV."
        )
    check_memory(path, _UNZIPPED * path.stat().st_size)
    try:
        book = pd.read_excel(
            path, sheet_name=None, header=None, dtype=object, na_filter=False, engine=engine
        )
    except (ValueError, KeyError, OSError, zipfile.BadZipFile, SyntaxError) as error:
        raise InputError(f"{path} is no readable spreadsheet ({ending}): {error}.") from None
    full = {name: sheet for name, sheet in book.items() if sheet.size}
    if not full:
        raise InputError(f"{path} is a spreadsheet without cells; expected a table.")
    name, *others = full
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for cells in full[name].itertuples(index=False):
        writer.writerow(map(_cell, cells))
    data = table_of_text(path, text.getvalue(), said, ",")
    if not others:
        return data
    which = f"the sheet {name!r} is read; {', '.join(map(repr, others))} left out."
    return replace(data, notes=(which, *data.notes))


def _cell(value: Any) -> str:
    """A cell as text that reads back the same."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if hasattr(value, "isoformat"):
        return str(value.isoformat(" ")) if hasattr(value, "hour") else str(value.isoformat())
    return str(value)


def read_json(path: Path, said: Reading) -> Dataset:
    """Read a table of JSON: a list of records, an object of columns, an object with "columns" and
    "data", or a record a line. Fields within fields become columns "outer.inner".

    Raises:
        InputError: if it is none of these.
    """
    import pandas as pd

    text = decoded(path) if path.suffix.lower() != ".gz" else read_bytes(path, 4).decode()
    try:
        try:
            body = json.loads(text)
        except json.JSONDecodeError:
            body = [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise InputError(f"{path} is no readable JSON ({error}).") from None
    try:
        if isinstance(body, Mapping) and {"columns", "data"} <= {*body}:
            frame = pd.DataFrame(body["data"], columns=body["columns"])
        elif isinstance(body, Mapping) and all(isinstance(v, list) for v in body.values()):
            frame = pd.DataFrame(body)
        elif isinstance(body, list) and all(isinstance(row, Mapping) for row in body):
            frame = pd.json_normalize(body)
        elif isinstance(body, Mapping) and all(isinstance(v, Mapping) for v in body.values()):
            frame = pd.DataFrame(body)
        else:
            raise ValueError("it is no table")
    except ValueError as error:
        raise InputError(
            f"{path} holds JSON that is no table ({error}); expected a list of records, an object "
            "of columns, or a record a line."
        ) from None
    return table_of(frame, said, lambda row: f"record {row + 1}")


def refuse(path: Path) -> None:
    """Raise InputError, naming the format, for a file of one that is known and not read."""
    what = UNREAD.get(path.suffix.lower())
    if what is not None:
        raise InputError(
            f"{path} is {what if what[0] == 'a' else 'a file ' + what}, which ppgen does not read. "
            "Give the table as CSV, Parquet, JSON or Excel, or as a frame in Python."
        )
