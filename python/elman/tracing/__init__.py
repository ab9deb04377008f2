"""Cells written in Python: a function runs once on symbols, and its trace becomes programs of the engine."""

from .definition import CellDefinition as CellDefinition
from .emit import Instruction as Instruction
from .emit import Program as Program
from .evaluate import evaluate as evaluate
from .evaluate import run_program as run_program
from .functions import clip as clip
from .functions import exp as exp
from .functions import hard_sigmoid as hard_sigmoid
from .functions import log as log
from .functions import maximum as maximum
from .functions import minimum as minimum
from .functions import relu as relu
from .functions import sigmoid as sigmoid
from .functions import softplus as softplus
from .functions import spike as spike
from .functions import sqrt as sqrt
from .functions import tanh as tanh
from .functions import where as where
from .functions import zoneout as zoneout
from .numeric import NUMPY as NUMPY
from .numeric import Functions as Functions
from .programs import Programs as Programs
from .trace import cell as cell
from .trace import trace as trace
