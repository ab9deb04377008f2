"""Training on explicit gradients: data as batches, losses, optimisers, learning-rate schedules,
and the loop."""

from ..data import Batch, Data, NamedSequences, Sequences, Stream, Vocabulary, forecast_windows
from ..losses import (
    Loss,
    binary_cross_entropy,
    check_gradient,
    cross_entropy,
    ctc,
    custom,
    gaussian,
    huber,
    mean_absolute_error,
    mean_squared_error,
    quantile,
)
from ..losses.outcome import Outcome
from ..optim import (
    EMA,
    SGD,
    SWA,
    Adam,
    AdamW,
    Average,
    Constant,
    Cosine,
    Exponential,
    Optimizer,
    Plateau,
    RMSProp,
    Schedule,
    Steps,
    WarmUp,
    clip_global_norm,
    clip_value,
    global_norm,
    make_optimizer,
)
from .callbacks import Callback
from .communicator import Communicator, Mpi, ProcessGroup
from .finder import LearningRates, find_learning_rate
from .fit import evaluate, fit
from .history import History
from .loggers import CSVLog, MLflowLog, TensorBoardLog
from .run import Run
from .settings import Settings
from .trainable import Step, Trainable
from .tune import Log, tune

__all__ = [
    "EMA",
    "SGD",
    "SWA",
    "Adam",
    "AdamW",
    "Average",
    "Batch",
    "CSVLog",
    "Callback",
    "Communicator",
    "Constant",
    "Cosine",
    "Data",
    "Exponential",
    "History",
    "LearningRates",
    "Log",
    "Loss",
    "MLflowLog",
    "Mpi",
    "NamedSequences",
    "Optimizer",
    "Outcome",
    "Plateau",
    "ProcessGroup",
    "RMSProp",
    "Run",
    "Schedule",
    "Sequences",
    "Settings",
    "Step",
    "Steps",
    "Stream",
    "TensorBoardLog",
    "Trainable",
    "Vocabulary",
    "WarmUp",
    "binary_cross_entropy",
    "check_gradient",
    "clip_global_norm",
    "clip_value",
    "cross_entropy",
    "ctc",
    "custom",
    "evaluate",
    "find_learning_rate",
    "fit",
    "forecast_windows",
    "gaussian",
    "global_norm",
    "huber",
    "make_optimizer",
    "mean_absolute_error",
    "mean_squared_error",
    "quantile",
    "tune",
]


def __dir__() -> list[str]:
    return __all__
