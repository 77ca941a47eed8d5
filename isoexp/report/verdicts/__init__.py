"""Verdicts: what comparisons say to questions that were asked before any run."""

from .answer import EXPECTATIONS as EXPECTATIONS
from .answer import NULL as NULL
from .answer import Answer as Answer
from .answer import Outcome as Outcome
from .conclusion import Verdict as Verdict
from .conclusion import conclude as conclude
from .deciding import decide as decide
