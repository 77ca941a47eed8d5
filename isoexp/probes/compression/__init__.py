"""Compression: how few features isotropic layers would do with, the function being the same."""

from .compression import Compression as Compression
from .reduction import compressed as compressed
