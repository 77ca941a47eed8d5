"""Dropout, built as dropout(width) and acting along the last axis, in ensembles too.

Each draws from a key of its own (isoexp.noise), so that a network has the same masks in an ensemble
and alone. torch.nn.Dropout draws from a generator that networks share: a user's model that is
trained alone may hold it, but it is no choice here.
"""

from .base import Dropout as Dropout
from .correlated import CorrelatedDropout as CorrelatedDropout
from .independent import ElementwiseDropout as ElementwiseDropout
from .independent import HaarDropout as HaarDropout
from .independent import IsotropicDropout as IsotropicDropout
