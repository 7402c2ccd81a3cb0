"""Rows with a schema: reading, splitting, encoding."""

from .codec import Codec as Codec
from .codec import Encoded as Encoded
from .containers import rebuild as rebuild
from .dataset import Dataset as Dataset
from .dataset import as_dataset as as_dataset
from .dataset import conform as conform
from .schema import Column as Column
from .schema import Schema as Schema
from .splits import split_rows as split_rows
