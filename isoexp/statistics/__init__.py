"""Statistics of seeds: arrays in, numbers out, each with n and its method in words.

student   means, differences of means, equivalence     significance   sign flips
effects   sizes of differences, rank correlation       power          how many seeds decide
clusters  means over seeds that share test items       heterogeneity  means over cells
"""

from .clusters import clustered as clustered
from .clusters import resampled as resampled
from .effects import hedges as hedges
from .effects import hedges_unpaired as hedges_unpaired
from .effects import spearman as spearman
from .heterogeneity import RandomEffects as RandomEffects
from .heterogeneity import random_effects as random_effects
from .power import power_of_difference as power_of_difference
from .power import seeds_for_difference as seeds_for_difference
from .power import seeds_for_equivalence as seeds_for_equivalence
from .results import Estimate as Estimate
from .results import bounds as bounds
from .results import finite as finite
from .results import in_digits as in_digits
from .significance import sign_flips as sign_flips
from .student import Student as Student
from .student import apart as apart
from .student import difference as difference
from .student import identical as identical
from .student import mean as mean
from .student import mean_interval as mean_interval
from .student import welch as welch
from .trials import best_of as best_of
