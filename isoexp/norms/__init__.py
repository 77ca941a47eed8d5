"""Normalisers, built as norm(width) and acting along the last axis.

conf/norm names those that exist; each file says whether it commutes with rotations. PyTorch's own
layers are used as they are where they do the thing.
"""

__all__ = [
    "AffineLike",
    "BatchNorm",
    "ChiNorm",
    "IsotropicBatchNorm",
    "L2Norm",
    "Norm",
    "Whitening",
]

from .base import Norm
from .batch import BatchNorm, ChiNorm, IsotropicBatchNorm
from .vector import AffineLike, L2Norm
from .whitening import Whitening
