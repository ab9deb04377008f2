"""Data as batches for training."""

from .ahead import prefetch
from .arrow import ArrowFiles, ArrowTable
from .batch import Batch, Data
from .lazy import Ragged
from .named import NamedSequences
from .samples import Samples
from .sequences import Sequences, as_data
from .sources import Blocks, Functions, Items, Source
from .stream import Stream
from .vocabulary import Vocabulary
from .windows import forecast_windows

__all__ = [
    "ArrowFiles",
    "ArrowTable",
    "Batch",
    "Blocks",
    "Data",
    "Functions",
    "Items",
    "NamedSequences",
    "Ragged",
    "Samples",
    "Sequences",
    "Source",
    "Stream",
    "Vocabulary",
    "as_data",
    "forecast_windows",
    "prefetch",
]


def __dir__() -> list[str]:
    return __all__
