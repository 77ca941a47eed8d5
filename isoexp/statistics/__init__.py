"""Statistics of seeds: arrays in, numbers out, each with n and its method in words.

student  means, differences of means, equivalence      effects  differences in standard deviations
signs    exact tests by sign flips                      holm     several comparisons at once
ranks    rank correlation                               power    how many seeds would decide
"""

from .effects import hedges as hedges
from .effects import hedges_unpaired as hedges_unpaired
from .holm import holm as holm
from .power import seeds_for_difference as seeds_for_difference
from .power import seeds_for_equivalence as seeds_for_equivalence
from .ranks import spearman as spearman
from .results import Estimate as Estimate
from .results import PValue as PValue
from .results import SampleSize as SampleSize
from .results import finite as finite
from .signs import sign_flips as sign_flips
from .student import Student as Student
from .student import identical as identical
from .student import mean as mean
from .student import welch as welch
