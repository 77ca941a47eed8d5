"""Activation functions: elementwise, isotropic, quasi-isotropic, radial basis."""

from .base import Activation as Activation
from .base import activations_of as activations_of
from .elementwise import *  # noqa: F403
from .isotropic import *  # noqa: F403
from .quasi_isotropic import *  # noqa: F403
from .radial_basis import *  # noqa: F403
