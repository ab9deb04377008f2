"""Models for the usual tasks: each a composition of layers with its loss, trained by `elman.train.fit`, and saved to
one file, which `elman.load` reads."""

from .base import Model
from .ctc import CTCRecognizer
from .decoding import ctc_beam, ctc_greedy
from .forecaster import Forecaster
from .graph import Graph
from .joins import attend, concatenate, repeat
from .language import LanguageModel
from .network import network
from .nodes import Input, Node
from .outputs import Output
from .seq2seq import Seq2Seq
from .sequences import SequenceClassifier, SequenceRegressor, SequenceTagger

__all__ = [
    "CTCRecognizer",
    "Forecaster",
    "Graph",
    "Input",
    "LanguageModel",
    "Model",
    "Node",
    "Output",
    "Seq2Seq",
    "SequenceClassifier",
    "SequenceRegressor",
    "SequenceTagger",
    "attend",
    "concatenate",
    "ctc_beam",
    "ctc_greedy",
    "network",
    "repeat",
]


def __dir__() -> list[str]:
    return __all__
