"""Statistics of seeds: arrays in, numbers out, each with n and its method in words."""

from .aggregates import improvement as improvement
from .aggregates import iqm as iqm
from .effects import hedges as hedges
from .effects import hedges_unpaired as hedges_unpaired
from .multiple import holm as holm
from .permutation import permutation as permutation
from .permutation import sign_flips as sign_flips
from .planning import seeds_for_difference as seeds_for_difference
from .planning import seeds_for_equivalence as seeds_for_equivalence
from .ranks import spearman as spearman
from .results import Adjusted as Adjusted
from .results import Estimate as Estimate
from .results import Plan as Plan
from .results import PValue as PValue
from .results import finite as finite
from .student import Student as Student
from .student import contrast as contrast
from .student import identical as identical
from .student import mean as mean
from .student import paired as paired
from .student import welch as welch
