"""isoexp: the laboratory bench for isotropic deep learning.

    model(activation, norm, init) ∘ data  →  fit  →  probes  →  rows  →  verdicts

Source: Bird, Isotropic Deep Learning: You Should Consider Your (Inductive) Biases (2025).
"""

__version__ = "0.1.0"

__all__ = ["read"]

from .records import read as read
