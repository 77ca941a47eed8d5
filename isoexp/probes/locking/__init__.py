"""Locking: whether a trained network is held where it is, and only large perturbations move it."""

from .locking import Locking as Locking
