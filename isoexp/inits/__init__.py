"""First weights of a layer, set in place: init(layer), drawing from torch's global generator.

A law of W is isotropic when W and R W Q have one law for all rotations R, Q: the Gaussian and the
Haar-orthogonal are, the uniform and the sparse are not. The kernel of a convolution is taken as
the matrix outputs × (inputs · area). All but the default set biases to zero, the one isotropic
choice that needs no scale.
"""

__all__ = [
    "Default",
    "Gaussian",
    "KaimingNormal",
    "KaimingUniform",
    "Orthogonal",
    "Sparse",
    "XavierNormal",
    "XavierUniform",
]

from .anisotropic import Default, KaimingUniform, Sparse, XavierUniform
from .isotropic import Gaussian, KaimingNormal, Orthogonal, XavierNormal
