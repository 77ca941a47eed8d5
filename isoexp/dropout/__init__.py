"""Dropout, built as dropout(width) and acting along the last axis, in ensembles too.

Each draws from a key of its own (isoexp.noise), so that a network in an ensemble drops what it
drops alone. torch.nn.Dropout draws from a generator that networks share: it may stand in a model of
one's own, trained alone, and is no choice here.
"""

from .base import Dropout as Dropout
from .correlated import CorrelatedDropout as CorrelatedDropout
from .independent import ElementwiseDropout as ElementwiseDropout
from .independent import HaarDropout as HaarDropout
from .independent import IsotropicDropout as IsotropicDropout
