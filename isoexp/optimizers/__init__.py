"""Optimizers, built as optimizer(parameters): PyTorch's and ours; schedules, clipping, the step."""

from .clipping import ClipNorm as ClipNorm
from .clipping import ClipValue as ClipValue
from .clipping import NoClip as NoClip
from .clipping import norms as norms
from .isotropic_adam import IsotropicAdam as IsotropicAdam
from .muon import Muon as Muon
from .normalized import NormalizedSGD as NormalizedSGD
from .normalized import SignSGD as SignSGD
from .schedules import Constant as Constant
from .schedules import Cosine as Cosine
from .shampoo import Shampoo as Shampoo
from .together import Together as Together
from .together import along as along
from .together import loss_of as loss_of
from .together import spare_the_compiler as spare_the_compiler
from .together import step as step
