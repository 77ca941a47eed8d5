"""isoexp: the laboratory bench for isotropic deep learning.

    model(activation, norm, init) ∘ data  →  fit  →  probes  →  rows  →  verdicts

Source: Bird, Isotropic Deep Learning: You Should Consider Your (Inductive) Biases (2025).
"""

__version__ = "0.1.0"

__all__ = ["probe", "read"]

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .store.tables import read as read

if TYPE_CHECKING:
    from .probes import probe as probe


def __getattr__(name: str) -> Any:
    """Imports what needs torch, or draws, when it is first asked for: reading takes neither."""

    if name == "probe":
        return import_module(".probes", __name__).probe
    if name in ("figures", "probes"):
        return import_module(f".{name}", __name__)

    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
