"""Networks: plain nn.Modules, built as model(inputs, outputs) around constructors handed in."""

from .autoencoder import Autoencoder as Autoencoder
from .mlp import MLP as MLP
