"""Reproducing: the study that decides a claim, from its registration to its verdict."""

from .files import claim_files as claim_files
from .files import read_claim as read_claim
from .study import Study as Study
from .tuning import Tuned as Tuned
