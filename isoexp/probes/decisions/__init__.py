"""Decisions: whether a network decides otherwise than the linear map of its weights would."""

from .decisions import Decisions as Decisions
from .linear import linear_part as linear_part
