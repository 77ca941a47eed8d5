"""Networks: plain nn.Modules, built as model(inputs, outputs) around constructors handed in.

One with `reconstructs` is trained to return its input; one with `answers_each_step` may be asked
for an answer at each step of a sequence: outputs is then (steps, outputs of each).
"""

from .attention import WEIGHTS as WEIGHTS
from .autoencoder import Autoencoder as Autoencoder
from .autoencoder import ConvolutionalAutoencoder as ConvolutionalAutoencoder
from .cnn import CNN as CNN
from .mlp import MLP as MLP
from .rnn import RNN as RNN
from .transformer import Transformer as Transformer
