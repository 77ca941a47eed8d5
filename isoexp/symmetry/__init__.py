"""The symmetry of functional forms, measured: the changes of basis that each of them commutes with.

A form is measured against groups from O(n) down, by its commutator, by its law if it is random, by
trajectories if it is an optimizer: the taxonomy that the paper leaves unfinished (App. E).
"""

from .groups import GROUPS as GROUPS
from .groups import MatrixGroup as MatrixGroup
from .groups import Measured as Measured
from .groups import largest as largest
from .laws import measure_init as measure_init
from .laws import measure_law as measure_law
from .maps import measure_gradient_map as measure_gradient_map
from .maps import measure_map as measure_map
from .training import measure_optimizer as measure_optimizer
from .training import measure_regularizer as measure_regularizer
