"""First weights of a layer, set in place: init(layer), drawing from torch's global generator.

A law of W is isotropic when W and R W Q have one law for all rotations R, Q: the Gaussian and the
Haar-orthogonal are, PyTorch's default uniform is not. All but the default set biases to zero,
the one isotropic choice that needs no scale.
"""

__all__ = ["Default", "Gaussian", "Orthogonal"]

from dataclasses import dataclass

from torch import nn


class Default:
    """Leaves PyTorch's own: W, b ~ U(−1/√fan_in, 1/√fan_in). Not isotropic."""

    def __call__(self, layer: nn.Module) -> None:
        return


@dataclass(frozen=True)
class Gaussian:
    """W_ij ~ N(0, gain² / fan_in), b = 0. Isotropic.

    Arguments:
        gain: The factor by which a layer scales the root mean square of what it is given.
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        _positive(self.gain)

    def __call__(self, layer: nn.Module) -> None:
        weight = layer.get_parameter("weight")
        nn.init.normal_(weight, std=self.gain / weight[0].numel() ** 0.5)
        _zero_bias(layer)


@dataclass(frozen=True)
class Orthogonal:
    """W = gain · Q, Q Haar among matrices with orthonormal rows or columns, b = 0. Isotropic.

    Arguments:
        gain: The largest singular value.
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        _positive(self.gain)

    def __call__(self, layer: nn.Module) -> None:
        nn.init.orthogonal_(layer.get_parameter("weight"), self.gain)
        _zero_bias(layer)


def _positive(gain: float) -> None:
    if not gain > 0:
        raise ValueError(f"gain must be positive, got {gain:g}")


def _zero_bias(layer: nn.Module) -> None:
    if getattr(layer, "bias", None) is not None:
        nn.init.zeros_(layer.get_parameter("bias"))
