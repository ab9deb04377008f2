"""Models for the usual tasks: each a composition of layers with its loss, trained by `elman.train.fit`, and saved to
one file, which `elman.load` reads."""

from .base import Model
from .ctc import CTCRecognizer
from .decoding import ctc_beam, ctc_greedy
from .forecaster import Forecaster
from .network import network
from .seq2seq import Seq2Seq
from .sequences import LanguageModel, SequenceClassifier, SequenceRegressor, SequenceTagger

__all__ = [
    "CTCRecognizer",
    "Forecaster",
    "LanguageModel",
    "Model",
    "Seq2Seq",
    "SequenceClassifier",
    "SequenceRegressor",
    "SequenceTagger",
    "ctc_beam",
    "ctc_greedy",
    "network",
]


def __dir__() -> list[str]:
    return __all__
