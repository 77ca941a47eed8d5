"""Many networks of one shape, trained as one, whatever real settings they differ in."""

from .differences import Difference as Difference
from .differences import differences as differences
from .ensemble import Ensemble as Ensemble
from .lifted import clip_of as clip_of
from .lifted import objective_of as objective_of
from .lifted import regularizer_of as regularizer_of
from .lifted import schedule_of as schedule_of
from .states import ELEMENTWISE as ELEMENTWISE
from .states import BuildOptimizer as BuildOptimizer
from .states import rates as rates
