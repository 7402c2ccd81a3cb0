"""Rows with a schema: reading, splitting, encoding."""

from .builtin import BUILTIN as BUILTIN
from .builtin import load_builtin as load_builtin
from .codec import Codec as Codec
from .codec import Encoded as Encoded
from .codecs import AnyCodec as AnyCodec
from .column import Column as Column
from .dataset import Dataset as Dataset
from .dataset import as_dataset as as_dataset
from .dataset import split as split
from .hashing import row_hashes as row_hashes
from .image_codec import ImageCodec as ImageCodec
from .infer import infer_schema as infer_schema
from .memory_limit import memory_budget as memory_budget
from .pixels import Pixels as Pixels
from .readers import read as read
from .rebuild import rebuild as rebuild
from .recording_codec import RecordingCodec as RecordingCodec
from .schema import Schema as Schema
from .sequence_codec import SequenceCodec as SequenceCodec
from .sequences import sequences as sequences
from .toys import TOYS as TOYS
