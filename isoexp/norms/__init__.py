"""Normalisers, built as norm(width) and acting along the last axis.

conf/norm names those that exist; each file says whether it commutes with rotations. PyTorch's own
layers are used as they are where they do the thing.
"""

from .batch import BatchNorm as BatchNorm
from .batch import ChiNorm as ChiNorm
from .batch import IsotropicBatchNorm as IsotropicBatchNorm
from .batch import Whitening as Whitening
from .vector import AffineLike as AffineLike
from .vector import L2Norm as L2Norm
from .vector import Norm as Norm
