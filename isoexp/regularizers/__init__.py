"""Penalties of weights and activations, added to the loss of each network."""

from .base import NoRegularizer as NoRegularizer
from .base import Penalty as Penalty
from .base import Regularizer as Regularizer
from .base import Tensors as Tensors
from .penalties import L1 as L1
from .penalties import L2 as L2
from .penalties import ActivationNorm as ActivationNorm
from .penalties import Nuclear as Nuclear
from .penalties import Spectral as Spectral
