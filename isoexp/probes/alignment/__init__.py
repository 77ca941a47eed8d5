"""Alignment: whether representations lean on privileged directions of their layer."""

from .alignment import Alignment as Alignment
