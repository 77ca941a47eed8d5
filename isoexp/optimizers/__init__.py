"""Optimizers are PyTorch's, built as optimizer(parameters); here: schedules, clipping, the step."""

from .clipping import ClipNorm as ClipNorm
from .clipping import ClipValue as ClipValue
from .clipping import NoClip as NoClip
from .clipping import norms as norms
from .lean import spare_the_compiler as spare_the_compiler
from .lean import step as step
from .schedules import Constant as Constant
from .schedules import Cosine as Cosine
