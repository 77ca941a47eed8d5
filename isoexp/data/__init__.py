"""Data sets, real and generated: fixed splits, whole in memory."""

from .base import Factor as Factor
from .base import Source as Source
from .base import Split as Split
from .base import Splits as Splits
from .contract import checked as checked
from .image_folder import ImageFolder as ImageFolder
from .images import CIFAR10 as CIFAR10
from .images import CIFAR100 as CIFAR100
from .images import EMNIST as EMNIST
from .images import MNIST as MNIST
from .images import FashionMNIST as FashionMNIST
from .packaged import MNIST1D as MNIST1D
from .packaged import Digits as Digits
from .packaged import MNIST5k as MNIST5k
from .shapes import Shapes as Shapes
from .synthetic import XOR as XOR
from .synthetic import Spheres as Spheres
from .synthetic import Teacher as Teacher
from .synthetic import Waveforms as Waveforms
from .text import Text as Text
from .tokens import Languages as Languages
from .tokens import ModularArithmetic as ModularArithmetic
