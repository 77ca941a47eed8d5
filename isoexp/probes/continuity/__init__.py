"""Continuity: whether a factor that varies continuously is represented so, or in lumps."""

from .continuity import Continuity as Continuity
