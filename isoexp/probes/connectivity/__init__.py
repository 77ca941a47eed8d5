"""Connectivity: whether copies of a network, and its twins, lie in one basin of the loss."""

from .connectivity import Connectivity as Connectivity
