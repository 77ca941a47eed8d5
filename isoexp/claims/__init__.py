"""Claims of the paper: questions asked before any run, and the answers of the runs.

claim     a sentence and all that decides it        terms    its metrics, comparisons, tuning, plot
evidence  the claim as registered, and its runs     verdict  what the comparisons say, and together
decision  from evidence to verdict                  tuning   which settings are best for an arm
error     that of seeds, or of test items too      values   the numbers that it asks of runs
across    its comparisons in many cells              discovery  the verdicts of many claims
chain     what was planned, and when, as it cannot be changed unseen
prospect  whether a plan can answer, and how often it will
study     registers, tunes, runs, decides; asked holds a claim against what runs measure: they alone
          need torch
"""

from .claim import SCALES as SCALES
from .claim import Claim as Claim
from .terms import Metric as Metric
from .terms import Tuning as Tuning
