"""Optimizers are PyTorch's, built as optimizer(parameters); here stand schedules and clipping."""

from .clipping import ClipNorm as ClipNorm
from .clipping import ClipValue as ClipValue
from .clipping import NoClip as NoClip
from .schedules import Constant as Constant
from .schedules import Cosine as Cosine
